"""The best tiers within a budget that is kept when they take every decision, not one alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.errors import PolicyError
from relimit.data.vocabulary import ARMS
from relimit.policy import Guardrails, Optimised, Policy, Sample, Worth, optimise_tiers
from relimit.policy.optimise import sample_bounds
from relimit.policy.settings import Tier
from relimit.training.figures import Figures, figures_of
from relimit.training.guards import guardrails_of, loss_rates
from relimit.training.lived import lived, with_spill, withheld_by
from relimit.training.logged_book import LoggedBook
from relimit.training.nights import looks_of
from relimit.training.waiting import (
    Wait,
    tier_arm,
    waits_of,
    worth_of_looks,
    worth_over_nights,
)

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MOST_TURNS: Final = 12
"""Tiers and what others withhold under them agree after five or six."""
LEAST_LOSS: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Settled:
    """Tiers, and the book as they leave it.

    Attributes
    ----------
    policy, found
        The given policy with the tiers, and how they were found.
    book
        With outcomes as they are if the policy takes all decisions.
    arm
        `[n]` the place in `ARMS` of each row's tier on the first night that finds its gates open.
    worth, figures
        What every arm is worth in it, and what the tiers come to.
    waits
        What waiting is worth in each tier.
    """

    policy: Policy
    found: Optimised
    book: LoggedBook
    arm: Ints
    worth: Worth
    figures: Figures
    waits: tuple[Wait, ...]


def settle(policy: Policy, book: LoggedBook, budget: float, *, guarded: bool = True) -> Settled:
    """Find the tiers worth most whose loss, once they take all decisions, keeps a budget.

    Tiers are chosen where the account's other decisions are between what the log and what the last
    tiers have of them, with what each arm loses on these counted in its loss, until nothing changes
    or `MOST_TURNS` are over. Tiers that come out over the budget, or over a guarded group's largest
    loss, are chosen again for less; of those that keep them, the ones worth most are taken.

    Raises
    ------
    PolicyError
        No tiers keep the limits.
    """
    guard = guardrails_of(policy, book, budget) if guarded else None
    limits = np.append(budget, guard.most_loss if guard else [])
    if book.lines is None:
        return _chosen(policy, book, book, guard, limits)
    best, last, inner = None, None, limits
    withheld = book.lines.lines.log.withheld
    for turn in range(MOST_TURNS):
        priced = with_spill(book, book.lines, withheld)
        try:
            now = _chosen(policy, book, priced, guard, inner)
        except PolicyError:
            if (inner == limits).all():
                break
            inner = np.sqrt(inner * limits)
            continue
        rates = _rates(now, guard)
        better = best is None or now.figures.net_yuan > best.figures.net_yuan
        if better and (rates <= limits).all():
            best = now
        its, this = withheld_by(now.policy, book, book.lines), (now.policy.tiers, inner.tolist())
        if this == last and np.array_equal(its, withheld):
            break
        withheld = its if this == last else withheld + (its - withheld) / (1.0 + turn / 2.0)
        last = this
        inner = np.minimum(inner * np.sqrt(limits / np.maximum(rates, LEAST_LOSS)), limits)
    if best is None:
        raise PolicyError(
            f"no tiers were found that keep a loss budget of {budget:.3%} and every group's limits "
            "when they take all decisions",
            where="[value]",
            mend="Raise `loss_budget`, `group_loss` or `group_rise`, or lower `group_share`",
        )
    return best


def _rates(found: Settled, guard: Guardrails | None) -> Floats:
    """Return the loss rate of all, and of each guarded group, as the tiers are lived."""
    if guard is None:
        return np.array([found.figures.loss_rate])
    loss = found.worth.loss[np.arange(len(found.arm)), found.arm]
    return np.append(found.figures.loss_rate, loss_rates(guard, found.book.freed, loss))


def _chosen(
    policy: Policy, book: LoggedBook, priced: LoggedBook, guard: Guardrails | None, limits: Floats
) -> Settled:
    """Return the best tiers where arms lose what a priced book says, as they are lived.

    `limits` are loss rates: the budget, and the most of each guarded group.
    """
    sample = sample_of(policy, priced, guard and replace(guard, most_loss=limits[1:]))
    budget = float(limits[0])
    if guard is not None:
        best, found, waits = _tiers_that_wait_for_something(policy, priced, sample, budget)
    else:
        found = optimise_tiers(policy, sample, budget=budget)
        best, waits = replace(policy, tiers=found.tiers), []
    after = lived(best, book)
    worth, arm = worth_over_nights(best, after), tier_arm(best, after)
    figures = figures_of(best, worth, after.freed, arm)
    return Settled(best, found, after, arm, worth, figures, tuple(waits))


def sample_of(policy: Policy, book: LoggedBook, guard: Guardrails | None) -> Sample:
    """Return what tiers are chosen on: each look with what it is worth until the next."""
    looks = looks_of(policy, book)
    worth = worth_of_looks(policy, book, looks)
    freed = np.where(np.arange(len(looks.row)) < len(book), book.freed[looks.row], 0)
    guard = guard and replace(guard, member=guard.member[looks.row])
    return Sample(looks.ratio, freed, worth, guard)


def _tiers_that_wait_for_something(
    policy: Policy, book: LoggedBook, sample: Sample, budget: float
) -> tuple[Policy, Optimised, list[Wait]]:
    """Optimise until each wait that is left is worth more than its cost, or is needed.

    Delays only grow from tier to tier, so that one tier's wait can force another's, which is not
    worth it: that wait is ruled out between its bounds, and the tiers are chosen anew. Where no
    tiers would keep the limits without such waits, these stay.
    """
    bounds = sample_bounds(policy, sample)
    allowed = np.ones((len(bounds), len(ARMS)), bool)
    found = optimise_tiers(policy, sample, budget=budget, allowed=allowed)
    while True:
        best = replace(policy, tiers=found.tiers)
        waits = waits_of(best, book, worth_over_nights(best, book), found.shadow_price)
        idle = sorted((w for w in waits if w.chosen and w.net <= 0.0), key=lambda wait: wait.net)
        for some in (idle, *([wait] for wait in idle)):
            left = allowed & ~_bins_of(some, found.tiers, bounds)
            better = _tiers_if_any(policy, sample, budget, left) if some else None
            if better is not None:
                allowed, found = left, better
                break
        else:
            return best, found, waits


def _bins_of(waits: Sequence[Wait], tiers: Sequence[Tier], bounds: Floats) -> Bools:
    """Return `[bins, 25]`: the bins of each wait's tier, at its arm."""
    there = np.zeros((len(bounds), len(ARMS)), bool)
    for wait in waits:
        below = tiers[wait.tier - 2].up_to if wait.tier > 1 else -1.0
        bins = (bounds > below) & (bounds <= wait.up_to)
        there[bins, ARMS.index((wait.share, wait.days))] = True
    return there


def _tiers_if_any(
    policy: Policy, sample: Sample, budget: float, allowed: Bools
) -> Optimised | None:
    """Return the best tiers of some arms; None if none of theirs keep the limits."""
    try:
        return optimise_tiers(policy, sample, budget=budget, allowed=allowed)
    except PolicyError:
        return None
