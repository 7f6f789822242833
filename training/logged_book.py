"""A decision log as the policy sees it: what each arm would bring, and what the rules look at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data import realised
from relimit.data.errors import DataError
from relimit.data.schema import TIME
from relimit.data.vocabulary import DELAYS_DAYS, MICROSECONDS_PER_DAY
from relimit.features import compute_features
from relimit.models import RiskModel
from relimit.policy import Cases, Facts, Policy
from relimit.policy.arms import grid_arm
from relimit.policy.causes import CAUSES, evidence
from relimit.policy.gates import closed_gates
from relimit.policy.outcome import Situation, situation_of
from relimit.training.arm_outcomes import ArmOutcomes, LoggedOutcomes, fit_arm_outcomes
from relimit.training.labelled import Labelled
from relimit.training.loss_scale import scale_losses
from relimit.training.replay import facts_at

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[str], None]

WAITS = DELAYS_DAYS[1:]
UNTROUBLED = "none of these"


@dataclass(frozen=True, slots=True)
class Signals:
    """What is known at the end of each of `WAITS`.

    Attributes
    ----------
    closed
        `[n, 4, 3]` which of `GATES` are closed then.
    expected_loss
        `[n, 4]` fen, of restoring everything then.
    """

    closed: NDArray[np.bool_]
    expected_loss: Floats


@dataclass(frozen=True, slots=True)
class LoggedBook:
    """Matured decisions that freed something, `[n]` each.

    Attributes
    ----------
    decision_id, account_id
        Ids.
    freed
        Fen.
    share
        The share that the log says was decided.
    arm
        The place in `ARMS` of the logged arm.
    loss, margin
        Fen that came of it.
    outcomes
        `[n, 25]` what is expected of every arm, from folds without the row's account; losses on
        the scale of the log, see `scale_losses`.
    situation
        What the rules look at, under the model.
    group
        `[n]` place in `groups`: the first cause that the account's history shows.
    groups
        The causes, and last the name of those who show none.
    signals
        What waiting would have shown.
    """

    decision_id: NDArray[Any]
    account_id: NDArray[Any]
    freed: Ints
    share: Floats
    arm: Ints
    loss: Floats
    margin: Floats
    outcomes: ArmOutcomes
    situation: Situation
    group: Ints
    groups: tuple[str, ...]
    signals: Signals

    def __len__(self) -> int:
        return len(self.freed)


def read_logged_book(
    events: Path,
    decisions: pa.Table,
    model: RiskModel,
    policy: Policy,
    *,
    workers: int = 2,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> LoggedBook:
    """Read a log with what came of it, and fill in what would have come of the other arms.

    Raises
    ------
    DataError
        A table breaks the contract, no decision that freed something has matured, or too few
        accounts went bad to learn from.
    """
    progress("reading what came of the decisions")
    log = _matured(realised(events, decisions))
    freed = log["freed"].to_numpy()
    points = _Points(events, model, policy, log, workers)
    progress(f"computing features of {len(freed):,} decisions")
    X = points.features(0)
    cases = points.cases(X)
    progress("estimating what every arm would bring")
    share, days = (_numbers(log[name]) for name in ("share", "delay_days"))
    outcomes = fit_arm_outcomes(
        X, share, days, LoggedOutcomes.of(log), log["account_id"].to_numpy(), seed=seed
    )
    arm = grid_arm(np.rint(freed * share).astype(np.int64), freed, days)
    loss = _numbers(log["loss"])
    progress("looking at what waiting would show")
    names = (*CAUSES, UNTROUBLED)
    shown = np.column_stack([evidence(policy, cases), np.ones(len(freed), bool)])
    return LoggedBook(
        decision_id=log["decision_id"].to_numpy(),
        account_id=log["account_id"].to_numpy(),
        freed=freed,
        share=share,
        arm=arm,
        loss=loss,
        margin=_numbers(log["margin"]),
        outcomes=replace(outcomes, loss=scale_losses(outcomes.loss, loss, freed, arm)),
        situation=situation_of(policy, cases),
        group=shown.argmax(axis=1),
        groups=names,
        signals=points.signals(),
    )


def _matured(log: pa.Table) -> pa.Table:
    known = pc.and_(log["bad"].is_valid(), log["loss"].is_valid())
    kept = log.filter(pc.and_(known, pc.greater(log["freed"], 0)))
    if not kept.num_rows:
        raise DataError(
            f"none of {log.num_rows} decisions freed something and has matured",
            where="decisions",
            mend="Bring a history that goes on for the outcome horizon after the decisions",
        )
    return kept


def _numbers(column: pa.ChunkedArray) -> Floats:
    return np.asarray(column.cast(pa.float64()).to_numpy(zero_copy_only=False))


@dataclass(frozen=True, slots=True)
class _Points:
    """The log's accounts at their decisions and some days later, as they were known then."""

    events: Path
    model: RiskModel
    policy: Policy
    log: pa.Table
    workers: int

    def labelled(self, days: int) -> Labelled:
        rows = self.log.num_rows
        unknown = np.full(rows, np.nan)
        decided_at = self.log["decided_at"].cast(TIME).cast(pa.int64()).to_numpy()
        return Labelled(
            account_id=self.log["account_id"].to_numpy(),
            as_of=decided_at + days * MICROSECONDS_PER_DAY,
            bad=np.zeros(rows, bool),
            share=unknown,
            delay_days=unknown,
            propensity=unknown,
            freed=_numbers(self.log["freed"]),
            loss=unknown,
        )

    def features(self, days: int) -> Floats:
        as_of = pa.array(self.labelled(days).as_of, TIME)
        snapshots = pa.table({"account_id": self.log["account_id"], "as_of": as_of})
        names = self.model.feature_names
        return compute_features(self.events, snapshots, names=names, workers=self.workers)

    def facts(self, days: int) -> Facts:
        return facts_at(self.events, self.labelled(days), self.policy)

    def cases(self, X: Floats) -> Cases:
        rows, freed = self.labelled(0), self.log["freed"].to_numpy()
        return Cases(
            decision_id=self.log["decision_id"].to_pylist(),
            account_id=rows.account_id,
            as_of=rows.as_of,
            prepaid=np.maximum(self.log["prepaid"].to_numpy(), freed),
            freed=freed,
            risk=self.model.restoration_risk(X),
            expected_loss=self.model.expected_loss(X, freed),
            facts=self.facts(0),
        )

    def signals(self) -> Signals:
        freed = self.log["freed"].to_numpy()
        closed = [closed_gates(self.policy, self.facts(days)) for days in WAITS]
        losses = [self.model.expected_loss(self.features(days), freed) for days in WAITS]
        return Signals(np.stack(closed, axis=1), np.column_stack(losses))
