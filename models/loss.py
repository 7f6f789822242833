"""Expected loss of restoring the whole freed limit: risk x severity x freed, in fen.

Severity is the share of the restored amount that is lost if the borrower goes bad: loss given
default times the part of the restored limit that is drawn by then (credit conversion). It does
not depend on the risk, so a higher risk never means a lower expected loss, all else equal.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Protocol

import lightgbm as lgb
import numpy as np
from numpy.typing import ArrayLike, NDArray

from relimit.data.errors import ModelError
from relimit.models.base import Frame, column_names, design_matrix, weights
from relimit.models.boosting import parse_booster
from relimit.models.prediction import Predictor, TreeScores

LOSS_TREES_FILE: Final = "loss.txt"
JUDGED_BADS: Final = 4_000
"""Bads on which trees are held against a constant; the better one is fitted on all."""

FOLDS: Final = 3

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LossSettings:
    """What is assumed where losses were not observed, and when they count as observed.

    `credit_conversion` 0.75 is the Basel II foundation approach's factor for commitments.
    """

    loss_given_default: float = 0.8
    credit_conversion: float = 0.75
    min_bads: int = 200
    prior_bads: int = 50

    @property
    def severity(self) -> float:
        """The assumed share of a restored amount that is lost when bad."""
        return self.loss_given_default * self.credit_conversion


class LossHead(Protocol):
    """How much of a restored amount is lost if the borrower goes bad."""

    kind: ClassVar[str]

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the columns it reads, in their order; None if it reads none."""

    def severity(self, X: Float) -> Float:
        """Share of the restored amount lost when bad, float64 [n] in [0, 1]."""

    def to_json(self) -> dict[str, object]:
        """Plain values that `loss_from_json` reads."""

    def files(self) -> dict[str, bytes]:
        """Further files that hold it."""


@dataclass(frozen=True, slots=True)
class ConstantSeverity:
    """One severity for all: assumed if `bads` is 0, else shrunk towards the assumption."""

    kind: ClassVar[str] = "constant"
    value: float
    bads: int
    settings: LossSettings

    @property
    def columns(self) -> None:
        """It reads no column."""
        return

    def severity(self, X: Float) -> Float:
        """Share of the restored amount lost when bad, float64 [n]."""
        return np.full(len(X), self.value)

    def to_json(self) -> dict[str, object]:
        """Plain values that `loss_from_json` reads."""
        settings = asdict(self.settings)
        return {"kind": self.kind, "value": self.value, "bads": self.bads, "settings": settings}

    def files(self) -> dict[str, bytes]:
        """No further file."""
        return {}


@dataclass(frozen=True, slots=True)
class TreeSeverity:
    """Severity by small regression trees fitted on the bads, clipped to [0, 1]."""

    kind: ClassVar[str] = "trees"
    scores: TreeScores
    bads: int
    settings: LossSettings

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns it reads, in their order."""
        return tuple(self.scores.booster.feature_name())

    def severity(self, X: Float) -> Float:
        """Share of the restored amount lost when bad, float64 [n]."""
        if not len(X):
            return np.empty(0)
        return np.clip(self.scores.raw(X), 0.0, 1.0)

    def to_json(self) -> dict[str, object]:
        """Plain values that `loss_from_json` reads."""
        trees = int(self.scores.booster.num_trees())
        settings = asdict(self.settings)
        return {"kind": self.kind, "trees": trees, "bads": self.bads, "settings": settings}

    def files(self) -> dict[str, bytes]:
        """Return the trees as LightGBM text."""
        return {LOSS_TREES_FILE: self.scores.booster.model_to_string().encode()}


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
    settings
        The assumption, and how many bads it weighs.
    random_state
        Seed of the folds and the trees.

    Returns
    -------
    LossHead
        The assumption if there is no usable bad; one shrunk constant below `settings.min_bads`,
        or if trees do not predict held-out bads better; else trees.
    """
    settings = settings or LossSettings()
    columns = column_names(X)
    matrix = design_matrix(X, columns)
    weight = weights(sample_weight, len(matrix))
    restored = _numbers(freed) * (1.0 if share is None else _numbers(share))
    lost = _numbers(loss)
    usable = np.asarray(bad, dtype=bool) & (restored > 0) & np.isfinite(lost) & (weight > 0)
    exposure = weight[usable] * restored[usable]
    ratio = np.clip(lost[usable] / restored[usable], 0.0, 1.0)
    constant = _constant(ratio, exposure, settings)
    if usable.sum() < settings.min_bads:
        return constant
    rows = matrix[usable]
    judged = np.random.default_rng(random_state).permutation(len(rows))[:JUDGED_BADS]
    part = np.arange(len(judged)) % FOLDS
    if not _trees_predict_better(rows[judged], ratio[judged], exposure[judged], part, random_state):
        return constant
    booster = _grow(rows, ratio, exposure, random_state, columns)
    return TreeSeverity(TreeScores(booster), len(rows), settings)


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
    amount = _numbers(freed)
    if amount.shape != risk.shape:
        raise ModelError(
            f"{amount.shape} freed amounts for {risk.shape} rows", mend="Give one for each row."
        )
    if not np.isfinite(amount).all() or (amount < 0).any():
        raise ModelError(
            "freed amounts that are negative or missing",
            where="freed",
            mend="Give fen of at least 0 for each row.",
        )
    return risk * severity * amount


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
            if not 0.0 <= content["value"] <= 1.0:
                raise ValueError(f"severity {content['value']}")
            return ConstantSeverity(float(content["value"]), bads, settings)
        if content["kind"] != TreeSeverity.kind:
            raise ValueError(f"kind {content['kind']!r}")
        booster = parse_booster(files[LOSS_TREES_FILE], LOSS_TREES_FILE, columns)
        if booster.num_trees() != content["trees"]:
            raise ValueError(f"{booster.num_trees()} trees where {content['trees']} are stated")
    except (KeyError, TypeError, ValueError) as error:
        raise ModelError(
            f"not a loss head ({error!r})", where=where, mend="Save the model again."
        ) from error
    return TreeSeverity(TreeScores(booster, predictor), bads, settings)


def _numbers(values: ArrayLike) -> Float:
    return np.asarray(values, dtype=np.float64)


def _constant(ratio: Float, exposure: Float, settings: LossSettings) -> ConstantSeverity:
    """Total loss over total exposure, with the assumption as so many more average bads."""
    if not len(ratio):
        return assumed_loss(settings)
    prior = settings.prior_bads * exposure.mean()
    value = (ratio @ exposure + settings.severity * prior) / (exposure.sum() + prior)
    return ConstantSeverity(float(value), len(ratio), settings)


def _trees_predict_better(
    rows: Float, ratio: Float, exposure: Float, part: NDArray[np.intp], random_state: int
) -> bool:
    """Compare squared errors, weighted by exposure, on bads that neither was fitted on."""
    by_trees, by_mean = np.empty(len(rows)), np.empty(len(rows))
    names = column_names(rows)
    for held in range(int(part.max()) + 1):
        out = part == held
        booster = _grow(rows[~out], ratio[~out], exposure[~out], random_state, names)
        by_trees[out] = np.clip(booster.predict(rows[out], num_threads=1), 0.0, 1.0)
        by_mean[out] = np.average(ratio[~out], weights=exposure[~out])
    return bool(exposure @ (by_trees - ratio) ** 2 < exposure @ (by_mean - ratio) ** 2)


def _grow(
    rows: Float, ratio: Float, exposure: Float, random_state: int, columns: tuple[str, ...]
) -> lgb.Booster:
    settings = {
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
    scaled = exposure / exposure.mean()
    data = lgb.Dataset(rows, ratio, weight=scaled, feature_name=list(columns))
    return lgb.train(settings, data, num_boost_round=60)
