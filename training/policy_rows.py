"""A decision log made ready for off-policy estimates: arms, propensities, outcomes by arm."""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, fields, replace
from datetime import datetime
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import realised
from relimit.data.errors import DataError
from relimit.data.vocabulary import (
    BAD_DAYS_PAST_DUE,
    BAD_HORIZON_DAYS,
    FUNDING_COST_YEARLY,
    LOSS_GIVEN_DEFAULT,
)
from relimit.features import compute_features, model_feature_names
from relimit.models.arms import arm_grid
from relimit.policy.value import Logged
from relimit.training.arm_chances import fit_arm_chances
from relimit.training.arm_outcomes import (
    ArmOutcomes,
    LoggedOutcomes,
    deal_accounts,
    fit_arm_outcomes,
    risk_directions,
)
from relimit.training.labelled import Labelled
from relimit.training.matured import decided_at, matured_decisions, numbers
from relimit.training.propensity import weigh_decisions

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Progress = Callable[[str], None]

FOLDS_OF_CHANCES = 3


@dataclass(frozen=True, slots=True)
class Assumptions:
    """What money outcomes rest on that no event says; see `realised`."""

    loss_given_default: float = LOSS_GIVEN_DEFAULT
    funding_cost_yearly: float = FUNDING_COST_YEARLY
    horizon_days: int = BAD_HORIZON_DAYS
    days_past_due: int = BAD_DAYS_PAST_DUE


@dataclass(frozen=True, slots=True)
class LogRows:
    """Matured decisions that freed something, `[n]`.

    Attributes
    ----------
    events
        Where their accounts' histories are.
    labelled
        What a policy's replay reads; share and delay as logged.
    logged
        The arm of the grid nearest to what was taken, with its propensity.
    outcomes, predicted
        What came, and `[n, 25]` what is expected of every arm by models that have not seen the
        account.
    chances
        `[n, 25]` how likely the log was to take each arm, by models of the same kind.
    restored_days
        Days until the decided share was back; NaN if it never was.
    assumptions
        Behind the money.
    names, X
        Features at the decision.
    counts
        Decisions in the log, those left out and why, and what was filled in.
    """

    events: Path
    labelled: Labelled
    logged: Logged
    outcomes: LoggedOutcomes
    predicted: ArmOutcomes
    chances: Floats
    restored_days: Floats
    assumptions: Assumptions
    names: tuple[str, ...]
    X: Floats
    counts: dict[str, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.logged)

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Return the rows of a mask; the counts stay those of the whole log."""
        return replace(
            self,
            labelled=self.labelled.take(rows),
            logged=self.logged.take(rows),
            outcomes=_part(self.outcomes, rows),
            predicted=_part(self.predicted, rows),
            chances=self.chances[rows],
            restored_days=self.restored_days[rows],
            X=self.X[rows],
        )

    def require_some(self, rows: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Return a mask of the decisions that a model has not learnt from.

        Raises
        ------
        DataError
            There are none.
        """
        if not rows.any():
            raise DataError(
                f"the model has learnt from all {len(self)} decisions",
                where="decisions",
                mend="Bring later decisions, or say --all-rows if it was trained on another book",
            )
        return rows


def read_log_rows(
    events: Path,
    decisions: pa.Table,
    *,
    as_of: datetime | None = None,
    assumptions: Assumptions | None = None,
    features: tuple[str, ...] = (),
    workers: int = 2,
    seed: int = 0,
    progress: Progress = lambda _: None,
) -> LogRows:
    """Read a log with what came of it, and fill in propensities and the other arms' outcomes.

    Decisions that have not matured, freed nothing or have no known limit are left out and counted.
    Where no propensity was logged, a fitted one stands in (`weigh_decisions`): it knows nothing of
    what the log's policy saw and did not write down.

    Parameters
    ----------
    events, decisions
        The history and the log, `decisions_log_schema`.
    as_of, assumptions
        See `realised`.
    features
        Features to compute besides those that every model may use.
    workers, seed
        Threads, which change nothing, and what draws folds.

    Raises
    ------
    DataError
        A table breaks the contract, no decision is left, or too few accounts went bad.
    """
    assumed = assumptions or Assumptions()
    progress("reading what came of the decisions")
    came = realised(events, decisions, as_of=as_of, **asdict(assumed))
    kept, counts = matured_decisions(came, assumed.horizon_days)
    progress(f"computing features of {kept.num_rows:,} decisions")
    names = tuple(dict.fromkeys([*model_feature_names(), *features]))
    snapshots = pa.table({"account_id": kept["account_id"], "as_of": kept["decided_at"]})
    X = compute_features(events, snapshots, names=names, workers=workers)
    known, outcomes = _labelled(kept), LoggedOutcomes.of(kept)
    arm, off_grid = nearest_arm(known.share, known.delay_days)
    logged, chances, fitted = _how_the_log_chose(X, known, arm, seed, progress)
    progress("estimating what every arm would bring")
    share, delay = arm_grid()[arm].T
    frame, monotone = pd.DataFrame(X, columns=list(names)), risk_directions(names)
    predicted = fit_arm_outcomes(
        frame,
        share,
        delay,
        outcomes,
        known.account_id,
        horizon_days=assumed.horizon_days,
        seed=seed,
        monotone=monotone,
    )
    return LogRows(
        events=events,
        labelled=known,
        logged=logged,
        outcomes=outcomes,
        predicted=predicted,
        chances=chances,
        restored_days=numbers(kept, "restored_days"),
        assumptions=assumed,
        names=names,
        X=X,
        counts=counts | {"off_grid": off_grid, "propensities_fitted": fitted},
    )


def _how_the_log_chose(
    X: Floats, known: Labelled, arm: Ints, seed: int, progress: Progress
) -> tuple[Logged, Floats, int]:
    """Return arms and propensities, chances by arm, and how many propensities were fitted."""
    progress("estimating how the log chose")
    learn = np.arange(len(arm))
    weighed = weigh_decisions(X, arm_grid()[arm], known.propensity, learn=learn, seed=seed)
    fold = deal_accounts(known.account_id, known.bad, folds=FOLDS_OF_CHANCES, seed=seed)
    logged = Logged(arm, weighed.propensity, known.account_id)
    return logged, fit_arm_chances(X, arm, fold, seed=seed), weighed.fitted


def _part(whole: Any, rows: NDArray[np.bool_]) -> Any:
    columns = {item.name: getattr(whole, item.name) for item in fields(whole)}
    return replace(whole, **{name: x[rows] for name, x in columns.items() if np.ndim(x)})


def nearest_arm(share: Floats, delay_days: Floats) -> tuple[Ints, int]:
    """Return the places of the grid's nearest arms, and how many arms were not on the grid.

    The share is matched first, then the delay, each to the nearest step.

    Examples
    --------
    >>> nearest_arm(np.array([1.0, 0.6]), np.array([0.0, 6.0]))
    (array([20, 12]), 1)
    """
    grid = arm_grid()
    distance = 1e3 * np.abs(share[:, None] - grid[:, 0]) + np.abs(delay_days[:, None] - grid[:, 1])
    place = distance.argmin(axis=1)
    return place, int((distance[np.arange(len(place)), place] > 1e-9).sum())


def _labelled(kept: pa.Table) -> Labelled:
    return Labelled(
        account_id=kept["account_id"].to_numpy(),
        as_of=decided_at(kept),
        bad=kept["bad"].to_numpy(),
        share=numbers(kept, "share"),
        delay_days=numbers(kept, "delay_days"),
        propensity=numbers(kept, "propensity"),
        freed=numbers(kept, "freed"),
        loss=numbers(kept, "loss"),
    )
