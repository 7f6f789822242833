"""What would have come of each decision under each of the 25 arms: outcome models, cross-fitted.

A log tells the outcome of the arm that was taken. These models fill in the others, for off-policy
values and for choosing arms; no row is answered by a model that has seen its account (Chernozhukov
et al. 2018). How each is fitted was chosen by its error against simulated truth.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from relimit.data.errors import DataError
from relimit.data.vocabulary import ARMS, BAD_HORIZON_DAYS
from relimit.features import catalogue
from relimit.models import ARM_COLUMNS, BoostedTrees, Frame, design_matrix, fit_loss
from relimit.models.base import column_names
from relimit.training.matured import numbers
from relimit.training.risk_scale import RiskScale

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESTORED_TO_LIMIT: Final = "restored_to_limit"
FOLDS: Final = 5
LEAST_BAD_ACCOUNTS: Final = 10
"""With fewer, some fold would learn what goes bad from one or two borrowers."""
MOST_TREES: Final = 300
PATIENCE: Final = 30
GROWTH: Final[dict[str, Any]] = {"learning_rate": 0.15, "num_leaves": 15, "min_child_samples": 50}


@dataclass(frozen=True, slots=True)
class LoggedOutcomes:
    """What came of `[n]` logged decisions: 0 or 1, then fen; NaN where it is not known.

    `limit`, at the decision, is what a margin is measured by; where it is NaN, what was freed is.
    """

    bad: Floats
    loss: Floats
    margin: Floats
    freed: Floats
    limit: Floats

    @classmethod
    def of(cls, realised: pa.Table) -> Self:
        """Read them from what `realised` returns."""
        names = ("bad", "loss", "margin", "freed", "limit")
        return cls(*(numbers(realised, name) for name in names))

    @property
    def known(self) -> NDArray[np.bool_]:
        """Which rows tell all of it."""
        parts = (self.bad, self.loss, self.margin, self.freed)
        return np.asarray(np.isfinite(parts).all(axis=0))


@dataclass(frozen=True, slots=True)
class ArmOutcomes:
    """Expected outcomes under every arm, `[n, 25]` float64 in the order of `ARMS`.

    Attributes
    ----------
    bad
        Probability.
    loss, margin
        Fen, as `realised` counts them.
    left_out
        Rows that taught nothing: their arm or what came of it is unknown. They are answered too.
    """

    bad: Floats
    loss: Floats
    margin: Floats
    left_out: int

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask; what was left out stays that of the whole."""
        return type(self)(self.bad[rows], self.loss[rows], self.margin[rows], self.left_out)


def fit_arm_outcomes(
    X: Frame,
    share: ArrayLike,
    delay_days: ArrayLike,
    outcomes: LoggedOutcomes,
    account: NDArray[Any],
    *,
    horizon_days: int = BAD_HORIZON_DAYS,
    folds: int = FOLDS,
    seed: int = 0,
    monotone: Mapping[str, int] | None = None,
) -> ArmOutcomes:
    """Fit bad, loss and margin by arm, and answer for every row from the folds without its account.

    Bad: monotone trees (`BoostedTrees`) over features, arm, and restored amount to limit, put on
    the log's scale (`RiskScale`). Loss:
    that risk times the restored amount times a severity fitted on the bads (`fit_loss`). Margin: a
    linear effect of the amount restored and of the time left to earn on it, found by partialling
    out the features (Robinson 1988), and trees over what it leaves: trees alone shrink an arm's
    effect to half of the truth.

    Parameters
    ----------
    X
        `[n, F]` features at the decision, NaN where null; a DataFrame if `monotone` names columns.
    share, delay_days
        `[n]` the arm that was taken, NaN where unknown.
    outcomes
        `[n]`; `freed` without NaN.
    account
        `[n]` ids, int64 or strings.
    horizon_days
        Over how many days the outcomes were told.
    folds, seed
        At least 3, and what deals accounts to them. Each fold's models are grown on the others but
        one, on which growing is stopped.
    monotone
        Direction of risk by feature, as for `BoostedTrees`.

    Raises
    ------
    DataError
        Fewer than ten accounts went bad, or all of them did.
    """
    names = (*column_names(X), RESTORED_TO_LIMIT, *ARM_COLUMNS)
    rows = _Rows.of(X, share, delay_days, outcomes, horizon_days)
    fold = deal_accounts(account, outcomes.bad == 1.0, folds=folds, seed=seed)
    log_odds, loss, margin = (np.empty((len(fold), len(ARMS))) for _ in range(3))
    directions = {**(monotone or {}), RESTORED_TO_LIMIT: 1}
    for held in range(folds):
        stop = rows.known & (fold == (held + 1) % folds)
        part = _Part(rows.known & (fold != held) & ~stop, stop, np.flatnonzero(fold == held), seed)
        log_odds[part.asked] = _log_odds(rows, part, names, directions)
        loss[part.asked] = _lost_if_bad(rows, part, names[:-3], account)
        margin[part.asked] = _margin(rows, part)
    risk = _scaled(rows, fold, log_odds)
    return ArmOutcomes(risk, risk * loss, margin, int((~rows.known).sum()))


def deal_accounts(
    account: NDArray[Any], bad: NDArray[np.bool_], *, folds: int = FOLDS, seed: int = 0
) -> Ints:
    """Return each row's fold; an account's rows share one, and bad accounts are dealt out evenly.

    Raises
    ------
    DataError
        Fewer than ten accounts went bad, or all of them did.
    ValueError
        Fewer than three folds.
    """
    if folds < 3:
        raise ValueError("at least three folds: one to answer for, one to stop on, one to grow on")
    place, distinct = pd.factorize(account)
    went_bad = np.bincount(place, weights=bad, minlength=len(distinct)) > 0
    count = int(went_bad.sum())
    if count < LEAST_BAD_ACCOUNTS or count > len(went_bad) - LEAST_BAD_ACCOUNTS:
        raise DataError(
            f"{count} of {len(went_bad)} accounts went bad after a decision",
            where="decisions",
            mend=f"Bring a log with at least {LEAST_BAD_ACCOUNTS} that did and as many that didn't",
        )
    shuffled = np.random.default_rng(seed).permutation(len(went_bad))
    order = shuffled[np.argsort(went_bad[shuffled], kind="stable")]
    dealt = np.empty(len(order), np.int64)
    dealt[order] = np.arange(len(order)) % folds
    return dealt[place]


def risk_directions(names: Sequence[str]) -> dict[str, int]:
    """Return the direction of risk by feature, where the catalogue states one."""
    return {known.name: known.risk for known in catalogue() if known.risk and known.name in names}


@dataclass(frozen=True, slots=True)
class _Part:
    """Rows to grow on and to stop growing on, `[n]` masks; row numbers to answer for; a seed."""

    grow: NDArray[np.bool_]
    stop: NDArray[np.bool_]
    asked: Ints
    seed: int


@dataclass(frozen=True, slots=True)
class _Rows:
    """Features with restored amount to limit and the arm behind them, and what came of it.

    `size` is what amounts are put in proportion to, so that large accounts don't outshout the rest.
    """

    matrix: Floats
    size: Floats
    freed: Floats
    bad: Floats
    loss: Floats
    margin: Floats
    known: NDArray[np.bool_]
    horizon_days: int

    @classmethod
    def of(
        cls,
        X: Frame,
        share: ArrayLike,
        delay_days: ArrayLike,
        outcomes: LoggedOutcomes,
        horizon_days: int,
    ) -> Self:
        arm = np.column_stack([share, delay_days]).astype(np.float64)
        size = np.maximum(np.fmax(outcomes.limit, outcomes.freed), 1.0)
        restored = outcomes.freed / size * arm[:, 0]
        matrix = np.column_stack([design_matrix(X, column_names(X)), restored, arm])
        known = outcomes.known & np.isfinite(arm).all(axis=1)
        came = (outcomes.freed, outcomes.bad, outcomes.loss, outcomes.margin)
        return cls(matrix, size, *came, known, horizon_days)

    @property
    def features(self) -> Floats:
        """Without the arm, but with what was freed to limit."""
        return np.column_stack([self.matrix[:, :-3], self.freed / self.size])

    @property
    def earning(self) -> Floats:
        """`[n]` restored amount to limit times the part of the horizon that it is back."""
        return self.earned_on(self.matrix[:, -3], self.matrix[:, -1])

    def earned_on(self, restored: Floats, delay_days: ArrayLike) -> Floats:
        """Return amounts times the part of the horizon that they are back."""
        return restored * np.maximum(1.0 - np.asarray(delay_days) / self.horizon_days, 0.0)

    def restored_by_arm(self, asked: Ints) -> Floats:
        """Return `[asked, 25]` fen."""
        return np.outer(self.freed[asked], [share for share, _ in ARMS])

    def by_arm(self, asked: Ints, answer: Any) -> Floats:
        """Return `[asked, 25]` what `answer` says of the rows under each arm."""
        matrix = self.matrix[asked].copy()
        result = np.empty((len(asked), len(ARMS)))
        for place, (share, delay) in enumerate(ARMS):
            matrix[:, -3] = self.freed[asked] / self.size[asked] * share
            matrix[:, -2:] = share, delay
            result[:, place] = answer(matrix)
        return result


def _log_odds(
    rows: _Rows, part: _Part, names: tuple[str, ...], directions: Mapping[str, int]
) -> Floats:
    """Return `[asked, 25]` log-odds of bad."""

    def frame(of: NDArray[np.bool_]) -> pd.DataFrame:
        return pd.DataFrame(rows.matrix[of], columns=list(names))

    model = BoostedTrees(
        directions,
        max_trees=MOST_TREES,
        early_stopping_rounds=PATIENCE,
        random_state=part.seed,
        **GROWTH,
    )
    later = frame(part.stop), rows.bad[part.stop]
    model.fit(frame(part.grow), rows.bad[part.grow], eval_set=later)
    return rows.by_arm(part.asked, model.head_.log_odds)


def _scaled(rows: _Rows, fold: Ints, log_odds: Floats) -> Floats:
    """Return `[n, 25]` risks on the scale of the log, each fold's from the others' rows."""
    shares = np.array([share for share, _ in ARMS])
    delays = np.array([delay for _, delay in ARMS])
    known = np.flatnonzero(rows.known)
    share, delay = rows.matrix[known, -2:].T
    distance = np.abs(share[:, None] - shares) * 1e3 + np.abs(delay[:, None] - delays)
    own = log_odds[known, distance.argmin(axis=1)]
    risk = np.empty_like(log_odds)
    for held in range(int(fold.max()) + 1):
        learn = fold[known] != held
        scale = RiskScale.fit(own[learn], share[learn], rows.bad[known][learn])
        risk[fold == held] = scale.risk(log_odds[fold == held], shares)
    return risk


def _lost_if_bad(rows: _Rows, part: _Part, names: tuple[str, ...], account: NDArray[Any]) -> Floats:
    """Return `[asked, 25]` fen that are lost of what an arm restores if the borrower goes bad."""
    features, learn = rows.matrix[:, :-3], part.grow | part.stop
    head = fit_loss(
        pd.DataFrame(features[learn], columns=list(names)),
        bad=rows.bad[learn],
        freed=rows.freed[learn],
        loss=rows.loss[learn],
        share=rows.matrix[learn, -2],
        groups=account[learn],
        random_state=part.seed,
    )
    asked, restored = features[part.asked], rows.restored_by_arm(part.asked)
    return restored * np.column_stack([head.severity(asked, amount) for amount in restored.T])


def _margin(rows: _Rows, part: _Part) -> Floats:
    effect = _earned_per_fen(rows, part)
    trees = _grow(rows.matrix, rows.margin / rows.size - effect * rows.earning, part)
    size, delays = rows.size[part.asked, None], [delay for _, delay in ARMS]
    linear = effect * rows.earned_on(rows.restored_by_arm(part.asked) / size, delays)
    return size * (linear + rows.by_arm(part.asked, trees.predict))


def _earned_per_fen(rows: _Rows, part: _Part) -> float:
    """Return what one fen restored for the whole horizon adds to the margin.

    Margin and restored amount are left with what the features can't tell, by trees that have not
    seen the rows: those on which growing was stopped.
    """
    features = rows.features
    margin, earning = (
        target[part.stop] - _grow(features, target, part).predict(features[part.stop])
        for target in (rows.margin / rows.size, rows.earning)
    )
    return float(margin @ earning / max(earning @ earning, 1e-9))


def _grow(matrix: Floats, target: Floats, part: _Part) -> lgb.Booster:
    train = lgb.Dataset(matrix[part.grow], target[part.grow])
    later = lgb.Dataset(matrix[part.stop], target[part.stop], reference=train)
    settings = {
        "objective": "regression", **GROWTH, "feature_fraction": 0.5, "bagging_fraction": 0.8,
        "bagging_freq": 1, "reg_lambda": 5.0, "deterministic": True, "force_row_wise": True,
        "num_threads": 1, "seed": part.seed, "verbosity": -1,
    }  # fmt: skip
    callbacks = [lgb.early_stopping(PATIENCE, verbose=False)]
    return lgb.train(settings, train, MOST_TREES, valid_sets=[later], callbacks=callbacks)
