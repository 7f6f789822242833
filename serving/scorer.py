"""One model and one policy, applied the same to a whole night and to a single account."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import Prepayments
from relimit.data.events import EventBlock
from relimit.features import History, feature_matrix
from relimit.models import RiskModel, expected_loss
from relimit.policy import (
    Cases,
    Decisions,
    Earlier,
    Policy,
    analyst_texts,
    bound_by_risk,
    decide,
    decide_again,
    reads_contributions,
)
from relimit.policy.cases import Standing
from relimit.policy.facts import add_evidence, gather_standing, without_evidence
from relimit.policy.remedies import gate_actions
from relimit.policy.rescore import Rescore
from relimit.serving.due import Due
from relimit.serving.history import Asked, block_of
from relimit.serving.rescoring import Rescoring, Scored

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
        decisions = self.decide_block(*Due.of(asked))
        row = decisions.row(0)
        if analyst:
            texts = analyst_texts(self.policy, decisions)
            row |= {f"text_analyst_{name}": told[0] for name, told in texts.items()}
        return row

    def decide_block(self, block: EventBlock, prepayments: Prepayments) -> Decisions:
        """Return the decision about each prepayment, in their order.

        A row depends on its own account's visible events alone, so that a night and a live call
        agree to the last bit.
        """
        cases, rescore = self._with_rescore(block, prepayments)
        return decide(self.policy, cases, rescore)

    def decide_again(
        self, block: EventBlock, prepayments: Prepayments, earlier: Earlier
    ) -> Decisions:
        """Return tonight's decisions on prepayments that earlier nights left open.

        The prepayments are those of the earlier decisions, in their order, with what they freed at
        first and tonight as their `as_of`; see `relimit.policy.decide_again`.
        """
        cases, rescore = self._with_rescore(block, prepayments, again=True)
        return decide_again(self.policy, cases, earlier, rescore)

    def cases_of(
        self, block: EventBlock, prepayments: Prepayments, *, again: bool = False
    ) -> Cases:
        """Return the prepayments with their scores, facts and, where they are read, reasons.

        `again` if they were decided on an earlier night.
        """
        history = History(block, prepayments.account, prepayments.as_of)
        standing = gather_standing(history, self.policy)
        scored = self.scored(history, prepayments.freed)
        return self._cases(history, prepayments, standing, scored, again=again)

    def _with_rescore(
        self, block: EventBlock, prepayments: Prepayments, *, again: bool = False
    ) -> tuple[Cases, Rescore]:
        """Return the cases, and what scores them again.

        A single case whose gates are closed will be scored again for certain. Both its histories
        are then scored at once: for so few, calls cost more than their work.
        """
        history = History(block, prepayments.account, prepayments.as_of)
        standing = gather_standing(history, self.policy)
        rescore = Rescoring(self.scored, self.policy, history, prepayments, standing)
        blocked, actions = gate_actions(self.policy, standing)
        if len(prepayments) == len(blocked) == 1:
            scored, rescore = rescore.beside(*actions)
        else:
            scored = self.scored(history, prepayments.freed)
        return self._cases(history, prepayments, standing, scored, again=again), rescore

    def _cases(
        self,
        history: History,
        prepayments: Prepayments,
        standing: Standing,
        scored: Scored,
        *,
        again: bool,
    ) -> Cases:
        """Return the cases, with what reasons hang on where they are read."""
        cases = Cases(
            decision_id=prepayments.decision_id,
            account_id=history.block.account_ids[prepayments.account],
            as_of=prepayments.as_of,
            prepaid=prepayments.prepaid,
            freed=prepayments.freed,
            risk=scored.risk,
            expected_loss=scored.expected_loss,
            facts=without_evidence(standing),
            contributions=np.zeros(scored.matrix.shape),
            feature_names=self.model.feature_names,
            model_version=self.model.version,
        )
        if not np.count_nonzero(bound_by_risk(self.policy, cases, again=again)):
            return cases
        shown = replace(cases, facts=add_evidence(history, self.policy, standing))
        self._explain(shown, scored.matrix, again=again)
        return shown

    def scored(self, history: History, freed: Ints) -> Scored:
        """Return the scores at a history's snapshots, with one prediction for both."""
        matrix = self.matrix_of(history)
        risk = self.model.restoration_risk(matrix)
        severity = self.model.loss.severity(matrix, freed.astype(np.float64))
        return Scored(matrix, risk, expected_loss(risk, severity, freed))

    def matrix_of(self, history: History) -> Floats:
        """Return the model's features, `[snapshots, features]`; null where it reads none."""
        return feature_matrix(history, self.model.feature_names, self.model.reads)

    def _explain(self, cases: Cases, matrix: Floats, *, again: bool) -> None:
        """Write the model's contributions where a reason may hang on them; others stay 0."""
        rows = reads_contributions(self.policy, cases, again=again).nonzero()[0]
        if len(rows) and cases.contributions is not None:
            cases.contributions[rows] = self.model.contributions(matrix[rows])
