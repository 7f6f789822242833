"""Risks by arm follow what the log shows of level, spread and share."""

import numpy as np
import pytest
from scipy.special import expit

from relimit.training.risk_scale import RiskScale


def logged(level, slope, of_share, n=60_000):
    rng = np.random.default_rng(0)
    log_odds = rng.normal(-3, 1, n)
    share = np.clip(0.6 - 0.2 * (log_odds + 3) + rng.normal(0, 0.3, n), 0, 1)
    bad = rng.random(n) < expit(level + slope * log_odds + of_share * share)
    return log_odds, share, bad.astype(float)


def test_level_slope_and_share_are_found_though_the_rule_shares_by_risk():
    scale = RiskScale.fit(*logged(0.4, 0.8, 1.2))
    assert scale.level == pytest.approx(0.4, abs=0.25)
    assert scale.slope == pytest.approx(0.8, abs=0.06)
    assert scale.of_share == pytest.approx(1.2, abs=0.15)


def test_the_mean_risk_is_the_bad_rate():
    log_odds, share, bad = logged(0.0, 1.0, 0.5)
    scale = RiskScale.fit(log_odds, share, bad)
    assert scale.risk(log_odds, share).mean() == pytest.approx(bad.mean(), rel=1e-3)


def test_restoring_more_never_lowers_a_risk():
    scale = RiskScale.fit(*logged(0.0, 1.0, -1.0))
    assert scale.of_share == 0.0


def test_a_few_rows_leave_the_trees_as_they_are():
    scale = RiskScale.fit(np.array([-2.0, -2.0]), np.array([1.0, 0.0]), np.array([1.0, 0.0]))
    assert scale.slope == pytest.approx(1.0, abs=0.6)
    assert scale.of_share < 3.0
