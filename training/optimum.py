"""From a decision log to a policy file that is worth more: tiers, waits, frontier, guardrails."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.errors import PolicyError
from relimit.data.vocabulary import ARMS
from relimit.models import RiskModel
from relimit.policy import Guardrails, Optimised, Policy, Sample, Worth, optimise_tiers, worth_of
from relimit.policy.arms import grid_arm, tier_of
from relimit.policy.gates import cap_caution
from relimit.policy.optimise import sample_bounds
from relimit.policy.outcome import outcome_of
from relimit.policy.settings import Tier
from relimit.policy.worth import ARM_SHARES, NOTHING
from relimit.training.figure_ranges import Ranges, ranges_of
from relimit.training.frontier import Figures, Point, figures_of, trace_frontier
from relimit.training.gate_costs import GateCost, gate_costs
from relimit.training.logged_book import LoggedBook, Progress, read_logged_book
from relimit.training.untried import log_cautions
from relimit.training.waiting import Wait, waits_of, worth_over_nights

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

POINTS: Final = 16
"""Budgets of the frontier, evenly from a sixteenth of the loss of restoring everything to all."""
LEAST_GROUP: Final = 0.01
"""Groups with a smaller part of the freed limit are reported but not guarded: chance rules them."""
FULL: Final = ARMS.index((1.0, 0))


@dataclass(frozen=True, slots=True)
class Group:
    """One group of borrowers: share restored before and after, and what guarding it costs.

    `price_of_share` is the net yuan that a yuan less of its floor would bring; `price_of_loss`
    that of a yuan more of its largest loss; NaN where the group is too small to be guarded.
    """

    name: str
    rows: int
    share_logged: float
    share: float
    loss_rate: float
    price_of_share: float
    price_of_loss: float


@dataclass(frozen=True, slots=True)
class Optimum:
    """What was found.

    Attributes
    ----------
    policy
        The given policy with the tiers that were found, and the budget they were found for.
    found
        The tiers with their prices and bounds.
    rows
        Decisions that it was found on.
    named, ranges
        Figures of what the log did, of the given policy, of the optimised one, and of restoring
        everything that the gates leave; and their 95% limits.
    frontier
        The best tiers for other budgets.
    groups
        Borrowers by the cause that their history shows.
    waits
        What waiting is worth in each tier.
    gates
        What each hard gate costs under the optimised tiers.
    warnings
        What to know before trusting any of it.
    """

    policy: Policy
    found: Optimised
    rows: int
    named: dict[str, Figures]
    ranges: dict[str, Ranges]
    frontier: tuple[Point, ...]
    groups: tuple[Group, ...]
    waits: tuple[Wait, ...]
    gates: tuple[GateCost, ...]
    warnings: tuple[str, ...]


def optimise_policy(
    events: Path,
    decisions: pa.Table,
    model: RiskModel,
    policy: Policy,
    *,
    loss_budget: float | None = None,
    all_rows: bool = False,
    workers: int = 2,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> Optimum:
    """Find the tiers worth most within a loss budget on a log's own decisions.

    Parameters
    ----------
    events, decisions
        The history and the log, `decisions_log_schema`.
    model
        Whose expected loss the tiers read.
    policy
        What is kept of it: gates, service and the rest; `[value]` says what is weighed.
    loss_budget
        Expected loss over freed limit; that of `[value]` if None.
    all_rows
        See `read_logged_book`.

    Raises
    ------
    DataError
        The log can't tell: see `read_logged_book`.
    PolicyError
        The policy has no `[value]`, its rules leave nothing to restore, or no tiers keep its
        limits.
    """
    weighed = policy.stated_value
    if loss_budget is not None:
        policy = replace(policy, value=replace(weighed, loss_budget=loss_budget))
    book = read_logged_book(
        events,
        decisions,
        model,
        policy,
        all_rows=all_rows,
        workers=workers,
        seed=seed,
        progress=progress,
    )
    return optimise_book(policy, book, progress=progress)


def optimise_book(
    policy: Policy, book: LoggedBook, *, progress: Progress = lambda _: None
) -> Optimum:
    """Find the best tiers for a book that has been read; see `optimise_policy`."""
    sample = _sample(policy, book)
    capped = int((book.situation.room < book.freed).sum())
    cap = cap_caution(policy, capped, len(book))
    if not sample.worth.restored.any():
        raise PolicyError(
            f"gates and cap leave nothing to restore in any of {len(book):,} decisions, so there "
            "are no tiers to choose",
            where="policy",
            mend=cap or "Loosen the gates of the policy, or bring a log of other decisions",
        )
    progress("choosing the tiers")
    best, found, waits = _tiers_that_wait_for_something(policy, book, sample)
    progress("tracing the frontier")
    free = replace(sample, guardrails=None)
    arms = _named_arms(policy, best, book, sample.worth)
    named = {n: figures_of(policy, worth, book.freed, arm) for n, (worth, arm) in arms.items()}
    most = named["restore all"].loss_rate
    budgets = sorted({*np.linspace(most / POINTS, most, POINTS), policy.stated_value.loss_budget})
    return Optimum(
        policy=best,
        found=found,
        rows=len(book),
        named=named,
        ranges={n: ranges_of(policy, book, worth, arm) for n, (worth, arm) in arms.items()},
        frontier=tuple(trace_frontier(policy, book, free, budgets)),
        groups=tuple(_groups(policy, book, sample, found)),
        waits=tuple(waits),
        gates=tuple(gate_costs(best, book, found.arm)),
        warnings=(
            *book.warnings,
            *([cap] if cap else []),
            *log_cautions(book.arm, _given_arm(best, book)),
        ),
    )


def _sample(policy: Policy, book: LoggedBook) -> Sample:
    worth = worth_over_nights(policy, book)
    weighed = policy.stated_value
    left = worth.restored[:, FULL] / book.freed
    part = np.bincount(book.group, weights=book.freed, minlength=len(book.groups))
    guarded = np.flatnonzero(part >= LEAST_GROUP * part.sum()).tolist()
    floors = []
    for place in guarded:
        rows = book.group == place
        before, most = (_mean(share, book.freed, rows) for share in (book.share, left))
        floors.append(weighed.group_share * min(before, most))
    guardrails = Guardrails(
        names=tuple(book.groups[place] for place in guarded),
        group=np.array([guarded.index(g) if g in guarded else -1 for g in range(len(part))])[
            book.group
        ],
        least_share=np.array(floors),
        most_loss=np.full(len(guarded), weighed.group_loss),
    )
    return Sample(book.situation.loss_ratio, book.freed, worth, guardrails)


def _mean(share: Floats, freed: Ints, rows: NDArray[np.bool_]) -> float:
    return float(np.average(share[rows], weights=freed[rows]))


def _tiers_that_wait_for_something(
    policy: Policy, book: LoggedBook, sample: Sample
) -> tuple[Policy, Optimised, list[Wait]]:
    """Optimise until each wait that is left is worth more than its cost, or is needed.

    Delays only grow from tier to tier, so that one tier's wait can force another's, which is not
    worth it: that wait is ruled out between its bounds, and the tiers are chosen anew. Where no
    tiers would keep the limits without such waits, these stay.
    """
    bounds = sample_bounds(policy, sample)
    allowed = np.ones((len(bounds), len(ARMS)), bool)
    budget = policy.stated_value.loss_budget
    found = optimise_tiers(policy, sample, budget=budget, allowed=allowed)
    while True:
        best = replace(policy, tiers=found.tiers)
        waits = waits_of(best, book, sample.worth, found.shadow_price)
        idle = sorted((w for w in waits if w.chosen and w.net <= 0.0), key=lambda wait: wait.net)
        for some in (idle, *([wait] for wait in idle)):
            left = allowed & ~_bins_of(some, found.tiers, bounds)
            better = _tiers_if_any(policy, sample, left) if some else None
            if better is not None:
                allowed, found = left, better
                break
        else:
            return best, found, waits


def _bins_of(waits: Sequence[Wait], tiers: Sequence[Tier], bounds: Floats) -> NDArray[np.bool_]:
    """Return `[bins, 25]`: the bins of each wait's tier, at its arm."""
    there = np.zeros((len(bounds), len(ARMS)), bool)
    for wait in waits:
        below = tiers[wait.tier - 2].up_to if wait.tier > 1 else -1.0
        bins = (bounds > below) & (bounds <= wait.up_to)
        there[bins, ARMS.index((wait.share, wait.days))] = True
    return there


def _tiers_if_any(policy: Policy, sample: Sample, allowed: NDArray[np.bool_]) -> Optimised | None:
    """Return the best tiers of some arms; None if none of theirs keep the limits."""
    try:
        return optimise_tiers(
            policy, sample, budget=policy.stated_value.loss_budget, allowed=allowed
        )
    except PolicyError:
        return None


def _named_arms(
    policy: Policy, best: Policy, book: LoggedBook, worth: Worth
) -> dict[str, tuple[Worth, Ints]]:
    """Return worths and arms by policy; the log's arms are its own, the rules don't touch them."""
    full = np.full(len(book), FULL)
    return {
        "as logged": (logged_worth(policy, book), book.arm),
        "given policy": (worth, tier_arm(policy, book)),
        "optimised": (worth, tier_arm(best, book)),
        "restore all": (worth, full),
    }


def logged_worth(policy: Policy, book: LoggedBook) -> Worth:
    """Return the worth of every arm as the log's lender would carry it out, without our rules."""
    arm = np.where(ARM_SHARES > 0, np.arange(len(ARMS)), NOTHING)
    arms = np.broadcast_to(arm, book.outcomes.loss.shape)
    return worth_of(policy, book.freed, arms, book.outcomes.margin, book.outcomes.loss)


def tier_arm(policy: Policy, book: LoggedBook) -> Ints:
    """Return `[n]` the place in `ARMS` of each row's tier, before gates and the rest."""
    arms = [ARMS.index((tier.share, tier.delay_days)) for tier in policy.tiers]
    return np.array(arms)[tier_of(policy, book.situation.loss_ratio)]


def _given_arm(policy: Policy, book: LoggedBook) -> Ints:
    """Return `[n]` the place in `ARMS` of what the rules make of each row's tier."""
    outcome = outcome_of(policy, book.situation)
    return grid_arm(outcome.amount, book.freed, outcome.days)


def _groups(policy: Policy, book: LoggedBook, sample: Sample, found: Optimised) -> list[Group]:
    groups = []
    for place, name in enumerate(book.groups):
        rows = book.group == place
        if rows.any():
            its = figures_of(policy, sample.worth.take(rows), book.freed[rows], found.arm[rows])
            before = _mean(book.share, book.freed, rows)
            prices = found.group_prices.get(name, (float("nan"), float("nan")))
            groups.append(Group(name, int(rows.sum()), before, its.share, its.loss_rate, *prices))
    return groups
