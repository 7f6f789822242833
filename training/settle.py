"""The best tiers within a budget that is kept when they take every decision, not one alone."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.errors import PolicyError
from relimit.policy import Optimised, Policy, Worth
from relimit.policy.optimise import free_bound
from relimit.training.chosen import Chosen, choose
from relimit.training.figures import Figures
from relimit.training.ground import Ground
from relimit.training.guards import guardrails_of
from relimit.training.lived import with_spill
from relimit.training.logged_book import LoggedBook
from relimit.training.night_worth import worth_over_nights
from relimit.training.waiting import Wait

Ints = NDArray[np.int64]

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
    free_bound
        See `relimit.policy.optimise.free_bound`; over what was freed.
    """

    policy: Policy
    found: Optimised
    book: LoggedBook
    arm: Ints
    worth: Worth
    figures: Figures
    waits: tuple[Wait, ...]
    free_bound: float


def settle(
    policy: Policy,
    book: LoggedBook,
    budget: float,
    *,
    guarded: bool = True,
    ground: Ground | None = None,
) -> Settled:
    """Find the tiers worth most whose loss, once they take all decisions, keeps a budget.

    Tiers are chosen where the account's other decisions are between what the log and what the last
    tiers have of them, with what each arm loses on these counted in its loss, until nothing changes
    or `MOST_TURNS` are over. Tiers that come out over the budget, or over a guarded group's largest
    loss, are chosen again for less; of those that keep them, the ones worth most are taken. What
    they are chosen on, `ground`, is found if None.

    Raises
    ------
    PolicyError
        No tiers keep the limits.
    """
    ground = ground or Ground.of(policy, book)
    guard = guardrails_of(policy, book, ground, budget) if guarded else None
    limits = np.append(budget, guard.most_loss if guard else [])
    if book.lines is None:
        return _settled(choose(policy, book, book, ground, guard=guard, limits=limits), ground)
    best, last, inner = None, None, limits
    withheld = book.lines.lines.log.withheld
    for turn in range(MOST_TURNS):
        priced = with_spill(book, book.lines, withheld)
        try:
            now = choose(policy, book, priced, ground, guard=guard, limits=inner)
        except PolicyError:
            if (inner == limits).all():
                break
            inner = np.sqrt(inner * limits)  # that was too strict: half of the way back
            continue
        rates = now.rates(guard)
        better = best is None or now.figures.net_yuan > best.figures.net_yuan
        if better and (rates <= limits).all():
            best = now
        its, this = now.withheld, (now.policy.tiers, inner.tolist())
        if this == last and np.array_equal(its, withheld):
            break
        # Tiers and what is withheld under them chase each other: steps that shrink end that.
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
    return _settled(best, ground)


def _settled(best: Chosen, ground: Ground) -> Settled:
    return Settled(
        policy=best.policy,
        found=best.found,
        book=best.book,
        arm=best.arm,
        worth=worth_over_nights(best.policy, best.book, ground.nights),
        figures=best.figures,
        waits=best.waits,
        free_bound=free_bound(best.policy, best.sample, best.budget),
    )
