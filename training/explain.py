"""What drives a model: importance, the directions it keeps, and what each family is worth."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.stats import rankdata

from relimit.features import catalogue
from relimit.models import RiskModel
from relimit.training.discrimination import Floats, auc
from relimit.training.fit import logged_risk
from relimit.training.labelled import Labelled
from relimit.training.metrics import log_loss
from relimit.training.splits import sample_rows

EXPLAINED_ROWS: Final = 500
SWEPT_ROWS: Final = 20
PERMUTED_ROWS: Final = 5_000
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
    """Whether a constrained feature moves the risk as it must.

    Attributes
    ----------
    name
        The feature.
    expected
        1: risk may not fall as it rises; −1: may not rise.
    correlation
        Spearman's, of value and contribution; NaN if either is constant.
    steps, against
        Steps of the sweep over the training deciles, and those that went the wrong way.
    """

    name: str
    expected: int
    correlation: float
    steps: int
    against: int


@dataclass(frozen=True, slots=True)
class Sensitivity:
    """What is lost when a family's values are shuffled among the rows, all its columns together."""

    family: str
    features: int
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
    """Sweep every constrained feature over its training deciles and beyond, others held.

    Parameters
    ----------
    model
        Its log-odds at arm (1, 0) are looked at, before calibration, which keeps their order.
    X, contributions
        `[n, F]` rows and their contributions; the first 20 rows are swept.
    """
    expected = {known.name: known.risk for known in catalogue() if known.risk}
    return [
        _check_direction(model, X, contributions[:, place], place, expected[name])
        for place, name in enumerate(model.feature_names)
        if name in expected
    ]


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


def _families() -> dict[str, str]:
    return {known.name: known.family for known in catalogue()}


def _check_direction(
    model: RiskModel, X: Floats, contribution: Floats, place: int, expected: int
) -> Direction:
    name = model.feature_names[place]
    edges = np.array(model.reference.features[name].edges)
    correlation = _spearman(X[:, place], contribution)
    if len(edges) == 0:
        return Direction(name, expected, correlation, 0, 0)
    beyond = max(float(np.ptp(edges)), 1.0)
    values = np.concatenate([[edges[0] - beyond], edges, [edges[-1] + beyond]])
    rows = X[:SWEPT_ROWS]
    swept = np.repeat(rows, len(values), axis=0)
    swept[:, place] = np.tile(values, len(rows))
    steps = np.diff(model.log_odds(swept).reshape(len(rows), -1), axis=1) * expected
    return Direction(name, expected, correlation, steps.size, int((steps < -ROUNDING).sum()))


def _spearman(x: Floats, y: Floats) -> float:
    known = ~np.isnan(x)
    a, b = rankdata(x[known]), rankdata(y[known])
    if known.sum() < 2 or np.ptp(a) == 0.0 or np.ptp(b) == 0.0:
        return float("nan")
    return float(np.corrcoef(a, b)[0, 1])
