"""From a decision log to a policy file that is worth more: tiers, waits, frontier, guardrails."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.errors import PolicyError
from relimit.data.vocabulary import ARMS
from relimit.models import RiskModel
from relimit.policy import Optimised, Policy, Worth, worth_of
from relimit.policy.gates import cap_caution
from relimit.policy.worth import COMES_TO, only, ruled_arms
from relimit.training.figure_ranges import Ranges, ranges_of
from relimit.training.figures import Figures, figures_of
from relimit.training.frontier import Point, trace_frontier
from relimit.training.gate_costs import GateCost, gate_costs
from relimit.training.ground import Ground
from relimit.training.guards import FULL, guardrails_of, loss_as_logged, mean_share
from relimit.training.lived import lived
from relimit.training.logged_book import LoggedBook, Progress, read_logged_book
from relimit.training.night_worth import tier_arm, worth_over_nights
from relimit.training.nights import Nights
from relimit.training.settle import Settled, settle
from relimit.training.untried import log_cautions
from relimit.training.waiting import Wait

Ints = NDArray[np.int64]

POINTS: Final = 16
"""Budgets of the frontier, evenly from a sixteenth of the loss of restoring everything to all."""


@dataclass(frozen=True, slots=True)
class Group:
    """One group of borrowers: share and loss rate before and after, and what guarding it costs.

    `most_loss` is its largest loss rate, `price_of_share` the net yuan that a yuan less of its
    floor would bring, `price_of_loss` that of a yuan more of its largest loss; NaN where the group
    is too small to be guarded.
    """

    name: str
    rows: int
    share_logged: float
    share: float
    loss_logged: float
    loss_rate: float
    most_loss: float
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
    arm
        `[rows]` the place in `ARMS` of each decision's tier once its gates are open.
    rows, horizon_days
        Decisions that it was found on, and over how many days their outcomes are told: those of the
        model.
    named, ranges
        Figures of what the log did, of the given policy, of the optimised one, and of restoring
        everything that the gates leave, each as if it took all decisions; and their 95% limits.
    frontier
        The best tiers for other budgets.
    groups
        Borrowers by the cause that their history shows.
    waits
        What waiting is worth in each tier.
    gates
        What each hard gate costs under the optimised tiers.
    line_effect
        By how much withholding a whole line lowers the log-odds of bad; None if not looked at.
    warnings
        What to know before trusting any of it.
    """

    policy: Policy
    found: Optimised
    arm: Ints
    rows: int
    horizon_days: int
    named: dict[str, Figures]
    ranges: dict[str, Ranges]
    frontier: tuple[Point, ...]
    groups: tuple[Group, ...]
    waits: tuple[Wait, ...]
    gates: tuple[GateCost, ...]
    line_effect: float | None
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
    ground = Ground.of(policy, book)
    cap = _required_room(policy, book, ground.nights)
    progress("choosing the tiers")
    weighed = policy.stated_value
    best = settle(policy, book, weighed.loss_budget, ground=ground)
    progress("tracing the frontier")
    arms = _named_arms(policy, best, book, ground.nights)
    named = {n: figures_of(policy, worth, book.freed, arm) for n, (worth, arm) in arms.items()}
    most = named["restore all"].loss_rate
    budgets = sorted({*np.linspace(most / POINTS, most, POINTS), weighed.loss_budget})
    return Optimum(
        policy=best.policy,
        found=best.found,
        arm=best.arm,
        rows=len(book),
        horizon_days=book.horizon_days,
        named=named,
        ranges={n: ranges_of(policy, book, worth, arm) for n, (worth, arm) in arms.items()},
        frontier=tuple(trace_frontier(policy, book, budgets, ground)),
        groups=tuple(_groups(best, book, ground)),
        waits=best.waits,
        gates=tuple(gate_costs(best.policy, best.book)),
        line_effect=None if book.lines is None else book.lines.effect,
        warnings=(
            *book.warnings,
            *cap,
            *log_cautions(book.arm, ruled_arms(best.policy, book.situation)),
        ),
    )


def _named_arms(
    policy: Policy, best: Settled, book: LoggedBook, nights: Nights
) -> dict[str, tuple[Worth, Ints]]:
    """Return worths and arms by policy, each as if it took all decisions.

    The log's arms are its own, the rules don't touch them.
    """
    given = worth_over_nights(policy, lived(policy, book, nights), nights)
    restoring = lived(only(policy, *ARMS[FULL]), book, nights)
    everything = worth_over_nights(policy, restoring, nights)
    return {
        "as logged": (logged_worth(policy, book), book.arm),
        "given policy": (given, tier_arm(policy, book, nights)),
        "optimised": (best.worth, best.arm),
        "restore all": (everything, np.full(len(book), FULL)),
    }


def logged_worth(policy: Policy, book: LoggedBook) -> Worth:
    """Return the worth of every arm as the log's lender would carry it out, without our rules."""
    arms = np.broadcast_to(COMES_TO, book.outcomes.loss.shape)
    return worth_of(policy, book.freed, arms, book.outcomes.margin, book.outcomes.loss)


def _required_room(policy: Policy, book: LoggedBook, nights: Nights) -> tuple[str, ...]:
    """Return what to say of a cap that holds back most decisions.

    Raises
    ------
    PolicyError
        Gates and cap leave nothing to restore, whatever the tiers.
    """
    capped = int((book.situation.room < book.freed).sum())
    cap = cap_caution(policy, capped, len(book))
    if not worth_over_nights(policy, book, nights).restored.any():
        raise PolicyError(
            f"gates and cap leave nothing to restore in any of {len(book):,} decisions, so there "
            "are no tiers to choose",
            where="policy",
            mend=cap or "Loosen the gates of the policy, or bring a log of other decisions",
        )
    return (cap,) if cap else ()


def _groups(best: Settled, book: LoggedBook, ground: Ground) -> list[Group]:
    """Return what each group has of the settled tiers, and had of the log's own arms."""
    guard = guardrails_of(best.policy, book, ground, best.policy.stated_value.loss_budget)
    most = dict(zip(guard.names, guard.most_loss.tolist(), strict=True))
    lost, unknown, groups = loss_as_logged(book), float("nan"), []
    for place, name in enumerate(book.groups):
        rows = book.shown[:, place]
        if rows.any():
            freed = book.freed[rows]
            its = figures_of(best.policy, best.worth.take(rows), freed, best.arm[rows])
            groups.append(
                Group(
                    name,
                    int(rows.sum()),
                    mean_share(book.share, book.freed, rows),
                    its.share,
                    float(lost[place] / freed.sum()),
                    its.loss_rate,
                    most.get(name, unknown),
                    *best.found.group_prices.get(name, (unknown, unknown)),
                )
            )
    return groups
