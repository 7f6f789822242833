"""Ranking metrics against scikit-learn, brute force over pairs, and the literal DeLong formula."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ks_2samp
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from relimit.training.discrimination import (
    auc,
    auc_difference,
    auc_interval,
    average_precision_at,
    ks,
    roc_points,
    weight_by_threshold,
)


def rows(seed: int, n: int = 200, levels: int = 30):
    rng = np.random.default_rng(seed)
    bad = rng.random(n) < 0.3
    bad[:2] = [True, False]
    risk = np.round(rng.random(n) * 0.6 + 0.3 * bad, 3)
    return bad, np.round(risk * levels) / levels, rng.exponential(size=n)


def delong_by_pairs(bad, risk_a, risk_b):
    """Sections 2 and 3 of the paper, written as its sums over pairs."""

    def psi(x, y):
        return 1.0 if y < x else 0.5 if y == x else 0.0

    areas, tens, ones = [], [], []
    for risk in (risk_a, risk_b):
        x, y = risk[bad], risk[~bad]
        pairs = np.array([[psi(i, j) for j in y] for i in x])
        areas.append(pairs.mean())
        tens.append(pairs.mean(axis=1))
        ones.append(pairs.mean(axis=0))
    covariance = np.cov(tens) / bad.sum() + np.cov(ones) / (~bad).sum()
    return areas, covariance


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_weighted_metrics_agree_with_scikit_learn(seed):
    bad, risk, weight = rows(seed)
    for w in (None, weight):
        assert auc(bad, risk, w) == pytest.approx(roc_auc_score(bad, risk, sample_weight=w))
        by_risk = weight_by_threshold(bad, risk, np.ones(bad.size) if w is None else w)
        assert average_precision_at(*by_risk) == pytest.approx(
            average_precision_score(bad, risk, sample_weight=w)
        )
        false, true, _ = roc_curve(bad, risk, sample_weight=w, drop_intermediate=False)
        ours = roc_points(bad, risk, w)
        np.testing.assert_allclose(ours[0], false, atol=1e-12)
        np.testing.assert_allclose(ours[1], true, atol=1e-12)


def test_ks_agrees_with_scipy():
    bad, risk, _ = rows(1)
    assert ks(bad, risk) == pytest.approx(ks_2samp(risk[bad], risk[~bad]).statistic)


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_delong_variances_agree_with_the_sums_over_pairs(seed):
    bad, risk_a, _ = rows(seed, n=60)
    _, risk_b, _ = rows(seed + 1, n=60)
    (area_a, area_b), covariance = delong_by_pairs(bad, risk_a, risk_b)
    one = auc_interval(bad, risk_a)
    assert one.value == pytest.approx(area_a)
    half = 1.959963984540054 * np.sqrt(covariance[0, 0])
    assert one.low == pytest.approx(max(0.0, area_a - half))
    paired = auc_difference(bad, risk_a, risk_b)
    variance = covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1]
    assert paired.value == pytest.approx(area_b - area_a)
    assert paired.high - paired.low == pytest.approx(2 * 1.959963984540054 * np.sqrt(variance))


def test_whole_number_weights_give_the_auc_of_repeated_rows():
    bad, risk, _ = rows(3)
    times = np.random.default_rng(0).integers(1, 4, bad.size)
    repeated = auc(np.repeat(bad, times), np.repeat(risk, times))
    assert auc(bad, risk, times.astype(float)) == pytest.approx(repeated)


def test_repeating_every_row_of_an_account_does_not_narrow_its_interval():
    bad, risk, _ = rows(4, n=400)
    single = auc_interval(bad, risk)
    account = np.repeat(np.arange(400), 10)
    repeated = auc_interval(np.repeat(bad, 10), np.repeat(risk, 10), clusters=account)
    assert repeated.high - repeated.low == pytest.approx(single.high - single.low, rel=0.01)
    blind = auc_interval(np.repeat(bad, 10), np.repeat(risk, 10))
    assert blind.high - blind.low < 0.4 * (single.high - single.low)


def test_intervals_cover_the_true_auc_about_as_often_as_they_say():
    rng = np.random.default_rng(5)
    truth = 0.7602  # Phi(1 / sqrt 2)
    covered = 0
    for _ in range(300):
        bad = np.arange(300) < 100
        interval = auc_interval(bad, rng.normal(size=300) + bad)
        covered += interval.low <= truth <= interval.high
    assert 0.91 <= covered / 300 <= 0.98


def test_one_class_has_no_auc():
    for bad in (np.zeros(3, bool), np.ones(3, bool)):
        interval = auc_interval(bad, np.array([0.1, 0.2, 0.3]))
        assert np.isnan([interval.value, auc(bad, np.array([0.1, 0.2, 0.3]))]).all()


def test_ties_count_half():
    bad = np.array([True, True, False, False])
    for risk in itertools.product([0.1, 0.2], repeat=4):
        values = np.array(risk)
        pairs = [(b > g) + 0.5 * (b == g) for b in values[:2] for g in values[2:]]
        assert auc(bad, values) == pytest.approx(np.mean(pairs))
