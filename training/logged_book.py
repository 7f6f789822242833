"""A decision log as the policy sees it: what each arm would bring, and what the rules look at."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import realised
from relimit.data.schema import TIME
from relimit.data.vocabulary import DELAYS_DAYS, MICROSECONDS_PER_DAY
from relimit.features import compute_features, model_feature_names
from relimit.models import RiskModel
from relimit.policy import Cases, Facts, Policy
from relimit.policy.arms import grid_arm, loss_ratio
from relimit.policy.causes import CAUSES, evidence
from relimit.policy.gates import closed_gates
from relimit.policy.outcome import Situation, situation_of
from relimit.training.arm_outcomes import (
    ArmOutcomes,
    LoggedOutcomes,
    fit_arm_outcomes,
    risk_directions,
)
from relimit.training.labelled import Labelled
from relimit.training.line_fit import (
    CONTRADICTED,
    UNKNOWN_EFFECT,
    estimate_line_effect,
    fit_line_outcomes,
    lines_of,
)
from relimit.training.line_outcomes import LineOutcomes
from relimit.training.matured import decided_at, margin_caution, matured_decisions, numbers
from relimit.training.replay import facts_at
from relimit.training.splits import unseen_rows

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Progress = Callable[[str], None]

WAITS = DELAYS_DAYS[1:]
UNTROUBLED = "none of these"
REDRAWN: Final = "redrawn_to_prepaid_365d"
ENOUGH_BADS: Final = 25
"""Accounts that went bad without the model having learnt from it; with fewer, tiers are found on
all decisions: too few rows would say how risks are spread."""


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

    closed: Bools
    expected_loss: Floats


@dataclass(frozen=True, slots=True)
class Came:
    """What came of every matured decision of a log, `[m]`, beside what its arm let expect; fen.

    `account` is the place of its account, the same number as in the rows of `LoggedBook`.
    """

    account: Ints
    freed: Ints
    loss: Floats
    loss_expected: Floats
    margin: Floats
    margin_expected: Floats


@dataclass(frozen=True, slots=True)
class LoggedBook:
    """Matured decisions that freed something and that the model has not learnt from, `[n]` each.

    Attributes
    ----------
    decision_id
        Ids.
    account
        Places of the accounts, as in `came`.
    freed
        Fen.
    share
        The share that the log says was decided.
    arm
        The place in `ARMS` of the logged arm.
    outcomes
        `[n, 25]` what is expected of every arm, from folds without the row's account, the account's
        other decisions as they were logged.
    situation
        What the rules look at, under the model.
    shown
        `[n, G]` which of `groups` each row is in: the first cause that the account's history shows,
        and cycling wherever it shows that at all.
    groups
        The causes, and last the name of those who show none.
    signals
        What waiting would have shown.
    came
        The whole log's outcomes: how well the level of `outcomes` is known.
    warnings
        What to know before trusting any of it.
    place
        Places of the rows in the whole log.
    lines
        What other arms of an account's other decisions change of `outcomes`; None if nothing.
    horizon_days
        Over how many days outcomes are told: those of the model.
    """

    decision_id: NDArray[Any]
    account: Ints
    freed: Ints
    share: Floats
    arm: Ints
    outcomes: ArmOutcomes
    situation: Situation
    shown: Bools
    groups: tuple[str, ...]
    signals: Signals
    came: Came
    warnings: tuple[str, ...]
    place: Ints
    lines: LineOutcomes | None
    horizon_days: int

    def __len__(self) -> int:
        return len(self.freed)


def read_logged_book(
    events: Path,
    decisions: pa.Table,
    model: RiskModel,
    policy: Policy,
    *,
    all_rows: bool = False,
    workers: int = 2,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> LoggedBook:
    """Read a log with what came of it, and fill in what would have come of the other arms.

    What came is told over the days in which the model's risk says that an account goes bad, and by
    the days past due at which it does. The whole log teaches what arms bring, accounts apart. The
    book's rows are those that the model has not learnt from: elsewhere its scores are spread more
    than they will be on a new day.

    Parameters
    ----------
    all_rows
        Take all rows: right if the model comes from another book.

    Raises
    ------
    DataError
        A table breaks the contract, no decision that freed something has matured, or too few
        accounts went bad to learn from.
    """
    progress("reading what came of the decisions")
    horizon = model.horizon_days
    came_of = realised(events, decisions, horizon_days=horizon, days_past_due=model.days_past_due)
    log, _ = matured_decisions(came_of, horizon)
    points = _Points(events, model, policy, log, workers)
    progress(f"computing features of {log.num_rows:,} decisions")
    names = tuple(dict.fromkeys([*model_feature_names(), *model.feature_names]))
    X = points.features(0, names)
    progress("estimating what every arm would bring")
    frame = pd.DataFrame(X, columns=list(names))
    outcomes, arm = _outcomes_of(log, frame, horizon, seed)
    kept, warnings = _judged(model, log, all_rows)
    if caution := margin_caution(numbers(log, "margin")):
        warnings = (caution, *warnings)
    rows, columns = np.flatnonzero(kept), [names.index(name) for name in model.feature_names]
    by_line, unknown = _line_outcomes(points, frame, arm, outcomes.bad, known=kept, seed=seed)
    outcomes, warnings = _as_logged(outcomes, by_line), warnings + unknown
    progress("looking at what waiting would show")
    part = replace(points, log=log.take(rows))
    cases = part.cases(np.ascontiguousarray(X[rows][:, columns]))
    came = _came(log, outcomes, arm)
    return LoggedBook(
        decision_id=part.log["decision_id"].to_numpy(),
        account=came.account[rows],
        freed=cases.freed,
        share=numbers(part.log, "share"),
        arm=arm[rows],
        outcomes=outcomes.take(rows),
        situation=situation_of(policy, cases),
        shown=_shown(policy, cases, X[rows, names.index(REDRAWN)]),
        groups=(*CAUSES, UNTROUBLED),
        signals=part.signals(),
        came=came,
        warnings=warnings,
        place=rows,
        lines=by_line,
        horizon_days=horizon,
    )


def _shown(policy: Policy, cases: Cases, redrawn: Floats) -> Bools:
    """Return `[n, G]` the first cause that a history shows, or last that it shows none.

    Whoever borrowed again soon after prepaying even once is guarded, too, as one who cycles: hardly
    anybody does so as often as it takes to be given it as a reason.
    """
    every = np.ones(len(cases.freed), bool)
    first = np.column_stack([evidence(policy, cases), every]).argmax(axis=1)
    shown: Bools = np.eye(len(CAUSES) + 1, dtype=bool)[first]
    shown[:, CAUSES.index("cycling")] |= redrawn > 0.0
    return shown


def _line_outcomes(
    points: "_Points", X: pd.DataFrame, arm: Ints, bad: Floats, *, known: Bools, seed: int
) -> tuple[LineOutcomes, tuple[str, ...]]:
    """Return what withheld lines do to the outcomes of a log, and what to say of it."""
    events, log, model = points.events, points.log, points.model
    horizon = model.horizon_days
    seen, freed = X[list(model.feature_names)].to_numpy(), log["freed"].to_numpy()
    ratio = loss_ratio(model.expected_loss(seen, freed), freed)
    judged = {"horizon_days": horizon, "days_past_due": model.days_past_due}
    lines = lines_of(log, arm, ratio, **judged)
    effect = estimate_line_effect(X.to_numpy(), list(X.columns), log, lines, seed=seed)
    own = bad[np.arange(len(arm)), arm]
    found = fit_line_outcomes(events, log, lines, effect or 0.0, **judged, bad=own, known=known)
    warnings = [CONTRADICTED] if found.contradicted else []
    return found, (*warnings, UNKNOWN_EFFECT) if effect is None else tuple(warnings)


def _as_logged(outcomes: ArmOutcomes, lines: LineOutcomes) -> ArmOutcomes:
    """Return `[m, 25]` outcomes by arm where all other decisions are as logged."""
    others = lines.lines.others(lines.lines.log.withheld)
    bad, loss = lines.by_arm(others, np.arange(len(others)))
    return replace(outcomes, bad=bad, loss=loss)


def _outcomes_of(
    log: pa.Table, X: pd.DataFrame, horizon_days: int, seed: int
) -> tuple[ArmOutcomes, Ints]:
    """Return `[m, 25]` expected outcomes and `[m]` the places in `ARMS` of what was taken."""
    share, days = (numbers(log, name) for name in ("share", "delay_days"))
    outcomes = fit_arm_outcomes(
        X,
        share,
        days,
        LoggedOutcomes.of(log),
        log["account_id"].to_numpy(),
        horizon_days=horizon_days,
        seed=seed,
        monotone=risk_directions(list(X.columns)),
    )
    freed = log["freed"].to_numpy()
    arm = grid_arm(np.rint(freed * share).astype(np.int64), freed, days)
    return outcomes, arm


def _came(log: pa.Table, outcomes: ArmOutcomes, arm: Ints) -> Came:
    rows = np.arange(len(arm))
    return Came(
        account=np.unique(log["account_id"].to_numpy(), return_inverse=True)[1],
        freed=log["freed"].to_numpy(),
        loss=numbers(log, "loss"),
        loss_expected=outcomes.loss[rows, arm],
        margin=numbers(log, "margin"),
        margin_expected=outcomes.margin[rows, arm],
    )


def _judged(model: RiskModel, log: pa.Table, all_rows: bool) -> tuple[Bools, tuple[str, ...]]:
    """Return a mask of the rows that tiers are found on, and what to say of it."""
    every = np.ones(log.num_rows, bool)
    if all_rows:
        return every, ()
    if "split" not in model.manifest:
        return every, ("The model doesn't say what it has learnt from: all decisions are used.",)
    account = log["account_id"].to_numpy()
    as_of = decided_at(log)
    unseen = unseen_rows(model.manifest["split"], account, as_of)
    bads = len(np.unique(account[unseen & log["bad"].to_numpy()]))
    if bads >= ENOUGH_BADS:
        return unseen, ()
    warning = (
        f"Only {bads} accounts went bad of which the model has not learnt: all decisions are used. "
        "Its scores of those that it has learnt from tell more than they will of new ones."
    )
    return every, (warning,)


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
        return Labelled(
            account_id=self.log["account_id"].to_numpy(),
            as_of=decided_at(self.log) + days * MICROSECONDS_PER_DAY,
            bad=np.zeros(rows, bool),
            share=unknown,
            delay_days=unknown,
            propensity=unknown,
            freed=numbers(self.log, "freed"),
            loss=unknown,
        )

    def features(self, days: int, names: tuple[str, ...]) -> Floats:
        as_of = pa.array(self.labelled(days).as_of, TIME)
        snapshots = pa.table({"account_id": self.log["account_id"], "as_of": as_of})
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
        names = tuple(self.model.feature_names)
        losses = [self.model.expected_loss(self.features(days, names), freed) for days in WAITS]
        return Signals(np.stack(closed, axis=1), np.column_stack(losses))
