"""Accounts scored again as if a remedy had been done: for a decision's remedies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from relimit.data import Prepayments
from relimit.data.supposed import suppose
from relimit.data.vocabulary import (
    CURED,
    DUE,
    IDENTITY_CONFIRMED,
    INTEREST_PAYMENT,
    MICROSECONDS_PER_DAY,
    OPERATION,
    REPAYMENT,
)
from relimit.features import History
from relimit.policy import Facts, Policy, Rescored
from relimit.policy.facts import gather_standing
from relimit.policy.next_due import PAY_NEXT_DUE, days_to_due

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]

NOTHING: Final = ""
"""An action without a step."""


class Scored(NamedTuple):
    """The features `[n, F]`, risk and expected loss `[n]` at some snapshots."""

    matrix: Floats
    risk: Floats
    expected_loss: Floats


@dataclass(frozen=True, slots=True)
class Rescoring:
    """Scores accounts, and gathers their facts, as if a remedy had been done.

    An instalment that is paid on its due date is like the last one, and is looked at a day later.

    Attributes
    ----------
    score
        Scores the snapshots of a history, which freed so many fen.
    policy
        Whose facts are gathered.
    history, prepayments, facts
        What is decided: its snapshots are those of the prepayments.
    known
        What comes of some actions, one for each prepayment, if that is known already.
    """

    score: Callable[[History, Ints], Scored]
    policy: Policy
    history: History
    prepayments: Prepayments
    facts: Facts
    known: tuple[Sequence[str], Rescored] | None = None

    def __call__(self, rows: Ints, actions: Sequence[str]) -> Rescored:
        """Return risk, expected loss and facts of the rows once each is done."""
        if self.known is not None and self.known[0] == actions:
            return self.known[1]
        return self._rescored(rows, actions)[1]

    def beside(self, action: str) -> tuple[Scored, Rescored]:
        """Return the scores of a single prepayment, and what is known once an action is done."""
        scored, rescored = self._rescored(np.zeros(2, np.int64), (NOTHING, action))
        return Scored(*(part[:1] for part in scored)), rescored.take(slice(1, 2))

    def _rescored(self, rows: Ints, actions: Sequence[str]) -> tuple[Scored, Rescored]:
        asked, facts = self.prepayments.take(rows), self.facts.take(rows)
        history = self._supposed(rows, asked, facts, actions)
        scored = self.score(history, asked.freed)
        standing = gather_standing(history, self.policy, facts)
        return scored, Rescored(scored.risk, scored.expected_loss, standing)

    def _supposed(
        self, rows: Ints, asked: Prepayments, facts: Facts, actions: Sequence[str]
    ) -> History:
        """Return the history of each row once its action is done."""
        cleared, settled, confirmed, pays = (
            np.array([step in action for action in actions])
            for step in ("clear_arrears", "settle_interest", "unlock_identity", PAY_NEXT_DUE)
        )
        at, instalment = asked.as_of, np.zeros(len(rows), np.int64)
        if pays.any():
            days = days_to_due(self.policy, asked.as_of, facts.next_due)
            at = at + days * pays * MICROSECONDS_PER_DAY
            last = np.nan_to_num(self.history.last_amount(DUE)[rows]).astype(np.int64)
            instalment = np.clip(last, 0, facts.outstanding) * pays
        done = {
            DUE: instalment,
            REPAYMENT: facts.overdue * cleared + instalment,
            CURED: cleared,
            INTEREST_PAYMENT: facts.unsettled_interest * settled,
            OPERATION: confirmed,
        }
        supposed = suppose(
            self.history.block, asked.account, at, done, {OPERATION: IDENTITY_CONFIRMED},
            known_by=asked.as_of,
        )  # fmt: skip
        return History(supposed, np.arange(len(rows)), at + pays * MICROSECONDS_PER_DAY)
