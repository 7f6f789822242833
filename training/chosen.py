"""One choice of tiers, and what it comes to once it is lived."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relimit.data.errors import PolicyError
from relimit.data.vocabulary import ARMS
from relimit.policy import Guardrails, Optimised, Policy, Sample, Worth, optimise_tiers
from relimit.policy.settings import Tier
from relimit.training.figures import Figures, figures_of
from relimit.training.ground import Ground
from relimit.training.guards import loss_rates
from relimit.training.lived import with_withheld, withheld_by
from relimit.training.logged_book import LoggedBook
from relimit.training.night_worth import tier_arm, worth_over_nights
from relimit.training.waiting import Wait, waits_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Chosen:
    """Tiers that keep some limits on a sample, and the book as they leave it.

    Attributes
    ----------
    policy, found, waits
        The given policy with the tiers, how they were found, and what waiting is worth in each.
    sample, budget
        What they were chosen on, and within which loss over freed limit.
    withheld
        `[m]` the share that they withhold of every decision of the log; empty if that
        changes nothing.
    book
        With outcomes as they are if the policy takes all decisions.
    arm, own
        `[n]` the place in `ARMS` of each row's tier, and `[n, 1]` what it is worth.
    figures
        What the tiers come to.
    """

    policy: Policy
    found: Optimised
    waits: tuple[Wait, ...]
    sample: Sample
    budget: float
    withheld: Floats
    book: LoggedBook
    arm: Ints
    own: Worth
    figures: Figures

    def rates(self, guard: Guardrails | None) -> Floats:
        """Return the loss rate of all, and of each guarded group, as the tiers are lived."""
        if guard is None:
            return np.array([self.figures.loss_rate])
        groups = loss_rates(guard, self.book.freed, self.own.loss[:, 0])
        return np.append(self.figures.loss_rate, groups)


def choose(
    policy: Policy,
    book: LoggedBook,
    priced: LoggedBook,
    ground: Ground,
    *,
    guard: Guardrails | None,
    limits: Floats,
) -> Chosen:
    """Return the best tiers where arms lose what a priced book says, as they are lived.

    `limits` are loss rates: the budget, and the most of each guarded group.
    """
    sample = ground.priced(priced, guard and replace(guard, most_loss=limits[1:]))
    budget, nights = float(limits[0]), ground.nights
    if guard is not None:
        best, found, waits = _tiers_that_wait_for_something(policy, priced, ground, sample, budget)
    else:
        found = optimise_tiers(policy, sample, budget=budget, bounds=ground.bounds)
        best, waits = replace(policy, tiers=found.tiers), ()
    withheld, after = np.empty(0), book
    if book.lines is not None:
        withheld = withheld_by(best, book, book.lines, nights)
        after = with_withheld(book, book.lines, withheld)
    arm = tier_arm(best, after, nights)
    own = worth_over_nights(best, after, nights, arm[:, None])
    figures = figures_of(best, own, after.freed, np.zeros_like(arm))
    return Chosen(best, found, waits, sample, budget, withheld, after, arm, own, figures)


def _tiers_that_wait_for_something(
    policy: Policy, book: LoggedBook, ground: Ground, sample: Sample, budget: float
) -> tuple[Policy, Optimised, tuple[Wait, ...]]:
    """Optimise until each wait that is left is worth more than its cost, or is needed.

    Delays only grow from tier to tier, so that one tier's wait can force another's, which is not
    worth it: that wait is ruled out between its bounds, and the tiers are chosen anew. Where no
    tiers would keep the limits without such waits, these stay.
    """
    bounds = ground.bounds
    allowed = np.ones((len(bounds), len(ARMS)), bool)
    found = optimise_tiers(policy, sample, budget=budget, allowed=allowed, bounds=bounds)
    while True:
        best = replace(policy, tiers=found.tiers)
        worth = worth_over_nights(best, book, ground.nights)
        waits = waits_of(best, book, worth, found.shadow_price)
        idle = sorted((w for w in waits if w.chosen and w.net <= 0.0), key=lambda wait: wait.net)
        for some in (idle, *([wait] for wait in idle)):
            left = allowed & ~_bins_of(some, found.tiers, bounds)
            better = _tiers_if_any(policy, sample, budget, left, bounds) if some else None
            if better is not None:
                allowed, found = left, better
                break
        else:
            return best, found, tuple(waits)


def _bins_of(waits: Sequence[Wait], tiers: Sequence[Tier], bounds: Floats) -> Bools:
    """Return `[bins, 25]`: the bins of each wait's tier, at its arm."""
    there = np.zeros((len(bounds), len(ARMS)), bool)
    for wait in waits:
        below = tiers[wait.tier - 2].up_to if wait.tier > 1 else -1.0
        bins = (bounds > below) & (bounds <= wait.up_to)
        there[bins, ARMS.index((wait.share, wait.days))] = True
    return there


def _tiers_if_any(
    policy: Policy, sample: Sample, budget: float, allowed: Bools, bounds: Floats
) -> Optimised | None:
    """Return the best tiers of some arms; None if none of theirs keep the limits."""
    try:
        return optimise_tiers(policy, sample, budget=budget, allowed=allowed, bounds=bounds)
    except PolicyError:
        return None
