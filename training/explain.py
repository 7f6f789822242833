"""What drives a model: importance, the directions it keeps, and what each family is worth."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import lightgbm as lgb
import numpy as np
from scipy.stats import rankdata

from relimit.data.vocabulary import ARMS, DELAYS_DAYS, SHARES
from relimit.features import catalogue
from relimit.models import ARM_DIRECTIONS, RiskModel, ScorecardHead
from relimit.training.discrimination import Bools, Floats, auc
from relimit.training.labelled import Labelled
from relimit.training.logged_risk import logged_risk
from relimit.training.metrics import log_loss
from relimit.training.splits import sample_rows

EXPLAINED_ROWS: Final = 500
SWEPT_ROWS: Final = 20
PERMUTED_ROWS: Final = 5_000
REFIT_ROWS: Final = 6_000
REFIT_SETTINGS: Final = {
    "objective": "binary",
    "learning_rate": 0.3,
    "num_leaves": 15,
    "max_bin": 63,
    "min_child_samples": 50,
    "feature_fraction": 0.3,
    "lambda_l2": 5.0,
    "deterministic": True,
    "force_col_wise": True,
    "num_threads": 1,
    "verbosity": -1,
}
REFIT_TREES: Final = 20
"""A fit a family must stay cheap beside the training itself: small trees, and few."""
ROUNDING: Final = 1e-9
OTHER: Final = "other"


@dataclass(frozen=True, slots=True)
class Importance:
    """How far a feature moves the log-odds: mean absolute contribution, and its share of all."""

    name: str
    family: str
    contribution: float
    share: float


@dataclass(frozen=True, slots=True)
class Direction:
    """Whether a constrained feature, or a part of the arm, moves the risk as it must.

    Attributes
    ----------
    name
        The column.
    expected
        1: risk may not fall as it rises; −1: may not rise.
    correlation
        Spearman's, of value and contribution; NaN if either is constant, and for the arm.
    steps, moved, against
        Steps of the sweep, those that moved the risk, and those that moved it the wrong way.
    """

    name: str
    expected: int
    correlation: float
    steps: int
    moved: int
    against: int


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What is lost when a family's values are shuffled among the rows, all its columns together."""

    family: str
    features: int
    auc_loss: float
    log_loss_rise: float


@dataclass(frozen=True, slots=True)
class Refit:
    """What is lost when small trees are fitted without a family, beside such trees with all."""

    family: str
    auc_loss: float
    log_loss_rise: float


def importances(model: RiskModel, contributions: Floats) -> list[Importance]:
    """Return each feature's importance from contributions `[n, F]`, the largest first."""
    size = np.abs(contributions).mean(axis=0)
    total = float(size.sum()) or 1.0
    families = _families()
    found = [
        Importance(name, families.get(name, OTHER), float(size[i]), float(size[i]) / total)
        for i, name in enumerate(model.feature_names)
    ]
    return sorted(found, key=lambda item: -item.contribution)


def check_directions(model: RiskModel, X: Floats, contributions: Floats) -> list[Direction]:
    """Sweep every constrained feature over its training deciles and beyond, and the 25 arms.

    All else is held.

    Parameters
    ----------
    model
        Its log-odds at arm (1, 0) are looked at, before calibration, which keeps their order.
    X, contributions
        `[n, F]` rows and their contributions; the first 20 rows are swept.
    """
    expected = {known.name: known.risk for known in catalogue() if known.risk}
    found = [
        _check_direction(model, X, contributions[:, place], place, expected[name])
        for place, name in enumerate(model.feature_names)
        if name in expected
    ]
    return found + (_check_arms(model, X[:SWEPT_ROWS]) if model.has_arms else [])


def family_sensitivity(
    model: RiskModel, X: Floats, test: Labelled, seed: int = 0
) -> list[Sensitivity]:
    """Return what shuffling each feature family costs on at most 5,000 test rows.

    The model is not fitted again (permutation importance, Breiman 2001): it can't make up for the
    family with what goes along with it, as one fitted without the family would.
    """
    rows = sample_rows(len(test), PERMUTED_ROWS, seed)
    X, test = X[rows], test.take(rows)
    risk = logged_risk(model, X, test)
    base = auc(test.bad, risk), log_loss(test.bad, risk)
    shuffled = np.random.default_rng(seed).permutation(len(rows))
    families = _families()
    members = np.array([families.get(name, OTHER) for name in model.feature_names])
    found = []
    for family in np.unique(members):
        columns = np.flatnonzero(members == family)
        mixed = X.copy()
        mixed[:, columns] = X[np.ix_(shuffled, columns)]
        risk = logged_risk(model, mixed, test)
        losses = base[0] - auc(test.bad, risk), log_loss(test.bad, risk) - base[1]
        found.append(Sensitivity(str(family), len(columns), *losses))
    return sorted(found, key=lambda item: -item.log_loss_rise)


def family_refits(
    names: Sequence[str],
    learn: tuple[Floats, Bools],
    test: tuple[Floats, Bools],
    seed: int = 0,
) -> list[Refit]:
    """Return what leaving out each feature family costs once everything else is fitted anew.

    Where the other features tell the same, it costs nothing, whatever shuffling costs. Each fit is
    20 small trees, whatever the judged model is made of.

    Parameters
    ----------
    names
        Columns of both matrices; those that no family has, such as the arm, are always kept.
    learn, test
        `[m, F]` rows to fit on with their outcomes, and `[n, F]` rows to judge on.
    seed
        Of the features drawn for each tree: the same in every fit.
    """
    families = _families()
    members = np.array([families.get(name, "") for name in names])
    directions = {known.name: known.risk for known in catalogue()} | ARM_DIRECTIONS
    settings = {
        **REFIT_SETTINGS,
        "seed": seed,
        # As text, which LightGBM's copies of the settings cost nothing of.
        "monotone_constraints": ",".join(str(directions.get(name, 0)) for name in names),
    }
    data = lgb.Dataset(learn[0], learn[1], params=settings, free_raw_data=False)

    def judged(left_out: str | None) -> tuple[float, float]:
        # A gain of 0 is no split: the rows are binned once for all fits.
        kept = ",".join((members != left_out).astype(int).astype(str))
        trees = lgb.train(settings | {"feature_contri": kept}, data, num_boost_round=REFIT_TREES)
        risk = np.asarray(trees.predict(test[0], num_threads=1))
        return auc(test[1], risk), log_loss(test[1], risk)

    area, loss = judged(None)
    found = []
    for family in sorted(set(members) - {""}):
        without = judged(family)
        found.append(Refit(str(family), area - without[0], without[1] - loss))
    return found


def _families() -> dict[str, str]:
    return {known.name: known.family for known in catalogue()}


def _check_direction(
    model: RiskModel, X: Floats, contribution: Floats, place: int, expected: int
) -> Direction:
    name = model.feature_names[place]
    edges = np.array(model.reference.features[name].edges)
    correlation = _spearman(X[:, place], contribution)
    if len(edges) == 0:
        return Direction(name, expected, correlation, 0, 0, 0)
    beyond = max(float(np.ptp(edges)), 1.0)
    values = np.concatenate([[edges[0] - beyond], edges, [edges[-1] + beyond]])
    values = values[~np.isin(values, _codes(model, name))]
    rows = X[:SWEPT_ROWS]
    swept = np.repeat(rows, len(values), axis=0)
    swept[:, place] = np.tile(values, len(rows))
    steps = np.diff(model.log_odds(swept).reshape(len(rows), -1), axis=1)
    return _direction(name, expected, correlation, steps)


def _codes(model: RiskModel, name: str) -> tuple[float, ...]:
    """Return a card's special codes of a feature, which stand for no quantity: in no order."""
    if not isinstance(model.head, ScorecardHead):
        return ()
    return next((one.bins.codes for one in model.head.features if one.name == name), ())


def _check_arms(model: RiskModel, rows: Floats) -> list[Direction]:
    """Step from each share to the next at every delay, and from each delay at every share."""
    by_arm = np.stack([model.log_odds(rows, arm) for arm in ARMS], axis=1)
    grid = by_arm.reshape(len(rows), len(SHARES), len(DELAYS_DAYS))
    return [
        _direction(name, expected, float("nan"), np.diff(grid, axis=axis))
        for axis, (name, expected) in enumerate(ARM_DIRECTIONS.items(), 1)
    ]


def _direction(name: str, expected: int, correlation: float, steps: Floats) -> Direction:
    moved, against = np.abs(steps) > ROUNDING, steps * expected < -ROUNDING
    return Direction(name, expected, correlation, steps.size, int(moved.sum()), int(against.sum()))


def _spearman(x: Floats, y: Floats) -> float:
    known = ~np.isnan(x)
    a, b = rankdata(x[known]), rankdata(y[known])
    if known.sum() < 2 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
