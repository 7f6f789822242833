"""An earlier promise on a later night: what it still waits for, and whether it is bettered."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from relimit.policy.cases import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Promise:
    """What earlier nights gave back and promised, `[n]` each.

    Attributes
    ----------
    decided_at
        int64 microseconds UTC: when the prepayment was first decided.
    restored, amount
        int64 fen that are back, and fen promised; 0 where nothing is.
    left
        int64 days until the promised date, at least 0.
    by_tier
        Whether a tier set that date and still waits; else a fault or the payment's clearing did.
    cleared
        int64 days until a payment that bounced since the decision has cleared; 0 if none did.
    factor
        What the loss ratio is multiplied by before the tiers read it, unless a gate has opened.
    was_closed
        Whether a gate was closed when the last night ended.
    """

    decided_at: Ints
    restored: Ints
    amount: Ints
    left: Ints
    by_tier: Bools
    cleared: Ints
    factor: Floats
    was_closed: Bools

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @classmethod
    def joined(cls, parts: Sequence["Promise"]) -> "Promise":
        """Return the rows of all parts."""
        names = [f.name for f in fields(cls)]
        return cls(*(np.concatenate([getattr(part, name) for part in parts]) for name in names))

    def wait(self, clearing_days: Ints, fault_days: Ints) -> Ints:
        """Return `[n]` the days that it waits: to its date, or until nothing is left to wait for.

        Only a payment that bounced since can put it off.
        """
        rules = np.maximum(clearing_days, fault_days)
        wait = np.where(self.by_tier, self.left, np.minimum(self.left, rules))
        return np.where(clearing_days > 0, np.maximum(wait, self.cleared), wait)

    def stands(self, wait: Ints, amount: Ints, days: Ints, blocked: Bools) -> Bools:
        """Return `[n]`: tonight's rules, an amount after some days, neither end nor better it."""
        more = np.maximum(amount - self.restored, 0)
        no_worse = (more >= self.amount) & (days <= wait)
        return np.asarray((self.amount > 0) & ~blocked & ~no_worse)
