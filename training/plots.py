"""The plots that every version records."""

from collections.abc import Callable
from typing import Final

import numpy as np

from relimit.training.charts import draw_calibration
from relimit.training.discrimination import Bools, Floats, roc_points
from relimit.training.drawing import COLOURS, GREY, Plot, around
from relimit.training.metrics import reliability

Draw = Callable[[Bools, Floats], str]
BARS: Final = 40


def draw_roc(bad: Bools, risk: Floats) -> str:
    """Draw the receiver operating characteristic."""
    plot = Plot(
        (0.0, 1.02), (0.0, 1.02), width=400, height=320, title="ROC",
        x_label="share of good flagged", y_label="share of bad flagged",
    )  # fmt: skip
    plot.line([0.0, 1.0], [0.0, 1.0], GREY, dashed=True)
    plot.line(*roc_points(bad, risk), COLOURS[0])
    return plot.svg()


def draw_reliability(bad: Bools, risk: Floats) -> str:
    """Draw the bad rate against the mean risk of ten bins of equal row count."""
    return draw_calibration({"test rows": reliability(bad, risk)})


def draw_score_distribution(bad: Bools, risk: Floats) -> str:
    """Draw how the risk is distributed among the good and the bad."""
    edges = np.linspace(0.0, max(float(risk.max()), 1e-6), BARS + 1)
    sides = [np.histogram(risk[rows], edges, density=True)[0] for rows in (~bad, bad)]
    plot = Plot(
        (0.0, float(edges[-1])), (0.0, around(*sides)[1]), width=400, height=320,
        title="Risk by outcome", x_label="risk", y_label="density",
    )  # fmt: skip
    for colour, label, density in zip(COLOURS, ("good", "bad"), sides, strict=False):
        plot.bars(edges, density, colour, label=label)
    return plot.svg()


PLOTS: Final[dict[str, Draw]] = {
    "roc": draw_roc,
    "reliability": draw_reliability,
    "score_distribution": draw_score_distribution,
}


def draw_plots(bad: Bools, risk: Floats) -> dict[str, str]:
    """Return every plot as SVG by its name."""
    return {name: draw(bad, risk) for name, draw in PLOTS.items()}
