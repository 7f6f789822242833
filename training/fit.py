"""From features and outcomes to a calibrated risk model with its expected-loss head."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.data.errors import ModelError
from relimit.data.vocabulary import BAD_HORIZON_DAYS
from relimit.features import catalogue
from relimit.models import (
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
from relimit.training.fit_rows import FitRows
from relimit.training.growth import Grown, grow, part_of_a_bad
from relimit.training.labelled import Labelled
from relimit.training.logged_risk import logged_risk
from relimit.training.loss_check import LossRows, loss_metrics, loss_rows
from relimit.training.metrics import evaluate
from relimit.training.propensity import Propensities, weigh_decisions
from relimit.training.splits import Split, sample_rows
from relimit.training.tune import (
    Parameters,
    TuneBudget,
    TuneRows,
    Tuning,
    halve_by_account,
    tune,
)
from relimit.training.untried import BOUNDED_ROWS, arm_cautions
from relimit.training.views import NAIVE, SMALL_SLICE, three_views

SCORED_BESIDE: Final = 100_000
"""Rows that the reference and a report score beside the slices."""

Floats = NDArray[np.float64]
Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Fitted:
    """A model, how it was weighted and calibrated, and how it does on the test slice.

    Attributes
    ----------
    model
        Learnt from the first slice and calibrated on the second, or both by both. It is not fitted
        again on the third: the model that is registered is the one that was tested.
    propensities
        None if the observations have no arms, or just one.
    arm_effect
        What restoring does to the odds of bad, as trees were given it; None without arms, if too
        few bads can tell it, or for another family.
    cross_fitted
        Whether the first two slices together taught trees, and calibrated them, each account by
        trees grown without it: see `grow`.
    part_of_bad
        How much of a bad arrears counted as that did not become one; None where they didn't.
    calibration
        The chosen map and what each candidate scored.
    test_risk
        `[test rows]` calibrated risk at the arm that was taken, what the outcomes test.
    views
        Figures of the test slice by view and name, see `three_views`.
    losses
        What was lost on the test slice and what was expected, see `loss_rows`.
    metrics
        The same by name alone, with those of accounts never learnt from.
    parameters
        The estimator's own settings by name.
    tuning
        What was searched; None if nothing was.
    cautions
        What history never tried, in words.
    """

    model: RiskModel
    propensities: Propensities | None
    arm_effect: ArmEffect | None
    cross_fitted: bool
    part_of_bad: float | None
    calibration: CalibrationChoice
    test_risk: Floats
    views: dict[str, dict[str, float]]
    losses: LossRows | None
    metrics: dict[str, float]
    parameters: dict[str, object]
    tuning: Tuning | None
    cautions: tuple[str, ...]


def fit_model(
    family: str,
    X: Floats,
    names: Sequence[str],
    labelled: Labelled,
    split: Split,
    *,
    late: NDArray[np.bool_] | None = None,
    horizon_days: int = BAD_HORIZON_DAYS,
    loss: LossSettings | None = None,
    parameters: Parameters | None = None,
    budget: TuneBudget | None = None,
    workers: int = 2,
    seed: int = 0,
    progress: Progress | None = None,
) -> Fitted:
    """Fit a family on the first slice, calibrate it on the second, test it on the third.

    Trees learn from the second, too, where bads are few: see `grow`.

    Parameters
    ----------
    family
        `lightgbm` or `scorecard`.
    X, names
        `[n, F]` features, NaN for null, and their names.
    labelled
        `[n]` outcomes; share and delay become columns if they vary. Either all rows have them or
        none, as `read_labelled` sees to.
    split
        The three slices.
    late
        `[n]` whether any arrears, however short, came within the horizon: what trees learn from
        beside the bads, see `part_of_a_bad`.
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
    estimator = _estimator(family, workers, seed).set_params(**(parameters or {}))
    propensities = _weigh(X, labelled, split, seed, report)
    rows = FitRows(X, names, labelled, split, None if propensities is None else propensities.weight)
    effect = _restoring(estimator, rows, horizon_days, seed, report)
    by_arm = None if effect is None else effect.by_arm(horizon_days)
    tuning = None
    if budget is not None:
        tuning = _tune(estimator, rows, by_arm, budget=budget, seed=seed, progress=report)
        estimator.set_params(**tuning.parameters)
    if isinstance(estimator, BoostedTrees) and late is not None:
        learn = np.r_[split.fit, split.calibrate]
        rows = replace(rows, target=part_of_a_bad(labelled.bad, late, learn=learn))
    report(f"fitting {family}")
    to_come = len(split.calibrate) + len(split.test) + SCORED_BESIDE
    grown = grow(
        estimator,
        partial(rows.take, by_arm=by_arm),
        split,
        labelled.bad,
        labelled.account_id,
        arm_effect=by_arm,
        to_come=to_come,
    )
    report("calibrating")
    model, calibration = _calibrated(estimator, grown, rows, by_arm, loss=loss, seed=seed)
    report("testing")
    test = labelled.take(split.test)
    risk = logged_risk(model, X, labelled, split.test)
    views = three_views(test, risk, rows.weights(split.test))
    losses = loss_rows(model, X, test, risk, split.test)
    return Fitted(
        model=model,
        propensities=propensities,
        arm_effect=effect,
        cross_fitted=grown.cross_fitted,
        part_of_bad=None if rows.target is None else float(rows.target[rows.target < 1.0].max()),
        calibration=calibration,
        test_risk=risk,
        views=views,
        losses=losses,
        metrics=_test_metrics(risk, labelled, split, views)
        | loss_metrics(losses)
        | ({} if effect is None else effect.to_dict()),
        parameters=estimator.get_params(),
        tuning=tuning,
        cautions=arm_cautions(model, X[_some(split.test)]) if labelled.names_arms else (),
    )


def _some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    return rows[sample_rows(len(rows), BOUNDED_ROWS)]


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


def _weigh(
    X: Floats, labelled: Labelled, split: Split, seed: int, report: Progress
) -> Propensities | None:
    if not labelled.varies_in_arm:
        return None
    report("weighing logged decisions")
    return weigh_decisions(X, labelled.arms, labelled.propensity, learn=split.fit, seed=seed)


def _restoring(
    estimator: RiskEstimator, rows: FitRows, horizon_days: int, seed: int, report: Progress
) -> ArmEffect | None:
    """Estimate what restoring does, for trees, where the log's arms vary."""
    if rows.weight is None or not isinstance(estimator, BoostedTrees):
        return None
    report("estimating what restoring does")
    return estimate_arm_effect(
        rows.X,
        rows.names,
        rows.labelled,
        rows.weight,
        learn=np.concatenate([rows.split.fit, rows.split.calibrate]),
        horizon_days=horizon_days,
        monotone=estimator.monotone,
        seed=seed,
    )


def _tune(
    estimator: RiskEstimator,
    rows: FitRows,
    by_arm: Floats | None,
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
    calibrate = rows.split.calibrate
    first = halve_by_account(rows.labelled.account_id, calibrate)
    wanted = TuneRows(
        learn=rows.take(rows.split.fit, by_arm),
        stop=rows.take(calibrate[first], by_arm),
        judge=rows.take(calibrate[~first], by_arm),
        arm_effect=by_arm,
    )
    return tune(estimator, wanted, budget, seed=seed, progress=progress)


def _calibrated(
    estimator: RiskEstimator,
    grown: Grown,
    rows: FitRows,
    by_arm: Floats | None,
    *,
    loss: LossSettings | None,
    seed: int,
) -> tuple[RiskModel, CalibrationChoice]:
    """Return a grown estimator, calibrated and with its loss head, and how it was calibrated."""
    labelled, calibrates = rows.labelled, grown.calibrates
    chosen = choose_calibration(
        grown.log_odds,
        labelled.bad[calibrates],
        rows.weights(calibrates),
        stretch=rows.target is not None,
        random_state=seed,
    )
    model = RiskModel.assemble(
        estimator,
        calibration=chosen.calibration,
        loss=_fit_loss(rows, grown.learnt, loss, seed),
        reference_rows=rows.take(grown.learnt, by_arm)[0],
        arms_taken=labelled.arms[grown.learnt] if labelled.names_arms else None,
    )
    return model, chosen


def _fit_loss(
    rows: FitRows, learnt: NDArray[np.int64], settings: LossSettings | None, seed: int
) -> LossHead:
    """Fit severity; only the bads can tell it, so the other rows are not copied for it."""
    labelled = rows.labelled
    bads = learnt[labelled.bad[learnt]]
    return fit_loss(
        pd.DataFrame(rows.X[bads], columns=list(rows.names)),
        bad=labelled.bad[bads],
        freed=labelled.freed[bads],
        loss=labelled.loss[bads],
        share=None if rows.weight is None else labelled.share[bads],
        sample_weight=rows.weights(bads),
        groups=labelled.account_id[bads],
        settings=settings,
        random_state=seed,
    )


def _test_metrics(
    risk: Floats, labelled: Labelled, split: Split, views: Mapping[str, Mapping[str, float]]
) -> dict[str, float]:
    """Return figures of the test slice by view, and on accounts never learnt from.

    Rows of one account are not independent: each interval is over accounts.
    """
    test = labelled.take(split.test)
    found = dict(views[NAIVE])
    for view, figures in views.items():
        if view != NAIVE:
            found |= _prefixed(view, figures)
    learnt = labelled.account_id[np.concatenate([split.fit, split.calibrate])]
    unseen = ~pd.Index(test.account_id).isin(pd.Index(learnt))
    if test.bad[unseen].sum() >= SMALL_SLICE and not unseen.all():
        account = pd.factorize(test.account_id[unseen])[0]
        figures = evaluate(test.bad[unseen], risk[unseen], clusters=account)
        found |= _prefixed("new_accounts", figures)
    return found


def _prefixed(prefix: str, metrics: Mapping[str, float]) -> dict[str, float]:
    return {f"{prefix}_{name}": value for name, value in metrics.items()}


def _silent(_: str) -> None:
    """Report nothing."""
