from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from relimit.models import (
    BoostedTrees,
    RiskEstimator,
    RiskModel,
    Scorecard,
    assumed_loss,
    choose_calibration,
    fit_loss,
)

DIRECTIONS = {"dpd": 1, "score": -1, "count": 1}
FEATURES = ["dpd", "score", "count", "free"]


def _make_table(rows: int, seed: int, *, arms: bool = True) -> pd.DataFrame:
    """Features with ties, missing values and one useless column, arms, and an outcome."""
    rng = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "dpd": rng.choice([0.0, 0, 0, 0, 5, 15, 30], rows),
            "score": np.where(rng.random(rows) < 0.2, np.nan, rng.normal(600, 50, rows)),
            "count": rng.poisson(2, rows).astype(float),
            "free": rng.normal(size=rows),
        }
    )
    z = -2.5 + table["dpd"] / 12 - (table["score"].fillna(590) - 600) / 40 + 0.25 * table["count"]
    if arms:
        table["restored_share"] = rng.choice([0.0, 0.25, 0.5, 0.75, 1.0], rows)
        table["delay_days"] = rng.choice([0.0, 3, 7, 14, 30], rows)
        z += 1.5 * table["restored_share"] - 0.04 * table["delay_days"]
    table["bad"] = rng.random(rows) < 1 / (1 + np.exp(-z))
    return table


def _make_estimator(family: str, threads: int = 1) -> RiskEstimator:
    if family == "scorecard":
        return Scorecard(DIRECTIONS)
    return BoostedTrees(
        DIRECTIONS, max_trees=60, learning_rate=0.1, num_threads=threads, min_child_samples=20
    )


def _make_model(family: str, *, arms: bool = True, losses: bool = True) -> RiskModel:
    """A whole model from 3,000 rows, calibrated on 1,500 others."""
    train, later = _make_table(3000, 1, arms=arms), _make_table(1500, 2, arms=arms)
    estimator = _make_estimator(family).fit(train.drop(columns="bad"), train["bad"])
    log_odds = estimator.log_odds(later.drop(columns="bad"))
    calibration = choose_calibration(log_odds, later["bad"].to_numpy()).calibration
    features = train[FEATURES]
    loss = assumed_loss()
    if losses:
        lost = np.where(train["dpd"] > 10, 7000, 2000) * train["bad"]
        freed = np.full(len(train), 10_000)
        loss = fit_loss(features, bad=train["bad"], freed=freed, loss=lost)
    return RiskModel.assemble(
        estimator,
        calibration=calibration,
        loss=loss,
        reference_rows=features,
        arms_taken=np.array([[0.5, 7.0], [1.0, 0.0]]) if arms else None,
    )


@pytest.fixture(scope="session")
def features() -> list[str]:
    return FEATURES


@pytest.fixture(scope="session")
def directions() -> dict[str, int]:
    return DIRECTIONS


@pytest.fixture(scope="session")
def make_table() -> Callable[..., pd.DataFrame]:
    return _make_table


@pytest.fixture(scope="session")
def make_estimator() -> Callable[..., RiskEstimator]:
    return _make_estimator


@pytest.fixture(scope="session")
def make_model() -> Callable[..., RiskModel]:
    return _make_model


@pytest.fixture(scope="session", params=["scorecard", "lightgbm"])
def family(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def model(family: str) -> RiskModel:
    return _make_model(family)


@pytest.fixture(scope="session")
def rows() -> np.ndarray:
    """1,000 rows of the four features, with missing values."""
    return _make_table(1000, 9, arms=False)[FEATURES].to_numpy()
