"""One model and one policy, applied the same to a whole night and to a single account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import DataError, Prepayments, find_prepayments
from relimit.data.events import EventBlock
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
from relimit.features import History, feature_matrix
from relimit.models import RiskModel, expected_loss
from relimit.policy import (
    Cases,
    Decisions,
    Earlier,
    Facts,
    Policy,
    Rescored,
    analyst_texts,
    decide,
    decide_again,
    gather_facts,
    reads_contributions,
)
from relimit.policy.facts import gather_standing
from relimit.policy.next_due import PAY_NEXT_DUE, days_to_due
from relimit.serving.history import WHERE, Asked, block_of
from relimit.serving.quarantine import undecidable

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scorer:
    """A model and a policy; the only way from events to decisions.

    Attributes
    ----------
    model
        The checked risk model.
    policy
        The validated policy.
    """

    model: RiskModel
    policy: Policy

    def decide(
        self,
        events: pa.Table | Sequence[Mapping[str, Any]],
        as_of: datetime | None = None,
        *,
        since: datetime | None = None,
    ) -> dict[str, Any]:
        """Return the decision about one account's last prepayment: a row as a night has it.

        Threads may share a scorer.

        Parameters
        ----------
        events
            The account's history: a table with the columns of `events`, or its rows as records.
        as_of
            When the decision is taken, with its zone; the last prepayment's time if absent.
        since
            Prepayments known in `(since, as_of]` are grouped into decisions; all if absent.

        Returns
        -------
        dict
            The columns of a decision; times are `datetime`, dates `date`, money fen.

        Raises
        ------
        DataError
            If the events break the contract, or no prepayment is due for a decision.
        """
        return self.decide_asked(Asked.of(block_of(events), since, as_of))

    def decide_asked(self, asked: Asked, *, analyst: bool = False) -> dict[str, Any]:
        """Return the decision about the last prepayment of a history that has been read.

        With `analyst` there are also `text_analyst_zh` and `text_analyst_en`: the same with its
        figures and bounds.

        Raises
        ------
        DataError
            If no prepayment is due for a decision, or it can't be decided.
        """
        found = find_prepayments(asked.block, asked.since, asked.as_of)
        if not len(found):
            raise DataError(
                "no prepayment is known in the window",
                where=WHERE,
                mend="Give an as_of after the prepayment became known, and a since before it",
            )
        last = found.take(np.array([len(found) - 1]))
        (reason,) = undecidable(asked.block, last)
        if reason is not None:
            raise DataError(reason, where=WHERE, mend="Mend the account's events")
        decisions = self.decide_block(asked.block, last)
        row = decisions.row(0)
        if analyst:
            texts = analyst_texts(self.policy, decisions)
            row |= {f"text_analyst_{name}": told[0].as_py() for name, told in texts.items()}
        return row

    def decide_block(self, block: EventBlock, prepayments: Prepayments) -> Decisions:
        """Return the decision about each prepayment, in their order.

        A row depends on its own account's visible events alone, so that a night and a live call
        agree to the last bit.
        """
        history = History(block, prepayments.account, prepayments.as_of)
        cases = self._cases(history, prepayments)
        return decide(self.policy, cases, _Rescore(self, history, prepayments, cases.facts))

    def decide_again(
        self, block: EventBlock, prepayments: Prepayments, earlier: Earlier
    ) -> Decisions:
        """Return tonight's decisions on prepayments that earlier nights left open.

        The prepayments are those of the earlier decisions, in their order, with what they freed at
        first and tonight as their `as_of`; see `relimit.policy.decide_again`.
        """
        history = History(block, prepayments.account, prepayments.as_of)
        cases = self._cases(history, prepayments, again=True)
        rescore = _Rescore(self, history, prepayments, cases.facts)
        return decide_again(self.policy, cases, earlier, rescore)

    def cases_of(
        self, block: EventBlock, prepayments: Prepayments, *, again: bool = False
    ) -> Cases:
        """Return the prepayments with their scores, facts and, where they are read, reasons.

        `again` if they were decided on an earlier night.
        """
        history = History(block, prepayments.account, prepayments.as_of)
        return self._cases(history, prepayments, again=again)

    def _cases(self, history: History, prepayments: Prepayments, *, again: bool = False) -> Cases:
        """Return the cases at the snapshots of a history, which are those of the prepayments."""
        matrix = self.matrix_of(history)
        risk, loss = _scores(self.model, matrix, prepayments.freed)
        cases = Cases(
            decision_id=prepayments.decision_id,
            account_id=history.block.account_ids[prepayments.account],
            as_of=prepayments.as_of,
            prepaid=prepayments.prepaid,
            freed=prepayments.freed,
            risk=risk,
            expected_loss=loss,
            facts=gather_facts(history, self.policy),
            model_version=self.model.version,
        )
        return self._explained(cases, matrix, again=again)

    def matrix_of(self, history: History) -> Floats:
        """Return the model's features, `[snapshots, features]`; null where it reads none."""
        return feature_matrix(history, self.model.feature_names, self.model.reads)

    def _explained(self, cases: Cases, matrix: Floats, *, again: bool) -> Cases:
        """Add the model's contributions where a reason may hang on them."""
        contributions = np.zeros(matrix.shape)
        rows = np.flatnonzero(reads_contributions(self.policy, cases, again=again))
        contributions[rows] = self.model.contributions(matrix[rows])
        return replace(
            cases, contributions=contributions, feature_names=tuple(self.model.feature_names)
        )


@dataclass(frozen=True, slots=True)
class _Rescore:
    """Scores accounts, and gathers their facts, as if a remedy had been done.

    An instalment that is paid on its due date is like the last one, and is looked at a day later.
    """

    scorer: Scorer
    history: History
    prepayments: Prepayments
    facts: Facts

    def __call__(self, rows: Ints, actions: Sequence[str]) -> Rescored:
        """Return risk, expected loss and facts of the rows once each is done."""
        asked = self.prepayments.take(rows)
        cleared, settled, confirmed, pays = (
            np.array([step in action for action in actions])
            for step in ("clear_arrears", "settle_interest", "unlock_identity", PAY_NEXT_DUE)
        )
        facts = self.facts.take(rows)
        days = np.where(pays, days_to_due(self.scorer.policy, asked.as_of, facts.next_due), 0)
        last = np.nan_to_num(self.history.last_amount(DUE)[rows]).astype(np.int64)
        instalment = np.where(pays, np.clip(last, 0, facts.outstanding), 0)
        at = asked.as_of + days * MICROSECONDS_PER_DAY
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
        history = History(supposed, np.arange(len(rows)), at + pays * MICROSECONDS_PER_DAY)
        matrix = self.scorer.matrix_of(history)
        risk, loss = _scores(self.scorer.model, matrix, asked.freed)
        return Rescored(risk, loss, gather_standing(history, self.scorer.policy, facts))


def _scores(model: RiskModel, matrix: Floats, freed: Ints) -> tuple[Floats, Floats]:
    """Return risk and expected loss, with one prediction for both."""
    risk = model.restoration_risk(matrix)
    return risk, expected_loss(risk, model.loss.severity(matrix), freed)
