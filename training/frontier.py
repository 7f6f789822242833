"""The efficient frontier: what each loss budget can buy, with the policies at hand beside it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy import Policy, Sample, Worth, optimise_tiers
from relimit.training.charts import GREY
from relimit.training.figure_ranges import Ranges, ranges_of
from relimit.training.logged_book import LoggedBook

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Figures:
    """What arms come to in all.

    Attributes
    ----------
    loss_rate, share
        Expected loss, and what returns, over what was freed.
    loss_yuan, margin_yuan, restored_yuan
        Sums.
    mean_days
        Days until what returns is back, by amount; NaN if nothing returns.
    net_yuan
        Margin, less loss, less the price of waiting.
    """

    loss_rate: float
    share: float
    loss_yuan: float
    margin_yuan: float
    restored_yuan: float
    mean_days: float
    net_yuan: float


@dataclass(frozen=True, slots=True)
class Point:
    """One budget: its figures with their 95% limits, and by how much they could be better.

    `bound_yuan` is what no tiers on these candidate bounds pass, `free_bound_yuan` what no arms
    pass that are chosen decision by decision; `shadow_price` is yuan for one yuan more of budget.
    """

    budget: float
    figures: Figures
    ranges: Ranges
    shadow_price: float
    bound_yuan: float
    free_bound_yuan: float
    tiers: int


def figures_of(policy: Policy, worth: Worth, freed: Ints, arm: Ints) -> Figures:
    """Return what `[n]` arms come to."""
    rows = np.arange(len(arm))
    total = float(freed.sum())
    restored = worth.restored[rows, arm]
    loss = float(worth.loss[rows, arm].sum())
    back = float(restored.sum())
    withheld = (total - back) * policy.service.review_days
    late = float(worth.waited[rows, arm].sum()) - withheld
    return Figures(
        loss_rate=loss / total,
        share=back / total,
        loss_yuan=loss / FEN_PER_YUAN,
        margin_yuan=float(worth.margin[rows, arm].sum()) / FEN_PER_YUAN,
        restored_yuan=back / FEN_PER_YUAN,
        mean_days=late / back if back else float("nan"),
        net_yuan=float(worth.net(policy)[rows, arm].sum()) / FEN_PER_YUAN,
    )


def trace_frontier(
    policy: Policy, book: LoggedBook, sample: Sample, budgets: Sequence[float]
) -> list[Point]:
    """Return the best tiers' figures for each budget, with no group guarded."""
    total = float(sample.freed.sum()) / FEN_PER_YUAN
    points = []
    for budget in budgets:
        found = optimise_tiers(policy, sample, budget=budget)
        points.append(
            Point(
                budget=budget,
                figures=figures_of(policy, sample.worth, sample.freed, found.arm),
                ranges=ranges_of(policy, book, sample.worth, found.arm),
                shadow_price=found.shadow_price,
                bound_yuan=found.bound * total,
                free_bound_yuan=found.free_bound * total,
                tiers=len(found.tiers),
            )
        )
    return points


def draw_frontier(
    points: Sequence[Point], named: dict[str, Figures], ranges: dict[str, Ranges]
) -> Figure:
    """Draw net value, and the share restored, against the loss; named policies with limits."""
    figure = Figure(figsize=(9.0, 3.8), layout="constrained")
    value = figure.add_subplot(1, 2, 1, xlabel="loss / freed", ylabel="net value, million yuan")
    share = figure.add_subplot(1, 2, 2, xlabel="loss / freed", ylabel="share restored")
    loss = [point.figures.loss_rate for point in points]
    value.plot(loss, [point.figures.net_yuan / 1e6 for point in points], marker=".", label="tiers")
    value.plot(
        [point.budget for point in points],
        [point.free_bound_yuan / 1e6 for point in points],
        linestyle=":",
        color=GREY,
        label="arm by arm, at most",
    )
    share.plot(loss, [point.figures.share for point in points], marker=".", label="tiers")
    for name, found in named.items():
        (mark,) = value.plot(
            found.loss_rate, found.net_yuan / 1e6, marker="o", linestyle="", label=name
        )
        low, high = ranges[name]["net_yuan"]
        value.vlines(found.loss_rate, low / 1e6, high / 1e6, color=mark.get_color(), alpha=0.4)
        value.hlines(
            found.net_yuan / 1e6, *ranges[name]["loss_rate"], color=mark.get_color(), alpha=0.4
        )
        share.plot(found.loss_rate, found.share, marker="o", linestyle="", label=name)
    value.legend(fontsize=8)
    return figure
