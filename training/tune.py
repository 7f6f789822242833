"""The settings of the lightgbm family, searched within a budget on rows that come later."""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from time import monotonic
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.data.errors import ModelError
from relimit.models import BoostedTrees
from relimit.training.discrimination import Bools, Floats
from relimit.training.metrics import log_loss
from relimit.training.splits import account_hash

SPACE: Final[dict[str, tuple[float, float, bool]]] = {
    "learning_rate": (0.01, 0.1, True),
    "num_leaves": (4, 64, True),
    "min_child_samples": (20, 1_000, True),
    "feature_fraction": (0.2, 1.0, False),
    "bagging_fraction": (0.5, 1.0, False),
    "reg_lambda": (0.1, 100.0, True),
}
"""Lowest, highest, and whether a step is a ratio. What it lacks stays as it is: the monotone
constraints above all."""

Parameters = Mapping[str, Any]
"""Settings of an estimator by name: numbers, and mappings such as a scorecard's special codes."""
Slice = tuple[pd.DataFrame, Bools | Floats, Floats | None]
"""Features with their arms, outcomes or parts of a bad, and, if any, weights."""


@dataclass(frozen=True, slots=True)
class TuneBudget:
    """How long to search: minutes, trials, or both, of which the first to run out counts.

    Trials alone give the same search every time; minutes don't, so what was found is recorded.
    """

    minutes: float | None = None
    trials: int | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """Settings that were tried, the trees that early stopping kept, and the log-loss."""

    parameters: dict[str, float | int]
    trees: int
    log_loss: float


@dataclass(frozen=True, slots=True)
class Tuning:
    """The settings found and all trials in their order, the first with the defaults.

    `budget` is what was asked for, `seconds` what was used of it.
    """

    parameters: dict[str, float | int]
    trials: tuple[Trial, ...]
    budget: TuneBudget
    seconds: float = field(compare=False)

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for a run or a manifest."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class TuneRows:
    """The rows of a search: what trials learn from, what stops them, what judges them.

    `arm_effect` `[25]` is what `BoostedTrees.fit` is given by that name.
    """

    learn: Slice
    stop: Slice
    judge: Slice
    arm_effect: Floats | None = None


def require_optuna() -> Any:
    """Return the optuna package.

    Raises
    ------
    ModelError
        If it isn't installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise ModelError(
            "settings are searched with optuna, which is not installed",
            mend="Install the extra: pip install 'relimit[tune]', or train without tuning",
        ) from error
    return optuna


def halve_by_account(account_id: NDArray[Any], rows: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Return which of the rows are in the first half of their accounts, by hash, `[rows]`."""
    place = account_hash(account_id[rows])
    return np.asarray(place < np.median(place), dtype=np.bool_)


def tune(
    estimator: BoostedTrees,
    rows: TuneRows,
    budget: TuneBudget,
    *,
    seed: int = 0,
    progress: Callable[[str], None],
) -> Tuning:
    """Search the settings by tree-structured Parzen estimators (Bergstra et al. 2011).

    Parameters
    ----------
    estimator
        Its own settings are the first trial, and what isn't searched stays as it has it.
    rows
        The judging rows are later than those that are learnt from, and no outcome window overlaps.
    budget
        One trial at least is made. A later one that is at work when the minutes end is given up.
    seed
        Of the search; each trial has the estimator's own.
    progress
        Called with each trial's number and the best log-loss so far.

    Raises
    ------
    ModelError
        If optuna isn't installed or the budget is none.
    """
    optuna = require_optuna()
    if not (budget.minutes or budget.trials):
        raise ModelError("no budget to tune in", mend="Give minutes or trials, more than 0")
    begun, trials = monotonic(), list[Trial]()
    ends = None if budget.minutes is None else begun + 60.0 * budget.minutes

    def is_over() -> bool:
        return bool(trials) and ends is not None and monotonic() >= ends

    def watch() -> None:
        if is_over():
            raise optuna.TrialPruned

    def objective(asked: Any) -> float:
        trials.append(_try(estimator, _ask(asked), rows, watch))
        best = min(trial.log_loss for trial in trials)
        progress(f"tuning: {len(trials)} tried, log-loss {best:.5f} at best")
        return trials[-1].log_loss

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.TPESampler(seed=seed))
    study.enqueue_trial({name: estimator.get_params()[name] for name in SPACE})
    study.optimize(
        objective,
        n_trials=budget.trials,
        callbacks=[lambda study, _: study.stop() if is_over() else None],
    )
    best = min(trials, key=lambda trial: trial.log_loss)
    return Tuning(best.parameters, tuple(trials), budget, monotonic() - begun)


def _ask(asked: Any) -> dict[str, float | int]:
    found: dict[str, float | int] = {}
    for name, (low, high, ratio) in SPACE.items():
        suggest = asked.suggest_int if isinstance(low, int) else asked.suggest_float
        found[name] = suggest(name, low, high, log=ratio)
    return found


def _try(
    estimator: BoostedTrees,
    parameters: dict[str, float | int],
    rows: TuneRows,
    watch: Callable[[], None],
) -> Trial:
    settings = {**estimator.get_params(), **parameters}
    fitted = BoostedTrees(**settings).fit(
        *rows.learn, eval_set=rows.stop, arm_effect=rows.arm_effect, each_tree=watch
    )
    X, bad, weight = rows.judge
    return Trial(parameters, fitted.best_iteration_, log_loss(bad == 1.0, _risk(fitted, X), weight))


def _risk(fitted: BoostedTrees, X: pd.DataFrame) -> Floats:
    return np.asarray(fitted.predict_proba(X)[:, 1], dtype=np.float64)
