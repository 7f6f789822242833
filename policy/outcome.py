"""The heart of a decision: how much returns and after how many days, from a few numbers a row."""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from operator import attrgetter
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from relimit.policy.arms import loss_ratio, tier_amount, tier_days, tier_of
from relimit.policy.cases import Bools, Cases, Floats, Ints
from relimit.policy.config import Policy
from relimit.policy.gates import clearing_days, closed_gates, fault_days, room_under_cap
from relimit.policy.promise import Promise


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the rules look at; reasons and remedies change one part and decide again.

    Attributes
    ----------
    freed, room
        `[n]` fen freed by the prepayment, and fen left under the regulatory cap.
    loss_ratio
        `[n]` expected loss over freed limit.
    closed
        `[n, 3]` which of `GATES` are closed.
    clearing_days, fault_days
        `[n]` days until the payment has cleared, and until a system fault is mended.
    elapsed_days
        `[n]` days of the tier's wait that are over: those since the decision was first taken, all
        of them once the due date that it waited for has been met; 0 on the first night.
    promise
        What earlier nights gave back and promised; None on the first night.
    """

    freed: Ints
    room: Ints
    loss_ratio: Floats
    closed: Bools
    clearing_days: Ints
    fault_days: Ints
    elapsed_days: Ints
    promise: Promise | None = None

    def __len__(self) -> int:
        return len(self.freed)

    @property
    def tier_ratio(self) -> Floats:
        """`[n]` the loss ratio as the tiers read it: higher on a later night, but see `Promise`."""
        if self.promise is None:
            return self.loss_ratio
        opened = self.promise.was_closed & ~self.closed.any(axis=1)
        return np.where(opened, self.loss_ratio, self.loss_ratio * self.promise.factor)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask."""
        parts: list[Any] = [part[rows] for part in _columns(self)]
        parts.append(None if self.promise is None else self.promise.take(rows))
        return type(self)(*parts)

    @classmethod
    def joined(cls, parts: Sequence["Situation"]) -> "Situation":
        """Return the rows of all parts, which were made of one situation."""
        rows = zip(*map(_columns, parts), strict=True)
        columns: list[Any] = [np.concatenate(each) for each in rows]
        promises = [part.promise for part in parts if part.promise is not None]
        columns.append(Promise.joined(promises) if promises else None)
        return cls(*columns)


_columns: Final = attrgetter(*(f.name for f in fields(Situation) if f.name != "promise"))


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules give: `amount` fen after `days` days (0: now, and where nothing returns).

    On a later night `amount` has what is back already too, and the days are those of the rest.
    """

    amount: Ints
    days: Ints

    def __len__(self) -> int:
        return len(self.amount)

    def take(self, rows: NDArray[Any] | slice) -> Self:
        """Return some rows, by index or by mask."""
        return type(self)(self.amount[rows], self.days[rows])

    def better_than(self, other: "Outcome") -> Bools:
        """Return `[n]`: restores more, or not less and sooner."""
        sooner = (self.amount > 0) & (self.amount >= other.amount) & (self.days < other.days)
        return (self.amount > other.amount) | sooner


@dataclass(frozen=True, slots=True)
class Ruling:
    """Cases, what the rules look at, and what they give."""

    cases: Cases
    situation: Situation
    outcome: Outcome

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask."""
        return type(self)(self.cases.take(rows), self.situation.take(rows), self.outcome.take(rows))

    @property
    def short(self) -> Ints:
        """The rows in which not all is back now."""
        outcome = self.outcome
        return ((outcome.amount < self.situation.freed) | (outcome.days > 0)).nonzero()[0]

    def some(self, rows: Ints) -> Self:
        """Return rows that ascend: itself if they are all."""
        return self if len(rows) == len(self.cases) else self.take(rows)


def situation_of(policy: Policy, cases: Cases) -> Situation:
    """Return what the rules look at in each case."""
    return Situation(
        freed=cases.freed,
        room=room_under_cap(policy, cases.facts, cases.freed),
        loss_ratio=loss_ratio(cases.expected_loss, cases.freed),
        closed=closed_gates(policy, cases.facts),
        clearing_days=clearing_days(policy, cases.facts),
        fault_days=fault_days(policy, cases.facts),
        elapsed_days=np.zeros(len(cases), np.int64),
    )


def outcome_of(policy: Policy, situation: Situation) -> Outcome:
    """Return how much returns and when, by the rules or by an earlier promise that stands."""
    return outcome_and_promise(policy, situation)[0]


def outcome_and_promise(policy: Policy, situation: Situation) -> tuple[Outcome, Bools]:
    """Return the outcome, and `[n]` where it is an earlier promise that the rules don't better."""
    fresh, promise = by_the_rules(policy, situation), situation.promise
    if promise is None:
        return fresh, np.zeros(len(situation), bool)
    wait = promise.wait(situation.clearing_days, situation.fault_days)
    blocked = np.asarray(situation.closed.any(axis=1))
    stands = promise.stands(wait, fresh.amount, fresh.days, blocked)
    more = np.where(stands, promise.amount, np.maximum(fresh.amount - promise.restored, 0))
    days = np.where(stands, wait, fresh.days)
    return Outcome(promise.restored + more, np.where(more > 0, days, 0)), stands


def dated_by_fault(policy: Policy, situation: Situation, outcome: Outcome) -> Bools:
    """Return `[n]`: a system fault sets the date, and no tier or promise that waits as long does.

    A payment that clears as late is taken to be the fault's matter.
    """
    dated = (outcome.days > 0) & (situation.fault_days >= outcome.days)
    rows = np.flatnonzero(dated)
    if len(rows):
        nothing = np.zeros(len(rows), np.int64)
        part = replace(situation.take(rows), fault_days=nothing, clearing_days=nothing)
        dated[rows] = outcome_of(policy, part).days < outcome.days[rows]
    return dated


def by_the_rules(policy: Policy, situation: Situation) -> Outcome:
    """Return how much returns and when: gates, then the tier, the cap and the longest wait."""
    tier = tier_of(policy, situation.tier_ratio)
    amount = tier_amount(policy, tier, situation.freed)
    unit = policy.rounding.unit
    amount = np.where(amount > situation.room, situation.room // unit * unit, amount)
    amount = np.where(situation.closed.any(axis=1), 0, amount)
    waits = np.maximum(situation.clearing_days, situation.fault_days)
    days = np.maximum(tier_days(policy, tier, situation.elapsed_days), waits)
    return Outcome(amount, np.where(amount > 0, days, 0))


def bound_by_risk(policy: Policy, cases: Cases, *, again: bool = False) -> Bools:
    """Return `[n]`: the cases whose tier, not a gate, holds something back.

    Only of these anything reads the model's contributions and the evidence of causes, which are
    costly. On a later night (`again`) the tier is that of a higher loss.
    """
    factor = 1.0 + policy.service.better_by if again else 1.0
    tier = tier_of(policy, loss_ratio(cases.expected_loss, cases.freed) * factor)
    if not np.count_nonzero(policy.tier_columns.holds_back[tier]):
        return np.zeros(len(cases), np.bool_)
    late = tier_days(policy, tier, np.zeros(len(cases), np.int64)) > 0
    short = late | (tier_amount(policy, tier, cases.freed) < cases.freed)
    return short & ~closed_gates(policy, cases.facts).any(axis=1) & (cases.freed > 0)
