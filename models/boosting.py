"""The lightgbm family: gradient-boosted trees with monotone constraints."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Self

import lightgbm as lgb
import numpy as np
from numpy.typing import ArrayLike, NDArray

from relimit.data.errors import ModelError
from relimit.models.arm_trees import arm_tree
from relimit.models.arms import ARM_COLUMNS
from relimit.models.base import Frame, RiskEstimator, design_matrix, outcomes, weights
from relimit.models.prediction import Predictor, TreeScores

MODEL_FILE: Final = "model.txt"

ROWS_WORTH_THREADS: Final = 50_000
"""Below, threads wait for one another longer than they work: one is faster, most on a busy host."""

EvalSet = tuple[Frame, ArrayLike] | tuple[Frame, ArrayLike, ArrayLike | None]
"""Rows, outcomes and, if any, weights."""


@dataclass(frozen=True, slots=True)
class BoostedHead:
    """Trees that score; `num_threads` is for batches, one row always takes one thread."""

    family: ClassVar[str] = "lightgbm"
    columns: tuple[str, ...]
    scores: TreeScores
    num_threads: int = 1

    @property
    def size(self) -> int:
        """How many trees."""
        return int(self.scores.booster.num_trees())

    def log_odds(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds of bad before calibration, float64 [n]."""
        return self.scores.raw(X, self.num_threads) if len(X) else np.empty(0)

    def contributions(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """SHAP values (Lundberg and Lee 2017) in log-odds, [n, columns + 1], the base last.

        Some 170 times as costly as `log_odds`: ask only for rows that need reasons.
        """
        if not len(X):
            return np.empty((0, len(self.columns) + 1))
        threads = 1 if len(X) == 1 else self.num_threads
        out = self.scores.booster.predict(
            X, pred_contrib=True, num_threads=threads, validate_features=False
        )
        return np.asarray(out, dtype=np.float64)

    def files(self) -> dict[str, bytes]:
        """Return the file that `from_files` reads."""
        return {MODEL_FILE: self.scores.booster.model_to_string().encode()}

    @classmethod
    def from_files(
        cls,
        files: Mapping[str, bytes],
        columns: tuple[str, ...],
        num_threads: int = 1,
        predictor: Predictor = "auto",
    ) -> Self:
        """Read the trees back, to the last bit.

        LightGBM's parser is not safe on damaged text (it can crash the process or loop): the
        caller has compared the file's hash before.

        Raises
        ------
        ModelError
            If the text isn't a model over these columns.
        """
        scores = parse_trees(files[MODEL_FILE], MODEL_FILE, columns, predictor)
        return cls(columns, scores, num_threads)


class BoostedTrees(RiskEstimator):
    """LightGBM trees for P(bad), monotone where a direction is stated, deterministic.

    Parameters
    ----------
    monotone
        Expected direction of risk by feature: 1 rises, -1 falls, 0 or absent free. Arm columns
        have theirs already. Names that are no column are ignored.
    max_trees, early_stopping_rounds
        At most so many trees; growing stops when the log-loss of the later slice has not
        improved for so many.
    validation_share
        Share of the rows held out for that where `fit` is given no later slice.
    learning_rate, num_leaves, min_child_samples, feature_fraction, bagging_fraction, reg_lambda
        As in LightGBM.
    num_threads
        For fitting and for batches; it changes no result.
    random_state
        The seed of everything drawn.

    Attributes
    ----------
    head_ : BoostedHead
    best_iteration_ : int
        How many trees were kept.
    """

    def __init__(
        self,
        monotone: Mapping[str, int] | None = None,
        *,
        max_trees: int = 2000,
        early_stopping_rounds: int = 50,
        validation_share: float = 0.15,
        learning_rate: float = 0.03,
        num_leaves: int = 15,
        min_child_samples: int = 50,
        feature_fraction: float = 0.5,
        bagging_fraction: float = 0.8,
        reg_lambda: float = 5.0,
        num_threads: int = 2,
        random_state: int = 0,
    ) -> None:
        self.monotone = monotone
        self.max_trees = max_trees
        self.early_stopping_rounds = early_stopping_rounds
        self.validation_share = validation_share
        self.learning_rate = learning_rate
        self.num_leaves = num_leaves
        self.min_child_samples = min_child_samples
        self.feature_fraction = feature_fraction
        self.bagging_fraction = bagging_fraction
        self.reg_lambda = reg_lambda
        self.num_threads = num_threads
        self.random_state = random_state

    def fit(
        self,
        X: Frame,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        eval_set: EvalSet | None = None,
        arm_effect: NDArray[np.float64] | None = None,
        trees: int | None = None,
        each_tree: Callable[[], None] | None = None,
    ) -> Self:
        """Grow trees until the later slice stops improving, or so many.

        Parameters
        ----------
        X
            [n, F]; NaN is missing. Arm columns are optional.
        y
            1 or true for bad, between 0 and 1 for a part of a bad; none null.
        sample_weight
            [n], at least 0.
        eval_set
            The later slice, `(X, y)` or `(X, y, sample_weight)`; a share of the rows if absent.
        arm_effect
            `[25]` log-odds that each of `ARMS` adds, where they are known: the trees then leave the
            arm columns alone. Without it they learn what they can from these columns.
        trees
            Grow so many, at least 1, on all rows: no slice stops them.
        each_tree
            Called after each tree; what it raises ends the fit.

        Raises
        ------
        ModelError
            If the input is unusable, a column's name can't be written in a model file, or there is
            an effect of the arm and no arm.
        """
        if not 0 < self.validation_share < 1:
            raise ModelError(
                f"validation_share is {self.validation_share}",
                where="BoostedTrees",
                mend="Give a share between 0 and 1.",
            )
        whole, parts = _whole_bads(y)
        matrix, bad, weight, columns = self._start_fit(X, whole, sample_weight)
        target = bad.astype(np.float64) if parts is None else parts
        _check_names(columns)
        later = None if eval_set is None else _read_slice(eval_set, columns)
        if later is None and trees is None:
            kept = self._kept(bad)
            later = matrix[~kept], target[~kept], weight[~kept]
            matrix, target, weight = matrix[kept], target[kept], weight[kept]
        train = lgb.Dataset(matrix, target, weight=weight, feature_name=[*columns])
        settings, first = self._settings(columns, len(matrix)), None
        if _has_parts(target) or (later is not None and _has_parts(later[1])):
            settings |= {"objective": "cross_entropy", "metric": "cross_entropy"}
        if arm_effect is not None:
            first = _first_tree(columns, matrix, target, weight, arm_effect)
            # A gain of 0 is no split: the arm's columns are left to the first tree.
            settings["feature_contri"] = [float(name not in ARM_COLUMNS) for name in columns]
        callbacks: list[Callable[[Any], None]] = []
        stopped_on: list[lgb.Dataset] = []
        if trees is None and later is not None:
            callbacks.append(lgb.early_stopping(self.early_stopping_rounds, verbose=False))
            stopped_on.append(lgb.Dataset(later[0], later[1], weight=later[2], reference=train))
        if each_tree is not None:
            callbacks.append(lambda _: each_tree())
        grown = lgb.train(
            settings,
            train,
            num_boost_round=trees or self.max_trees,
            init_model=first,
            valid_sets=stopped_on,
            callbacks=callbacks,
        )
        # LightGBM leaves out the trees after the best iteration by itself.
        self.best_iteration_ = int(grown.num_trees())
        self.head_: BoostedHead = BoostedHead(columns, TreeScores(grown), self.num_threads)
        return self

    def _kept(self, bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which rows to grow on; the share held out is the same of bads and of goods."""
        rng = np.random.default_rng(self.random_state)
        kept = np.ones(len(bad), dtype=bool)
        for outcome in (False, True):
            rows = np.flatnonzero(bad == outcome)
            out = min(round(self.validation_share * len(rows)), len(rows) - 1)
            kept[rng.permutation(rows)[: max(out, 1)]] = False
        return kept

    def _settings(self, columns: tuple[str, ...], rows: int) -> dict[str, Any]:
        return {
            "objective": "binary",
            "metric": "binary_logloss",
            "monotone_constraints": self._directions(columns),
            # "advanced" broke the order on real rows; "intermediate" gained nothing measurable.
            "monotone_constraints_method": "basic",
            "learning_rate": self.learning_rate,
            "num_leaves": self.num_leaves,
            "min_child_samples": self.min_child_samples,
            "feature_fraction": self.feature_fraction,
            "bagging_fraction": self.bagging_fraction,
            "bagging_freq": 1,
            "reg_lambda": self.reg_lambda,
            "deterministic": True,
            "force_row_wise": True,
            "num_threads": self.num_threads if rows >= ROWS_WORTH_THREADS else 1,
            "seed": self.random_state,
            "verbosity": -1,
        }


def _first_tree(
    columns: tuple[str, ...],
    matrix: NDArray[np.float64],
    target: NDArray[np.float64],
    weight: NDArray[np.float64],
    effect: NDArray[np.float64],
) -> lgb.Booster:
    """Return the arms' tree, its level such that the rows start about at their bad rate."""
    if columns[-2:] != ARM_COLUMNS:
        raise ModelError(
            "an effect of the arm is given, but no arm",
            mend=f"Give the columns {', '.join(ARM_COLUMNS)}",
        )
    bads, goods = float(weight @ target), float(weight @ (1.0 - target))
    taken = np.asarray(arm_tree(columns, effect).predict(matrix, raw_score=True, num_threads=1))
    # Half a row more of each, for weights that are 0 on all of one kind.
    level = np.log((bads + 0.5) / (goods + 0.5)) - np.average(taken, weights=weight)
    return arm_tree(columns, effect + level)


def parse_trees(
    content: bytes, where: str, columns: tuple[str, ...], predictor: Predictor
) -> TreeScores:
    """Read trees from text whose hash the caller has checked.

    Raises
    ------
    ModelError
        If LightGBM refuses the text, or its columns are not these in this order.
    """
    try:
        text = content.decode()
        booster = lgb.Booster(model_str=text)
    except (lgb.basic.LightGBMError, UnicodeDecodeError) as error:
        raise ModelError(
            f"not LightGBM text ({error})", where=where, mend="Save the model again."
        ) from error
    if tuple(booster.feature_name()) != columns:
        raise ModelError(
            f"trees over {booster.num_feature()} columns that are not the manifest's "
            f"{len(columns)}, or in another order",
            where=where,
            mend="Save the model again.",
        )
    return TreeScores(booster, predictor, text)


def _read_slice(
    eval_set: EvalSet, columns: tuple[str, ...]
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    X, y, *rest = eval_set
    matrix, (whole, parts) = design_matrix(X, columns), _whole_bads(y)
    bad = outcomes(whole, len(matrix))
    target = bad.astype(np.float64) if parts is None else parts
    return matrix, target, weights(rest[0] if rest else None, len(matrix))


def _whole_bads(y: ArrayLike) -> tuple[ArrayLike, NDArray[np.float64] | None]:
    """Return which outcomes are bads and, where some are parts of one, the parts.

    What is neither comes back as it was, to be refused with all that are no outcomes.
    """
    values = np.asarray(y)
    if values.dtype.kind != "f" or not (
        _has_parts(values) and ((values >= 0) & (values <= 1)).all()
    ):
        return y, None
    return values >= 1.0, values


def _has_parts(target: NDArray[np.float64]) -> bool:
    return bool(((target > 0.0) & (target < 1.0)).any())


def _check_names(columns: tuple[str, ...]) -> None:
    wrong = [name for name in columns if not re.fullmatch(r"[\w.\-]+", name)]
    if wrong:
        raise ModelError(
            f"column names that a model file can't hold: {wrong[:5]}",
            mend="Use letters, digits, _, . and - only.",
        )
