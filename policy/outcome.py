"""The heart of a decision: how much returns and after how many days, from a few numbers a row."""

from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from relimit.policy.arms import loss_ratio, tier_amount, tier_days, tier_of
from relimit.policy.cases import Bools, Cases, Floats, Ints
from relimit.policy.config import Policy
from relimit.policy.gates import clearing_days, closed_gates, fault_days, room_under_cap


@dataclass(frozen=True, slots=True)
class Situation:
    """All that the rules look at; reasons and remedies change one part and decide again.

    Attributes
    ----------
    freed, room
        `[n]` fen freed by the prepayment, and fen left under the regulatory cap.
    loss_ratio
        `[n]` expected loss over freed limit, as the tiers read it.
    closed
        `[n, 3]` which of `GATES` are closed.
    clearing_days, fault_days
        `[n]` days until the payment has cleared, and until a system fault is mended.
    elapsed_days
        `[n]` days of the tier's wait that are over: those since the decision was first taken, all
        of them once the due date that it waited for has been met; 0 on the first night.
    """

    freed: Ints
    room: Ints
    loss_ratio: Floats
    closed: Bools
    clearing_days: Ints
    fault_days: Ints
    elapsed_days: Ints

    def __len__(self) -> int:
        return len(self.freed)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the rules give: `amount` fen after `days` days (0: now, and where nothing returns)."""

    amount: Ints
    days: Ints

    def take(self, rows: NDArray[Any]) -> Self:
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
    """Return how much returns and when: gates, then the tier, the cap and the longest wait."""
    tier = tier_of(policy, situation.loss_ratio)
    amount = tier_amount(policy, tier, situation.freed)
    unit = policy.rounding.unit
    amount = np.where(amount > situation.room, situation.room // unit * unit, amount)
    amount = np.where(situation.closed.any(axis=1), 0, amount)
    waits = np.maximum(situation.clearing_days, situation.fault_days)
    days = np.maximum(tier_days(policy, tier, situation.elapsed_days), waits)
    return Outcome(amount, np.where(amount > 0, days, 0))


def bound_by_risk(policy: Policy, cases: Cases) -> Bools:
    """Return `[n]`: the cases whose tier, not a gate, holds something back.

    Only these need the model's contributions, which are dear.
    """
    situation = situation_of(policy, cases)
    tier = tier_of(policy, situation.loss_ratio)
    late = tier_days(policy, tier, situation.elapsed_days) > 0
    short = late | (tier_amount(policy, tier, cases.freed) < cases.freed)
    return short & ~situation.closed.any(axis=1) & (cases.freed > 0)
