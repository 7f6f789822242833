"""The report's pictures, as PNG bytes."""

import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from relimit.training.discrimination import Floats
from relimit.training.expected import Expected
from relimit.training.gains import Gain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DOTS_PER_INCH: Final = 80
GREY: Final = "#8c959f"
BESIDE: Final = 0.15
"""How far apart the views of one group stand, in groups."""


def new_figure(width: float, height: float, **settings: Any) -> "Figure":
    """Return an empty figure, in inches, with matplotlib's own settings.

    pyplot doesn't know it: nothing is to be closed and no screen is needed.
    """
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), **settings)


def blank(
    width: float, height: float, *, left: float = 0.8, bottom: float = 0.7, top: float = 0.3
) -> "Figure":
    """Return an empty figure, in inches, with room for labels at its sides.

    The room is stated because matplotlib's search for it draws everything a second time.
    """
    figure = new_figure(width, height)
    figure.subplots_adjust(
        left=left / width, right=1.0 - 0.2 / width, bottom=bottom / height, top=1.0 - top / height
    )
    return figure


def png(figure: "Figure") -> bytes:
    """Return a figure as PNG; the same figure gives the same bytes."""
    held = io.BytesIO()
    figure.savefig(held, format="png", dpi=DOTS_PER_INCH, metadata={"Software": None})
    return held.getvalue()


def draw_calibration(views: Mapping[str, tuple[Floats, Floats, Floats]]) -> "Figure":
    """Draw mean risk against bad rate for each view's `(mean risk, bad rate, share)`."""
    figure = blank(5.5, 4.2)
    axes = figure.add_subplot(xlabel="mean risk", ylabel="bad rate")
    top = 0.0
    for view, (mean_risk, bad_rate, _) in views.items():
        axes.plot(mean_risk, bad_rate, marker="o", markersize=4, label=view)
        top = max(top, float(mean_risk.max()), float(bad_rate.max()))
    axes.plot([0, top], [0, top], linestyle=":", color=GREY)
    axes.legend(loc="upper left")  # "best" searches, and warns on a slow machine
    return figure


def draw_expected(views: Mapping[str, Sequence[Expected]]) -> "Figure":
    """Draw each view's observed over expected bads by group, with limits."""
    figure = blank(7.5, 3.8, bottom=1.1)
    axes = figure.add_subplot(ylabel="observed / expected")
    names = sorted({group.group for groups in views.values() for group in groups})
    for view, (label, groups) in enumerate(views.items()):
        ratios = np.array([[g.ratio.value, g.ratio.low, g.ratio.high] for g in groups])
        places = np.array([names.index(group.group) for group in groups]) + BESIDE * view
        limits = np.abs(ratios[:, 1:].T - ratios[:, 0])
        axes.errorbar(places, ratios[:, 0], limits, fmt="o", markersize=4, label=label)
    axes.axhline(1.0, linestyle=":", color=GREY)
    axes.set_xticks(np.arange(len(names)), names, rotation=45, ha="right")
    axes.legend(loc="upper left")
    return figure


def draw_gains(views: Mapping[str, Sequence[Gain]]) -> "Figure":
    """Draw for each view the share of bads, and of the loss, that the riskiest rows hold."""
    figure = blank(5.5, 4.2)
    axes = figure.add_subplot(xlabel="share of rows, the riskiest first", ylabel="share captured")
    for place, (view, gains) in enumerate(views.items()):
        rows, colour = [0.0, *(gain.rows_share for gain in gains)], f"C{place}"
        bads = [0.0, *(gain.bads_share for gain in gains)]
        axes.plot(rows, bads, marker="o", markersize=4, color=colour, label=f"bads, {view}")
        if np.isfinite(gains[-1].loss_share):
            loss = [0.0, *(gain.loss_share for gain in gains)]
            axes.plot(rows, loss, linestyle="--", color=colour, label=f"loss, {view}")
    axes.plot([0, 1], [0, 1], linestyle=":", color=GREY)
    axes.legend(loc="lower right")
    return figure


def draw_summary(names: Sequence[str], X: Floats, contributions: Floats) -> "Figure":
    """Draw each feature's contributions, a dot a row, coloured by the rank of its value."""
    figure = blank(8.5, 0.36 * len(names) + 1.2, left=3.0)
    axes = figure.add_subplot(xlabel="contribution to the log-odds of bad")
    rng = np.random.default_rng(0)
    for place in range(len(names)):
        height = -place + rng.uniform(-0.3, 0.3, len(X))
        axes.scatter(
            contributions[:, place], height, s=4, c=_ranks(X[:, place]), cmap="coolwarm",
            vmin=0.0, vmax=1.0, plotnonfinite=False,
        )  # fmt: skip
    axes.axvline(0.0, color=GREY, linewidth=0.8)
    axes.set_yticks(-np.arange(len(names)), list(names))
    return figure


def draw_dependence(names: Sequence[str], X: Floats, contributions: Floats) -> "Figure":
    """Draw each feature's contribution against its value, three to a row."""
    lines = -(-len(names) // 3)
    figure = blank(9.0, 2.6 * lines, bottom=0.4, top=0.4)
    figure.subplots_adjust(wspace=0.25, hspace=0.4)
    for place, name in enumerate(names):
        axes = figure.add_subplot(lines, 3, place + 1)
        axes.scatter(X[:, place], contributions[:, place], s=4)
        axes.axhline(0.0, color=GREY, linewidth=0.8)
        axes.set_title(name, fontsize=9)
        axes.tick_params(labelsize=7)
    return figure


def _ranks(x: Floats) -> NDArray[np.float64]:
    """Return each value's place among the others, 0 to 1; NaN stays NaN."""
    known = ~np.isnan(x)
    out = np.full(len(x), np.nan)
    out[known] = (rankdata(x[known]) - 0.5) / max(int(known.sum()), 1)
    return out
