"""Probability metrics against scikit-learn, scipy, and sums written out."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import brier_score_loss
from sklearn.metrics import log_loss as sklearn_log_loss

from relimit.training import metrics


def rows(seed: int, n: int = 500):
    rng = np.random.default_rng(seed)
    risk = expit(rng.normal(-1, 1.2, n))
    bad = rng.random(n) < expit(0.7 * logit(risk) + 0.3)
    bad[:2] = [True, False]
    return bad, risk, rng.exponential(size=n)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_scores_agree_with_scikit_learn(seed):
    bad, risk, weight = rows(seed)
    for w in (None, weight):
        assert metrics.brier(bad, risk, w) == pytest.approx(
            brier_score_loss(bad, risk, sample_weight=w)
        )
        assert metrics.log_loss(bad, risk, w) == pytest.approx(
            sklearn_log_loss(bad, risk, sample_weight=w)
        )


def test_reliability_agrees_with_scikit_learns_quantile_bins():
    bad, risk, _ = rows(0)
    rate, mean = calibration_curve(bad, risk, n_bins=10, strategy="quantile")
    ours = metrics.reliability(bad, risk)
    np.testing.assert_allclose(ours[0], mean)
    np.testing.assert_allclose(ours[1], rate)
    np.testing.assert_allclose(ours[2], 0.1)


def test_calibration_error_of_two_bins_by_hand():
    bad = np.array([True, False, True, True])
    risk = np.array([0.2, 0.2, 0.6, 0.6])
    assert metrics.expected_calibration_error(bad, risk, bins=2) == pytest.approx(
        0.5 * abs(0.2 - 0.5) + 0.5 * abs(0.6 - 1.0)
    )
    heavy = np.array([1.0, 3.0, 1.0, 1.0])
    assert metrics.expected_calibration_error(bad, risk, heavy, bins=2) == pytest.approx(
        4 / 6 * abs(0.2 - 0.25) + 2 / 6 * abs(0.6 - 1.0)
    )


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_calibration_slope_agrees_with_scikit_learns_unpenalised_regression(seed):
    bad, risk, weight = rows(seed)
    odds = logit(risk)[:, None]
    for w in (None, weight):
        model = LogisticRegression(C=np.inf, tol=1e-10, max_iter=1000).fit(odds, bad, w)
        slope = metrics.calibration_slope(bad, risk, w)
        assert slope.value == pytest.approx(model.coef_[0, 0], rel=1e-3)


def test_calibration_intercept_minimises_the_log_loss_of_a_shift():
    bad, risk, weight = rows(2)

    def loss(shift):
        return sklearn_log_loss(bad, expit(logit(risk) + shift), sample_weight=weight)

    best = minimize_scalar(loss, bounds=(-3, 3), method="bounded", options={"xatol": 1e-9}).x
    assert metrics.calibration_intercept(bad, risk, weight).value == pytest.approx(best, abs=1e-5)


def test_perfect_calibration_has_slope_one_and_intercept_zero():
    rng = np.random.default_rng(3)
    risk = expit(rng.normal(-1, 1.5, 200_000))
    bad = rng.random(risk.size) < risk
    assert metrics.calibration_slope(bad, risk).value == pytest.approx(1.0, abs=0.03)
    assert metrics.calibration_intercept(bad, risk).value == pytest.approx(0.0, abs=0.03)
    assert metrics.expected_calibration_error(bad, risk) < 0.005


def test_what_is_never_negative_has_no_limit_below_zero():
    bad = np.zeros(40, bool)
    bad[:2] = True
    risk = np.where(bad, 0.3, 0.02)
    found = metrics.evaluate(bad, risk, clusters=bad.astype(int))
    for name in ("brier", "log_loss"):
        assert 0.0 <= found[f"{name}_low"] < found[name] < found[f"{name}_high"]


def test_calibration_limits_agree_with_resampled_accounts():
    rng = np.random.default_rng(5)
    odds = np.repeat(rng.normal(-1, 1, 400), 5)
    account = np.repeat(np.arange(400), 5)
    bad = np.repeat(rng.random(400) < expit(odds[::5]), 5)
    risk = expit(odds)
    for figure in (metrics.calibration_slope, metrics.calibration_intercept):
        drawn = []
        for _ in range(300):
            rows = (rng.integers(0, 400, 400)[:, None] * 5 + np.arange(5)).ravel()
            drawn.append(figure(bad[rows], risk[rows]).value)
        found = figure(bad, risk, clusters=account)
        assert (found.high - found.low) / 2 == pytest.approx(1.96 * np.std(drawn), rel=0.15)


def test_spiegelhalters_z_standardises_the_brier_score_over_every_possible_outcome():
    risk = np.array([0.05, 0.2, 0.3, 0.6, 0.9, 0.15])
    outcomes = np.array(list(itertools.product([False, True], repeat=6)))
    chance = np.where(outcomes, risk, 1 - risk).prod(axis=1)
    score = ((outcomes - risk) ** 2).mean(axis=1)
    mean = chance @ score
    deviation = np.sqrt(chance @ (score - mean) ** 2)
    found = [metrics.spiegelhalter_z(outcome, risk) for outcome in outcomes]
    np.testing.assert_allclose(found, (score - mean) / deviation)
    weight = np.arange(1.0, 7.0)
    weighted = np.average((outcomes - risk) ** 2, axis=1, weights=weight)
    spread = np.sqrt(chance @ (weighted - chance @ weighted) ** 2)
    found = [metrics.spiegelhalter_z(outcome, risk, weight) for outcome in outcomes]
    np.testing.assert_allclose(found, (weighted - chance @ weighted) / spread)
    assert np.isnan(metrics.spiegelhalter_z(np.array([True, False]), np.full(2, 0.5)))


def test_what_cannot_be_estimated_is_nan():
    bad = np.array([True, False, True, False])
    flat = np.full(4, 0.5)
    assert np.isnan(metrics.calibration_slope(bad, flat).value)
    assert metrics.calibration_intercept(bad, flat).value == pytest.approx(0.0)
    separated = np.array([0.9, 0.1, 0.9, 0.1])
    assert np.isnan(metrics.calibration_slope(bad, separated).value)
    one_class = metrics.evaluate(np.ones(4, bool), flat)
    assert one_class["bads"] == 4
    assert np.isnan(one_class["auc"])


def test_evaluate_reports_every_metric_and_certain_risks_stay_finite():
    bad, risk, weight = rows(4)
    risk[:2] = [0.0, 1.0]
    found = metrics.evaluate(bad, risk, weight, np.arange(bad.size))
    assert set(found) == {"rows", "bads", *metrics.METRICS}
    assert np.isfinite(list(found.values())).all()
    assert found["gini"] == pytest.approx(2 * found["auc"] - 1)
