"""From features and outcomes to a calibrated risk model with its expected-loss head."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.data.errors import ModelError
from relimit.data.vocabulary import BAD_HORIZON_DAYS, FULL_ARM
from relimit.features import catalogue
from relimit.models import (
    ARM_COLUMNS,
    BoostedTrees,
    CalibrationChoice,
    LossHead,
    LossSettings,
    RiskEstimator,
    RiskModel,
    choose_calibration,
    family_named,
    fit_loss,
)
from relimit.training.arm_effect import ArmEffect, estimate_arm_effect
from relimit.training.labelled import Labelled
from relimit.training.loss_check import loss_metrics, loss_rows
from relimit.training.metrics import evaluate
from relimit.training.propensity import Propensities, weigh_decisions
from relimit.training.splits import Split
from relimit.training.tune import (
    Parameters,
    Slice,
    TuneBudget,
    TuneRows,
    Tuning,
    halve_by_account,
    tune,
)
from relimit.training.views import NAIVE, SMALL_SLICE, three_views

Floats = NDArray[np.float64]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, how it was weighted and calibrated, and how it does on the test slice.

    Attributes
    ----------
    model
        Fitted on the first slice and calibrated on the second. It is not fitted again on all rows:
        the model that is registered is the one that was tested.
    propensities
        None if the observations have no arms, or just one.
    arm_effect
        What restoring does to the odds of bad, as trees were given it; None without arms, if too
        few bads can tell it, or for another family.
    calibration
        The chosen map and what each candidate scored.
    test_risk
        `[test rows]` calibrated risk at the arm that was taken, what the outcomes test.
    views
        Figures of the test slice by view and name, see `three_views`.
    metrics
        The same by name alone, with those of accounts never learnt from.
    parameters
        The estimator's own settings by name.
    tuning
        What was searched; None if nothing was.
    """

    model: RiskModel
    propensities: Propensities | None
    arm_effect: ArmEffect | None
    calibration: CalibrationChoice
    test_risk: Floats
    views: dict[str, dict[str, float]]
    metrics: dict[str, float]
    parameters: dict[str, object]
    tuning: Tuning | None


def fit_model(
    family: str,
    X: Floats,
    names: Sequence[str],
    labelled: Labelled,
    split: Split,
    *,
    horizon_days: int = BAD_HORIZON_DAYS,
    loss: LossSettings | None = None,
    parameters: Parameters | None = None,
    budget: TuneBudget | None = None,
    workers: int = 2,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a family on the first slice, calibrate it on the second, test it on the third.

    Parameters
    ----------
    family
        `lightgbm` or `scorecard`.
    X, names
        `[n, F]` features, NaN for null, and their names.
    labelled
        `[n]` outcomes; share and delay become columns if every row has them and they vary.
    split
        The three slices.
    horizon_days
        Length of the window in which `bad` was observed.
    loss
        What is assumed about losses that were not observed.
    parameters
        Settings of the estimator other than its own.
    budget
        Search for settings first (lightgbm alone); none is searched without it.
    workers, seed
        Threads, which change no result, and the seed of everything drawn.
    progress
        Called with the name of each stage.

    Raises
    ------
    ModelError
        If the family is unknown, or nothing in the features tells bad from good.
    """
    report = progress or _silent
    propensities = None
    if labelled.varies_in_arm:
        report("weighing logged decisions")
        propensities = weigh_decisions(
            X, labelled.arms, labelled.propensity, learn=split.fit, seed=seed
        )
    weight = None if propensities is None else propensities.weight
    estimator = _estimator(family, workers, seed).set_params(**(parameters or {}))
    effect, by_arm = None, None
    if weight is not None and isinstance(estimator, BoostedTrees):
        report("estimating what restoring does")
        learn = np.concatenate([split.fit, split.calibrate])
        effect = estimate_arm_effect(
            X, names, labelled, weight, learn=learn, horizon_days=horizon_days,
            monotone=estimator.monotone, seed=seed,
        )  # fmt: skip
        by_arm = None if effect is None else effect.by_arm(horizon_days)
    # Trees that are given the arm's effect have nothing to learn from weights, which halve what the
    # rows are worth (Winship & Radbill 1994); the effect and the calibration are weighted.
    grown_by = weight if by_arm is None else None
    rows = _Rows(X, names, labelled, weight is not None, grown_by, by_arm)
    early, later = rows.take(split.fit), rows.take(split.calibrate)
    tuning = None
    if budget is not None:
        tuning = _tune(
            estimator, rows, early, split.calibrate, budget=budget, seed=seed, progress=report
        )
        estimator.set_params(**tuning.parameters)
    report(f"fitting {family}")
    if isinstance(estimator, BoostedTrees):
        estimator.fit(*early, eval_set=later, arm_effect=by_arm)
    else:
        estimator.fit(*early)
    report("calibrating")
    calibration = choose_calibration(
        estimator.log_odds(later[0]), later[1], _take(weight, split.calibrate), random_state=seed
    )
    model = RiskModel.assemble(
        estimator,
        calibration=calibration.calibration,
        loss=_fit_loss(X, names, labelled, split.fit, weight, settings=loss, seed=seed),
        reference_rows=early[0],
        arms_taken=labelled.arms[split.fit] if weight is not None else None,
    )
    report("testing")
    test = labelled.take(split.test)
    risk = logged_risk(model, X[split.test], test)
    views = three_views(test, risk, _take(weight, split.test))
    metrics = _test_metrics(risk, labelled, split, views)
    metrics |= loss_metrics(loss_rows(model, X[split.test], test, risk))
    if effect is not None:
        metrics |= effect.to_dict()
    settings = estimator.get_params()
    return Fitted(model, propensities, effect, calibration, risk, views, metrics, settings, tuning)


def logged_risk(model: RiskModel, X: Floats, labelled: Labelled) -> Floats:
    """Return the calibrated risk `[n]` at the arm that each row took.

    It is what an outcome can be held against. A row without an arm counts as restored in full; a
    model without arms gives its only risk.
    """
    taken = np.where(np.isnan(labelled.arms), FULL_ARM, labelled.arms)
    matrix = np.column_stack([X, taken]) if model.has_arms else X
    log_odds = model.head.log_odds(np.ascontiguousarray(matrix))
    return np.asarray(model.calibration.apply(log_odds), dtype=np.float64)


def _estimator(family: str, workers: int, seed: int) -> RiskEstimator:
    estimator = family_named(family).estimator()
    wanted = {
        "monotone": {item.name: item.risk for item in catalogue() if item.risk},
        "num_threads": workers,
        "random_state": seed,
    }
    accepted = estimator.get_params()
    estimator.set_params(**{name: value for name, value in wanted.items() if name in accepted})
    return estimator


@dataclass(frozen=True, slots=True)
class _Rows:
    """What slices to grow on are taken from; `by_arm` `[25]` is the arms' known effect."""

    X: Floats
    names: Sequence[str]
    labelled: Labelled
    has_arms: bool
    weight: Floats | None
    by_arm: Floats | None

    def take(self, rows: NDArray[np.int64]) -> Slice:
        """Return some rows with their arms, outcomes and weights; no other row is copied."""
        matrix, columns = self.X[rows], list(self.names)
        if self.has_arms:
            arms = self.labelled.share[rows], self.labelled.delay_days[rows]
            matrix, columns = np.column_stack([matrix, *arms]), [*columns, *ARM_COLUMNS]
        frame = pd.DataFrame(matrix, columns=columns)
        return frame, self.labelled.bad[rows], _take(self.weight, rows)


def _tune(
    estimator: RiskEstimator,
    rows: _Rows,
    early: Slice,
    calibrate: NDArray[np.int64],
    *,
    budget: TuneBudget,
    seed: int,
    progress: Progress,
) -> Tuning:
    """Search on the later slice: half of its accounts stop the trees, the others judge them."""
    if not isinstance(estimator, BoostedTrees):
        raise ModelError(
            "only the family lightgbm has settings to tune",
            where=type(estimator).__name__,
            mend="Train it without tuning",
        )
    first = halve_by_account(rows.labelled.account_id, calibrate)
    wanted = TuneRows(
        learn=early,
        stop=rows.take(calibrate[first]),
        judge=rows.take(calibrate[~first]),
        arm_effect=rows.by_arm,
    )
    return tune(estimator, wanted, budget, seed=seed, progress=progress)


def _fit_loss(
    X: Floats,
    names: Sequence[str],
    labelled: Labelled,
    rows: NDArray[np.int64],
    weight: Floats | None,
    *,
    settings: LossSettings | None,
    seed: int,
) -> LossHead:
    """Fit severity; only the bads can tell it, so the other rows are not copied for it."""
    bads = rows[labelled.bad[rows]]
    return fit_loss(
        pd.DataFrame(X[bads], columns=list(names)),
        bad=labelled.bad[bads],
        freed=labelled.freed[bads],
        loss=labelled.loss[bads],
        share=labelled.share[bads] if weight is not None else None,
        sample_weight=_take(weight, bads),
        settings=settings,
        random_state=seed,
    )


def _test_metrics(
    risk: Floats, labelled: Labelled, split: Split, views: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return figures of the test slice by view, and on accounts never learnt from."""
    test = labelled.take(split.test)
    found = dict(views[NAIVE])
    for view, figures in views.items():
        if view != NAIVE:
            found |= _prefixed(view, figures)
    learnt = labelled.account_id[np.concatenate([split.fit, split.calibrate])]
    unseen = ~pd.Index(test.account_id).isin(pd.Index(learnt))
    if test.bad[unseen].sum() >= SMALL_SLICE and not unseen.all():
        found |= _prefixed("new_accounts", evaluate(test.bad[unseen], risk[unseen]))
    return found


def _prefixed(prefix: str, metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def _take(weight: Floats | None, rows: NDArray[np.int64]) -> Floats | None:
    return None if weight is None else weight[rows]


def _silent(_: str) -> None:
    """Report nothing."""
