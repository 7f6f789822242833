"""The plots that every version records, drawn without a screen."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from relimit.training.charts import blank, draw_calibration, png
from relimit.training.discrimination import Bools, Floats, roc_points
from relimit.training.metrics import reliability

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def draw_roc(bad: Bools, risk: Floats) -> "Figure":
    """Draw the receiver operating characteristic."""
    with _axes("ROC", "share of good flagged", "share of bad flagged") as (figure, axes):
        axes.plot(*roc_points(bad, risk))
        axes.plot([0, 1], [0, 1], linestyle=":", color="grey")
    return figure


def draw_reliability(bad: Bools, risk: Floats) -> "Figure":
    """Draw the bad rate against the mean risk of ten bins of equal row count."""
    return draw_calibration({"test rows": reliability(bad, risk)})


def draw_score_distribution(bad: Bools, risk: Floats) -> "Figure":
    """Draw how the risk is distributed among the good and the bad."""
    edges: NDArray[np.float64] = np.linspace(0.0, max(float(risk.max()), 1e-6), 41)
    with _axes("Risk by outcome", "risk", "density") as (figure, axes):
        for outcome, label in ((~bad, "good"), (bad, "bad")):
            axes.hist(risk[outcome], bins=list(edges), density=True, alpha=0.5, label=label)
        axes.legend(loc="upper right")
    return figure


PLOTS: Final = {
    "roc": draw_roc,
    "reliability": draw_reliability,
    "score_distribution": draw_score_distribution,
}


def draw_plots(bad: Bools, risk: Floats) -> dict[str, bytes]:
    """Return every plot as PNG by its name."""
    return {name: png(draw(bad, risk)) for name, draw in PLOTS.items()}


@contextmanager
def _axes(title: str, x: str, y: str) -> Iterator[tuple["Figure", "Axes"]]:
    figure = blank(5.0, 4.0)
    axes = figure.add_subplot()
    axes.set(title=title, xlabel=x, ylabel=y)
    yield figure, axes
