"""Fairness figures against scipy: Katz's limits, and the t statistic behind Cohen's d."""

import numpy as np
import pyarrow as pa
import pytest
from scipy.stats import ttest_ind
from scipy.stats.contingency import relative_risk

from relimit.training.fairness import (
    audit_groups,
    impact_ratio,
    standardised_difference,
    treatment,
)


def test_the_impact_ratio_has_katzs_limits():
    group = np.arange(120) < 45
    reference = np.arange(300) < 200
    found = impact_ratio(group, reference)
    expected = relative_risk(45, 120, 200, 300)
    limits = expected.confidence_interval()
    assert found.value == pytest.approx(expected.relative_risk)
    assert (found.low, found.high) == pytest.approx((limits.low, limits.high))
    assert np.isnan(impact_ratio(group, np.zeros(5, bool)).value)
    assert impact_ratio(np.zeros(5, bool), reference).value == 0.0


def test_the_standardised_difference_is_the_t_statistic_without_its_sizes():
    rng = np.random.default_rng(0)
    a, b = rng.normal(0.3, 1.0, 80), rng.normal(0.0, 1.5, 130)
    t = ttest_ind(a, b).statistic
    assert standardised_difference(a, b) == pytest.approx(t * np.sqrt(1 / 80 + 1 / 130))
    assert np.isnan(standardised_difference(a[:1], b))
    assert np.isnan(standardised_difference(np.ones(5), np.ones(5)))


def test_a_column_without_a_value_is_no_group():
    empty = pa.table({"account_id": [5, 6], "sex": pa.nulls(2, pa.string()), "region": ["n", None]})
    assert set(audit_groups(empty, np.array([5, 6]))) == {"region"}


def test_groups_are_measured_against_the_one_that_fares_best():
    rng = np.random.default_rng(1)
    group = np.repeat(["a", "b", "tiny", "not stated"], [200, 300, 5, 40])
    favourable = np.concatenate([rng.random(200) < 0.5, rng.random(300) < 0.8, np.ones(45, bool)])
    days = np.where(favourable, rng.uniform(0, 1, 545) + 3.0 * (group == "a"), np.nan)
    found = {t.group: t for t in treatment("x", group, favourable, rng.random(545), days)}
    assert found["b"].impact.value == 1.0
    assert found["b"].days_gap == found["b"].risk_difference == 0.0
    assert found["a"].days_gap == pytest.approx(3.0, abs=0.1)
    a, b = (days[(group == name) & favourable] for name in "ab")
    t = ttest_ind(a, b).statistic
    assert found["a"].days_difference == pytest.approx(t * np.sqrt(1 / a.size + 1 / b.size))
    assert found["a"].impact.value == pytest.approx(
        favourable[:200].mean() / favourable[200:500].mean()
    )
    assert found["tiny"].impact.value > 1.0
    assert [found[name].rows for name in ("a", "b", "tiny", "not stated")] == [200, 300, 5, 40]


def test_an_account_that_is_absent_or_says_nothing_is_not_stated():
    accounts = pa.table({"account_id": [7, 5, 6], "sex": ["f", None, "m"], "opened_at": [1, 2, 3]})
    found = audit_groups(accounts, np.array([5, 6, 7, 8, 7]))
    assert list(found) == ["sex"]
    assert found["sex"].tolist() == ["not stated", "m", "f", "not stated", "f"]
    named = pa.table({"account_id": ["x", "y"], "region": ["north", "south"]})
    found = audit_groups(named, np.array(["y", "z"], dtype=object))
    assert found["region"].tolist() == ["south", "not stated"]
