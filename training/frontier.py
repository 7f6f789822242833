"""The efficient frontier: what each loss budget can buy, with the policies at hand beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy import Policy
from relimit.training.charts import GREY, new_figure
from relimit.training.figure_ranges import Ranges, ranges_of
from relimit.training.figures import Figures
from relimit.training.ground import Ground
from relimit.training.logged_book import LoggedBook
from relimit.training.settle import settle

if TYPE_CHECKING:
    from matplotlib.figure import Figure


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


def trace_frontier(
    policy: Policy, book: LoggedBook, budgets: Sequence[float], ground: Ground
) -> list[Point]:
    """Return the best tiers' figures for each budget once lived, with no group guarded.

    `ground` is what the tiers are chosen on, that of the policy and the book.
    """
    total = float(book.freed.sum()) / FEN_PER_YUAN
    points = []
    for budget in budgets:
        best = settle(policy, book, budget, guarded=False, ground=ground)
        points.append(
            Point(
                budget=budget,
                figures=best.figures,
                ranges=ranges_of(policy, book, best.worth, best.arm),
                shadow_price=best.found.shadow_price,
                bound_yuan=best.found.bound * total,
                free_bound_yuan=best.free_bound * total,
                tiers=len(best.policy.tiers),
            )
        )
    return points


def draw_frontier(
    points: Sequence[Point], named: dict[str, Figures], ranges: dict[str, Ranges]
) -> "Figure":
    """Draw net value, and the share restored, against the loss; named policies with limits."""
    figure = new_figure(9.0, 3.8, layout="constrained")
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
