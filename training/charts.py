"""The report's pictures, as SVG."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from relimit.training.discrimination import Floats
from relimit.training.drawing import COLOURS, GREY, Plot, around, page
from relimit.training.expected import Expected
from relimit.training.gains import Gain

BESIDE: Final = 0.15
"""How far apart the views of one group stand, in groups."""
SHADES: Final = 16
LOW, MIDDLE, HIGH = (np.array(colour) for colour in ((59, 76, 192), (221, 221, 221), (180, 4, 38)))
"""Red, green and blue of the lowest, the middle and the highest value."""


def draw_calibration(views: Mapping[str, tuple[Floats, Floats, Floats]]) -> str:
    """Draw mean risk against bad rate for each view's `(mean risk, bad rate, share)`."""
    shown = around(0.0, *(part for curve in views.values() for part in curve[:2]))
    plot = Plot(shown, shown, x_label="mean risk", y_label="bad rate")
    for colour, (view, (mean_risk, bad_rate, _)) in zip(COLOURS, views.items(), strict=False):
        plot.line(mean_risk, bad_rate, colour, dotted=True, label=view)
    plot.line([0.0, shown[1]], [0.0, shown[1]], GREY, dashed=True)
    return plot.svg()


def draw_expected(views: Mapping[str, Sequence[Expected]]) -> str:
    """Draw each view's observed over expected bads by group, with limits."""
    names = sorted({group.group for groups in views.values() for group in groups})
    ratios = {
        view: np.array([[g.ratio.value, g.ratio.low, g.ratio.high] for g in groups])
        for view, groups in views.items()
    }
    shown = (-0.5, len(names) - 0.5 + BESIDE * len(views))
    ticks = list(enumerate(names))
    plot = Plot(
        shown, around(1.0, *ratios.values()), width=600, height=304, bottom=84,
        y_label="observed / expected", x_ticks=ticks, slanted=True,
    )  # fmt: skip
    plot.line(shown, [1.0, 1.0], GREY, dashed=True)
    for place, (view, (value, low, high)) in enumerate((v, r.T) for v, r in ratios.items()):
        groups = np.array([names.index(group.group) for group in views[view]]) + BESIDE * place
        plot.limits(groups, low, high, COLOURS[place])
        plot.dots(groups, value, COLOURS[place])
        plot.line([], [], COLOURS[place], label=view)
    return plot.svg()


def draw_gains(views: Mapping[str, Sequence[Gain]]) -> str:
    """Draw for each view the share of bads, and of the loss, that the riskiest rows hold."""
    plot = Plot(
        (0.0, 1.02), (0.0, 1.02),
        x_label="share of rows, the riskiest first", y_label="share captured",
    )  # fmt: skip
    for colour, (view, gains) in zip(COLOURS, views.items(), strict=False):
        rows = [0.0, *(gain.rows_share for gain in gains)]
        bads = [0.0, *(gain.bads_share for gain in gains)]
        plot.line(rows, bads, colour, dotted=True, label=f"bads, {view}")
        if np.isfinite(gains[-1].loss_share):
            loss = [0.0, *(gain.loss_share for gain in gains)]
            plot.line(rows, loss, colour, dashed=True, label=f"loss (dashed), {view}")
    plot.line([0.0, 1.0], [0.0, 1.0], GREY, dashed=True)
    return plot.svg()


def draw_summary(names: Sequence[str], X: Floats, contributions: Floats) -> str:
    """Draw each feature's contributions, a dot a row, coloured by the rank of its value.

    A missing value is grey.
    """
    rng = np.random.default_rng(0)
    plot = Plot(
        around(0.0, contributions), (0.5 - len(names), 0.5), width=680,
        height=29 * len(names) + 70, left=240, x_label="contribution to the log-odds of bad",
        y_ticks=[(-place, name) for place, name in enumerate(names)],
    )  # fmt: skip
    plot.line([0.0, 0.0], plot.y, GREY)
    for place in range(len(names)):
        height = -place + rng.uniform(-0.3, 0.3, len(X))
        shade = _shades(X[:, place])
        for number in range(-1, SHADES):
            rows = shade == number
            at = contributions[rows, place], height[rows]
            plot.dots(*at, GREY if number < 0 else _shade_colour(number), size=2.5)
    return plot.svg()


def draw_dependence(names: Sequence[str], X: Floats, contributions: Floats) -> str:
    """Draw each feature's contribution against its value, three to a row."""
    plots = []
    for place, name in enumerate(names):
        x, y = X[:, place], contributions[:, place]
        plot = Plot(around(x), around(0.0, y), width=250, height=208, left=46, title=name)
        plot.line(plot.x, [0.0, 0.0], GREY)
        plot.dots(x, y, COLOURS[0], size=2.5)
        plots.append(plot)
    return page(plots, columns=3)


def _shades(x: Floats) -> NDArray[np.int64]:
    """Return each value's place among the others in sixteenths; −1 for NaN."""
    known = ~np.isnan(x)
    out = np.full(len(x), -1)
    ranks = (rankdata(x[known]) - 0.5) / max(int(known.sum()), 1)
    out[known] = np.minimum((ranks * SHADES).astype(np.int64), SHADES - 1)
    return out


def _shade_colour(number: int) -> str:
    """Return blue for the lowest, red for the highest, by way of grey."""
    share = 2.0 * number / (SHADES - 1)
    near, far, part = (LOW, MIDDLE, share) if share < 1.0 else (MIDDLE, HIGH, share - 1.0)
    red, green, blue = np.rint(near + part * (far - near)).astype(int).tolist()
    return f"#{red:02x}{green:02x}{blue:02x}"
