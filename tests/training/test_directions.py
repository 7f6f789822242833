"""Every constrained feature of the catalogue is swept, whatever the outcomes say of it."""

from functools import cache

import numpy as np
import pytest
from scipy.special import expit

from relimit.features import catalogue, model_feature_names
from relimit.training.fit import Fitted, fit_model
from relimit.training.labelled import Labelled
from relimit.training.splits import Split

ROWS = 6_000
LEVELS = np.arange(4.0)
SWEPT_ROWS = 12
NAMES = model_feature_names()
DIRECTIONS = {item.name: item.risk for item in catalogue() if item.risk}
SETTINGS = {
    "lightgbm": {"max_trees": 100, "learning_rate": 0.1, "min_child_samples": 20},
    "scorecard": {"max_features": len(NAMES), "min_information_value": 0.0, "max_bins": 4},
}


def book(sign: int, seed: int = 0) -> tuple[np.ndarray, Labelled]:
    """All columns a model sees; each constrained one moves the risk by `sign` its direction."""
    rng = np.random.default_rng(seed)
    X = rng.choice(LEVELS, (ROWS, len(NAMES)))
    place = [NAMES.index(name) for name in DIRECTIONS]
    along = (X[:, place] - LEVELS.mean()) @ np.array(list(DIRECTIONS.values()))
    free = X[:, [NAMES.index(name) for name in NAMES if name not in DIRECTIONS][:3]]
    share, delay = rng.choice([0.5, 1.0], ROWS), rng.choice([0.0, 7.0], ROWS)
    odds = -1.0 + sign * 0.35 * along + (free - LEVELS.mean()).sum(axis=1) * 0.4 + 0.5 * share
    X[rng.random(X.shape) < 0.05] = np.nan
    unknown = np.full(ROWS, np.nan)
    return X, Labelled(
        account_id=np.arange(ROWS),
        as_of=np.arange(ROWS),
        bad=rng.random(ROWS) < expit(odds),
        share=share,
        delay_days=delay,
        propensity=np.full(ROWS, 0.25),
        freed=unknown,
        loss=unknown,
    )


def split() -> Split:
    fit, calibrate, test = np.split(np.arange(ROWS), [4_000, 5_000])
    return Split(fit, calibrate, test, "out_of_account", None, 0, "by hand")


@cache
def learn(family: str, sign: int) -> tuple[Fitted, np.ndarray]:
    X, labelled = book(sign)
    parameters = SETTINGS[family]
    fitted = fit_model(family, X, NAMES, labelled, split(), parameters=parameters, workers=1)
    return fitted, X[-SWEPT_ROWS:]


def sweep(fitted: Fitted, X: np.ndarray) -> np.ndarray:
    """Risk at all arms as each constrained feature rises: [features, levels, rows, 25]."""
    values = np.array([-1.0, *LEVELS, 0.5, 99.0])
    values.sort()
    moved = np.tile(X, (len(DIRECTIONS), len(values), 1, 1))
    for i, name in enumerate(DIRECTIONS):
        moved[i, :, :, NAMES.index(name)] = values[:, None]
    risk = fitted.model.risk_by_arm(moved.reshape(-1, len(NAMES)))
    return risk.reshape(len(DIRECTIONS), len(values), len(X), 25)


@pytest.mark.parametrize("family", ["lightgbm", "scorecard"])
def test_where_outcomes_follow_the_directions_every_risk_moves_along_its_own(family):
    fitted, X = learn(family, +1)
    for name, risk in zip(DIRECTIONS, sweep(fitted, X), strict=True):
        steps = np.diff(risk, axis=0) * DIRECTIONS[name]
        assert (steps >= 0.0).all(), name
        assert np.ptp(risk, axis=0).max() > 0.01, name


@pytest.mark.parametrize("family", ["lightgbm", "scorecard"])
def test_where_outcomes_contradict_the_directions_no_risk_follows_them(family):
    fitted, X = learn(family, -1)
    assert fitted.metrics["auc"] > 0.55  # by the features that are free
    for name, risk in zip(DIRECTIONS, sweep(fitted, X), strict=True):
        assert (np.diff(risk, axis=0) * DIRECTIONS[name] >= 0.0).all(), name


@pytest.mark.parametrize("family", ["lightgbm", "scorecard"])
def test_what_is_constrained_is_what_the_catalogue_constrains(family):
    fitted, _ = learn(family, +1)
    assert fitted.model.feature_names == NAMES
    assert set(DIRECTIONS) <= set(NAMES)
    assert len(DIRECTIONS) >= 45
    assert fitted.parameters["monotone"] == DIRECTIONS
