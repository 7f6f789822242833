"""Cluster bootstrap against scipy's own bootstrap of clusters, and against the sandwich formula."""

import numpy as np
import pytest
from scipy import stats

from relimit.training.bootstrap import MOST_GROUPS, bootstrap_mean, bootstrap_ratio


def test_limits_agree_with_scipys_bootstrap_over_clusters():
    rng = np.random.default_rng(0)
    top, bottom = rng.exponential(size=(2, 300))
    account = np.repeat(np.arange(100), 3)
    sums = [part.reshape(100, 3).sum(axis=1) for part in (top, bottom)]
    expected = stats.bootstrap(
        sums, lambda a, b: a.sum() / b.sum(), paired=True, vectorized=False,
        n_resamples=2000, method="percentile", rng=1,
    ).confidence_interval  # fmt: skip
    found = bootstrap_ratio(top, bottom, account)
    assert found.value == pytest.approx(top.sum() / bottom.sum())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=0.02)


def sandwich(values, account):
    """The clustered standard error of a mean (Liang & Zeger 1986), written out."""
    sums = np.array([(values - values.mean())[account == one].sum() for one in np.unique(account)])
    return np.sqrt((sums**2).sum()) / values.size


def test_rows_of_one_account_widen_the_interval_as_the_sandwich_does():
    rng = np.random.default_rng(1)
    account = np.repeat(np.arange(200), rng.integers(1, 8, 200))
    values = rng.normal(size=200)[account] + 0.1 * rng.normal(size=account.size)
    found = bootstrap_mean(values, account)
    width = 2 * 1.96 * sandwich(values, account)
    assert found.high - found.low == pytest.approx(width, rel=0.1)
    alone = bootstrap_mean(values, np.arange(account.size))
    assert found.high - found.low > 1.5 * (alone.high - alone.low)


def test_the_seed_decides_and_one_account_has_no_interval():
    values = np.random.default_rng(2).normal(size=50)
    first, second, other = (bootstrap_mean(values, np.arange(50), seed=seed) for seed in (0, 0, 1))
    assert first == second != other
    assert bootstrap_mean(values, np.zeros(50)).high == np.inf


def test_many_clusters_are_resampled_in_groups_with_an_interval_as_wide():
    rng = np.random.default_rng(4)
    account = np.repeat(np.arange(5 * MOST_GROUPS), 2)
    values = rng.normal(size=5 * MOST_GROUPS)[account] + rng.normal(size=account.size)
    found = bootstrap_mean(values, account)
    sums = np.bincount(account, weights=values)
    half = 1.96 * sums.std() / 2.0 / np.sqrt(sums.size)  # of a mean over pairs, in closed form
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.low == pytest.approx(2 * half, rel=0.1)
