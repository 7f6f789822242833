"""Walk-forward: each month judged by a model that learnt only from what had matured before it."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relimit.training.discrimination import Floats, Interval
from relimit.training.expected import months
from relimit.training.fit import Progress, fit_model
from relimit.training.labelled import Labelled
from relimit.training.splits import ENOUGH_PER_CLASS, Split, split_before
from relimit.training.tune import Parameters


@dataclass(frozen=True, slots=True)
class BacktestMonth:
    """One month's rows under the model that would have been in use.

    Attributes
    ----------
    month
        `2026-03`.
    learnt, rows, bads
        Rows that the model was fitted on; the month's rows and bads.
    auc
        With DeLong's limits.
    log_loss, observed_expected
        On the month's rows.
    """

    month: str
    learnt: int
    rows: int
    bads: int
    auc: Interval
    log_loss: float
    observed_expected: float


def walk_forward(
    family: str,
    X: Floats,
    names: Sequence[str],
    labelled: Labelled,
    *,
    late: NDArray[np.bool_] | None = None,
    horizon_days: int,
    most_months: int,
    parameters: Parameters | None = None,
    workers: int = 2,
    seed: int = 0,
    progress: Progress | None = None,
) -> tuple[BacktestMonth, ...]:
    """Fit a model for each of the last months, and test it on that month alone.

    A month is left out if it, or what had matured before it, has fewer than 25 bads or goods.

    Parameters
    ----------
    family, X, names, labelled, late, parameters, workers, seed
        As for `fit_model`.
    horizon_days
        Length of the outcome window: a row is learnt from only if its window had ended by the
        month's first row.
    most_months
        How many months at most; each costs a training.
    progress
        Called with each month.
    """
    month = months(labelled.as_of)
    found: list[BacktestMonth] = []
    for name in np.unique(month)[::-1]:
        if len(found) == most_months:
            break
        rows = np.flatnonzero(month == name)
        split = split_before(labelled.account_id, labelled.as_of, horizon_days, rows)
        if not _enough(split, labelled):
            continue
        if progress is not None:
            progress(f"back-testing {name}")
        fitted = fit_model(
            family,
            X,
            names,
            labelled,
            split,
            late=late,
            horizon_days=horizon_days,
            parameters=parameters,
            workers=workers,
            seed=seed,
        )
        found.append(_judge(str(name), split, fitted.test_risk, fitted.metrics))
    return tuple(found[::-1])


def _enough(split: Split, labelled: Labelled) -> bool:
    parts = (labelled.bad[rows] for rows in (split.fit, split.calibrate, split.test))
    return all(min(bad.sum(), (~bad).sum()) >= ENOUGH_PER_CLASS for bad in parts)


def _judge(month: str, split: Split, risk: Floats, metrics: dict[str, float]) -> BacktestMonth:
    return BacktestMonth(
        month=month,
        learnt=len(split.fit),
        rows=int(metrics["rows"]),
        bads=int(metrics["bads"]),
        auc=Interval(metrics["auc"], metrics["auc_low"], metrics["auc_high"]),
        log_loss=metrics["log_loss"],
        observed_expected=metrics["bads"] / float(risk.sum()),
    )
