"""Weights against the definition, and against a log whose policy is known."""

import numpy as np
import pytest
from scipy.special import expit

from relimit.data.errors import DataError
from relimit.training.propensity import weigh_decisions


def log(n: int = 6000, seed: int = 0):
    """Safer accounts (low x) are restored at once more often; risk depends on x alone."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    p_full = expit(-1.5 * x)
    full = rng.random(n) < p_full
    arms = np.where(full[:, None], [1.0, 0.0], [0.5, 7.0])
    bad = rng.random(n) < expit(x - 1)
    return x[:, None], arms, np.where(full, p_full, 1 - p_full), bad


def test_logged_propensities_give_the_stabilised_inverse():
    X, arms, propensity, _ = log(400)
    found = weigh_decisions(X, arms, propensity, learn=np.arange(400))
    share_full = (arms[:, 0] == 1).mean()
    expected = np.where(arms[:, 0] == 1, share_full, 1 - share_full) / propensity
    expected = np.clip(expected, 1 / 3, 3)
    np.testing.assert_allclose(found.weight, expected / expected.mean())
    assert found.fitted == 0
    assert found.effective_rows == pytest.approx(expected.sum() ** 2 / (expected**2).sum())


def test_a_uniform_policy_gives_weight_one_and_loses_no_rows():
    arms = np.tile([[1.0, 0.0], [0.0, 0.0]], (50, 1))
    found = weigh_decisions(np.zeros((100, 1)), arms, np.full(100, 0.5), learn=np.arange(100))
    np.testing.assert_allclose(found.weight, 1.0)
    assert found.effective_rows == pytest.approx(100)
    assert found.arms_never_tried == 23


def test_fitted_propensities_come_near_the_true_policy():
    X, arms, propensity, _ = log()
    found = weigh_decisions(X, arms, np.full(6000, np.nan), learn=np.arange(3000))
    assert found.fitted == 6000
    assert np.abs(found.propensity - propensity).mean() < 0.05
    assert np.corrcoef(found.propensity, propensity)[0, 1] > 0.95


def test_weights_recover_the_bad_rate_of_everyone_from_the_selected():
    X, arms, propensity, bad = log(60_000)
    full = arms[:, 0] == 1
    for logged in (propensity, np.full(60_000, np.nan)):
        weight = weigh_decisions(X, arms, logged, learn=np.arange(60_000)).weight
        weighted = np.average(bad[full], weights=weight[full])
        assert abs(bad[full].mean() - bad.mean()) > 0.07
        assert abs(weighted - bad.mean()) < 0.03


def test_extreme_weights_are_clipped_and_counted():
    arms = np.array([[1.0, 0.0]] * 99 + [[0.0, 0.0]])
    logged = np.append(np.full(99, 0.99), 0.0001)
    found = weigh_decisions(np.zeros((100, 1)), arms, logged, learn=np.arange(100))
    assert found.clipped == 1
    assert found.weight[-1] / found.weight[0] == pytest.approx(3.0)


def test_an_arm_that_only_later_rows_took_is_rare_not_impossible():
    arms = np.array([[1.0, 0.0], [0.5, 3.0]] * 50 + [[0.0, 0.0]] * 5)
    X = np.random.default_rng(0).normal(size=(105, 2))
    found = weigh_decisions(X, arms, np.full(105, np.nan), learn=np.arange(100))
    assert (found.propensity > 0).all()
    assert np.isfinite(found.weight).all()


def test_missing_features_do_not_stop_the_fit():
    X, arms, _, _ = log(500)
    X = np.column_stack([X, np.full(500, np.nan), np.where(X[:, 0] > 0, np.nan, 1.0)])
    found = weigh_decisions(X, arms, np.full(500, np.nan), learn=np.arange(500))
    assert np.isfinite(found.weight).all()


@pytest.mark.parametrize("wrong", [0.0, -0.1, 1.2])
def test_a_propensity_outside_zero_to_one_is_refused_with_its_count(wrong):
    X, arms, propensity, _ = log(50)
    propensity[7] = wrong
    with pytest.raises(DataError, match=r"1 of 50 values are not in \(0, 1\]"):
        weigh_decisions(X, arms, propensity, learn=np.arange(50))
