"""Expected loss of restoring the whole freed limit: risk x severity x freed, in fen.

Severity is learnt from the bads, and no more freely than held-out ones allow: a constant, a curve
over the part of the limit that was restored, or trees.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

import lightgbm as lgb
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from relimit.data.errors import ModelError
from relimit.models.base import Frame, column_names, design_matrix, weights
from relimit.models.boosting import parse_trees
from relimit.models.prediction import Predictor, TreeScores
from relimit.models.severity import (
    LOSS_TREES_FILE,
    ConstantSeverity,
    LossHead,
    LossSettings,
    TreeSeverity,
)
from relimit.models.severity_curve import LIMIT, CurveSeverity, fit_curve, part_of_limit

JUDGED_BADS: Final = 4_000
"""Bads on which heads are held against each other; the best one is fitted on all."""

FOLDS: Final = 3

Float = NDArray[np.float64]


def assumed_loss(settings: LossSettings | None = None) -> ConstantSeverity:
    """Return the severity for observations without losses: LGD x credit conversion.

    Examples
    --------
    >>> round(assumed_loss().value, 2)
    0.6
    """
    settings = settings or LossSettings()
    return ConstantSeverity(settings.severity, 0, settings)


def fit_loss(
    X: Frame,
    *,
    bad: ArrayLike,
    freed: ArrayLike,
    loss: ArrayLike,
    share: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
    groups: ArrayLike | None = None,
    settings: LossSettings | None = None,
    random_state: int = 0,
) -> LossHead:
    """Fit severity on the bad rows whose loss and restored amount are known.

    Parameters
    ----------
    X
        [n, F] features, without arm columns.
    bad
        [n] outcome, true for bad.
    freed, loss
        [n] fen, NaN where unknown.
    share
        [n] the share of `freed` that was restored; all of it if absent. Rows that restored
        nothing say nothing about severity.
    sample_weight
        [n], at least 0.
    groups
        [n] ids of accounts: bads of one account are held out together, since trees know an account
        again by its features. Each row is its own if absent.
    settings
        The assumption, and how many bads it weighs.
    random_state
        Seed of the folds and the trees.

    Returns
    -------
    LossHead
        The assumption if there is no usable bad; else one constant, drawn towards the assumption.
        From `settings.curve_bads` on a curve (where `X` has the limit, `LIMIT`), and from
        `settings.min_bads` on trees, if they predict held-out bads better.
    """
    settings = settings or LossSettings()
    matrix = design_matrix(X, column_names(X))
    weight = weights(sample_weight, len(matrix))
    restored = _numbers(freed) * (1.0 if share is None else _numbers(share))
    lost = _numbers(loss)
    usable = np.asarray(bad, dtype=bool) & (restored > 0) & np.isfinite(lost) & (weight > 0)
    bads = _Bads(
        column_names(X),
        matrix[usable],
        restored[usable],
        np.clip(lost[usable] / restored[usable], 0.0, 1.0),
        weight[usable] * restored[usable],
        pd.factorize(np.arange(len(matrix)) if groups is None else np.asarray(groups))[0][usable],
    )
    heads = _heads_for(bads, settings)
    if len(heads) > 1:
        judged = np.random.default_rng(random_state).permutation(len(bads))[:JUDGED_BADS]
        # Without the assumption: it is what level to expect, not how losses are spread.
        alone = replace(settings, prior_bads=0)
        errors = [_held_out_error(fit, bads.take(judged), alone, random_state) for fit in heads]
        heads = [heads[int(np.argmin(errors))]]
    return heads[0](bads, settings, random_state)


def expected_loss(risk: Float, severity: Float, freed: ArrayLike) -> Float:
    """Return risk x severity x freed, in fen, float64 [n].

    Raises
    ------
    ModelError
        If a freed amount is negative or not finite.

    Examples
    --------
    >>> expected_loss(np.array([0.1]), np.array([0.5]), [100_000])
    array([5000.])
    """
    return risk * severity * freed_amounts(freed, len(risk))


def freed_amounts(freed: ArrayLike, rows: int) -> Float:
    """Return amounts in fen as float64 [rows].

    Raises
    ------
    ModelError
        If there is not one for each row, or one is negative or not finite.
    """
    amount = _numbers(freed)
    if amount.shape != (rows,):
        raise ModelError(
            f"{amount.shape} freed amounts for {rows} rows", mend="Give one for each row."
        )
    if not np.isfinite(amount).all() or (amount < 0).any():
        raise ModelError(
            "freed amounts that are negative or missing",
            where="freed",
            mend="Give fen of at least 0 for each row.",
        )
    return amount


def loss_from_json(
    content: Mapping[str, Any],
    files: Mapping[str, bytes],
    columns: tuple[str, ...],
    where: str,
    predictor: Predictor = "auto",
) -> LossHead:
    """Read what `to_json` and `files` wrote.

    Raises
    ------
    ModelError
        If the kind is unknown, a value absent or out of [0, 1], or the trees don't match.
    """
    try:
        settings = LossSettings(**content["settings"])
        bads = int(content["bads"])
        if content["kind"] == ConstantSeverity.kind:
            return ConstantSeverity(_fraction(content["value"]), bads, settings)
        if content["kind"] == CurveSeverity.kind:
            level, slope = float(content["level"]), float(content["slope"])
            unknown = _fraction(content["unknown"])
            return CurveSeverity(columns, level, slope, unknown, bads, settings)
        if content["kind"] != TreeSeverity.kind:
            raise ValueError(f"kind {content['kind']!r}")
        scores = parse_trees(files[LOSS_TREES_FILE], LOSS_TREES_FILE, columns, predictor)
        if (trees := scores.booster.num_trees()) != content["trees"]:
            raise ValueError(f"{trees} trees where {content['trees']} are stated")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"not a loss head ({error!r})", where=where, mend="Save the model again."
        ) from error
    return TreeSeverity(scores, bads, settings)


def _fraction(value: Any) -> float:
    if not 0.0 <= value <= 1.0:
        raise ValueError(f"severity {value}")
    return float(value)


def _numbers(values: ArrayLike) -> Float:
    return np.asarray(values, dtype=np.float64)


@dataclass(frozen=True, slots=True)
class _Bads:
    """Bads that tell a severity: features, fen restored, the part of it lost, weight, account."""

    columns: tuple[str, ...]
    matrix: Float
    restored: Float
    ratio: Float
    exposure: Float
    group: NDArray[np.intp]

    def __len__(self) -> int:
        return len(self.ratio)

    def take(self, rows: NDArray[Any]) -> "_Bads":
        """Return some rows, by index or by mask."""
        return _Bads(
            self.columns,
            self.matrix[rows],
            self.restored[rows],
            self.ratio[rows],
            self.exposure[rows],
            self.group[rows],
        )

    @property
    def part(self) -> Float:
        """`[n]` the part of the limit that was restored, NaN where no limit is known."""
        if LIMIT not in self.columns:
            return np.full(len(self), np.nan)
        return part_of_limit(self.restored, self.matrix[:, self.columns.index(LIMIT)])


_Fit = Callable[[_Bads, LossSettings, int], LossHead]


def _heads_for(bads: _Bads, settings: LossSettings) -> list[_Fit]:
    """Return what so many bads can tell, from the simplest: of equal errors it is taken."""
    heads: list[_Fit] = [_constant]
    if np.isfinite(bads.part).sum() >= settings.curve_bads:
        heads.append(_curve)
    if len(bads) >= settings.min_bads:
        heads.append(_trees)
    return heads


def _held_out_error(fit: _Fit, bads: _Bads, settings: LossSettings, random_state: int) -> float:
    """Return the squared error, weighted by exposure, on bads that a head was not fitted on."""
    fold, error = pd.factorize(bads.group)[0] % FOLDS, 0.0
    for held in range(FOLDS):
        out = bads.take(fold == held)
        head = fit(bads.take(fold != held), settings, random_state)
        said = head.severity(out.matrix, out.restored)
        error += float(out.exposure @ (said - out.ratio) ** 2)
    return error


def _constant(bads: _Bads, settings: LossSettings, _: int) -> ConstantSeverity:
    """Total loss over total exposure, with the assumption as so many more average bads."""
    if not len(bads):
        return assumed_loss(settings)
    prior = settings.prior_bads * bads.exposure.mean()
    lost = bads.ratio @ bads.exposure + settings.severity * prior
    return ConstantSeverity(float(lost / (bads.exposure.sum() + prior)), len(bads), settings)


def _curve(bads: _Bads, settings: LossSettings, random_state: int) -> LossHead:
    """Spread the constant over parts of the limit: in total both expect the same.

    Where nothing was lost, or everything, and nothing is assumed, there is nothing to spread.
    """
    constant = _constant(bads, settings, random_state)
    mean = constant.value
    if not 0.0 < mean < 1.0:
        return constant
    known = np.isfinite(bads.part)
    some = bads.take(known)
    level, slope = fit_curve(some.part, some.ratio, some.exposure, mean)
    return CurveSeverity(bads.columns, level, slope, mean, int(known.sum()), settings)


def _trees(bads: _Bads, settings: LossSettings, random_state: int) -> TreeSeverity:
    grown = {
        "objective": "regression",
        "learning_rate": 0.05,
        "num_leaves": 7,
        "min_child_samples": 30,
        "feature_fraction": 0.5,
        "max_bin": 63,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1,
        "seed": random_state,
        "verbosity": -1,
    }
    scaled = bads.exposure / bads.exposure.mean()
    data = lgb.Dataset(bads.matrix, bads.ratio, weight=scaled, feature_name=list(bads.columns))
    booster = lgb.train(grown, data, num_boost_round=60)
    return TreeSeverity(TreeScores(booster), len(bads), settings)
