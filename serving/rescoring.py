"""Accounts scored again as if a remedy had been done: for a decision's remedies."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple, Self

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
from relimit.policy import Policy, Rescored
from relimit.policy.cases import Standing
from relimit.policy.facts import gather_standing, without_evidence
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
    history, prepayments
        What is decided: its snapshots are those of the prepayments.
    standing
        What the gates and the timetable read of them.
    known
        What comes of some actions, one for each prepayment, if that is known already.
    """

    score: Callable[[History, Ints], Scored]
    policy: Policy
    history: History
    prepayments: Prepayments
    standing: Standing
    known: tuple[Sequence[str], Rescored] | None = None

    def __call__(self, rows: Ints, actions: Sequence[str]) -> Rescored:
        """Return risk, expected loss and facts of the rows once each is done."""
        if self.known is not None and self.known[0] == actions:
            return self.known[1]
        history, scored = self._scored(rows, actions)
        facts = without_evidence(gather_standing(history, self.policy))
        return Rescored(scored.risk, scored.expected_loss, facts)

    def beside(self, action: str) -> tuple[Scored, Self]:
        """Return a single prepayment's scores, and what knows what comes of an action."""
        history, scored = self._scored(np.zeros(2, np.int64), (NOTHING, action))
        facts = without_evidence(gather_standing(history, self.policy))
        both = Rescored(scored.risk, scored.expected_loss, facts)
        knowing = replace(self, known=([action], both.take(slice(1, 2))))
        return Scored(*(part[:1] for part in scored)), knowing

    def _scored(self, rows: Ints, actions: Sequence[str]) -> tuple[History, Scored]:
        """Return the history of each row once its action is done, and its scores."""
        asked = self.prepayments.take(rows)
        history = self._supposed(rows, asked, self.standing.take(rows), actions)
        return history, self.score(history, asked.freed)

    def _supposed(
        self, rows: Ints, asked: Prepayments, facts: Standing, actions: Sequence[str]
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
