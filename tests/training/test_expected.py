"""Observed over expected against pandas and scipy's own limits of a share."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from relimit.models import Distribution
from relimit.training.expected import months, observed_expected, risk_tiers, wilson


@pytest.mark.parametrize(("bads", "rows"), [(0, 20), (3, 20), (117, 1000), (20, 20)])
def test_limits_agree_with_scipys_wilson_interval(bads, rows):
    expected = binomtest(bads, rows).proportion_ci(method="wilson")
    assert wilson(bads / rows, rows) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_weighted_limits_are_those_of_so_many_effective_rows():
    """A thousand rows, half of weight 3 and half of 1, are worth 2,000² / 5,000 = 800."""
    weight = np.repeat([3.0, 1.0], 500)
    bad = np.zeros(1_000, bool)
    bad[:100] = bad[500:550] = True
    found = observed_expected(bad, np.full(1_000, 0.1), np.zeros(1_000), weight)[0].ratio
    limits = binomtest(140, 800).proportion_ci(method="wilson")  # 350 of 2,000 by weight
    assert (found.low, found.value, found.high) == pytest.approx(
        (limits.low / 0.1, 1.75, limits.high / 0.1)
    )


def test_groups_agree_with_pandas():
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {"group": rng.choice(["b", "a", "c"], 600), "risk": rng.random(600) / 3, "w": 1.0}
    )
    frame["bad"] = rng.random(600) < 0.3
    found = observed_expected(
        frame["bad"].to_numpy(), frame["risk"].to_numpy(), frame["group"].to_numpy(str)
    )
    by_group = frame.groupby("group")
    assert [item.group for item in found] == ["a", "b", "c"]
    assert [item.rows for item in found] == by_group.size().tolist()
    assert [item.bads for item in found] == by_group["bad"].sum().tolist()
    ratios = by_group["bad"].sum() / by_group["risk"].sum()
    assert [item.ratio.value for item in found] == pytest.approx(ratios.tolist())
    assert all(item.ratio.low < item.ratio.value < item.ratio.high for item in found)


def test_a_row_of_weight_two_counts_as_two_rows():
    bad, risk = np.array([True, False, False]), np.array([0.5, 0.25, 0.2])
    group = np.array(["x", "x", "y"])
    weighted = observed_expected(bad, risk, group, np.array([1.0, 2.0, 1.0]))[0]
    assert weighted.bad_rate == pytest.approx(1 / 3)
    assert weighted.mean_risk == pytest.approx(1.0 / 3)
    assert weighted.ratio.value == pytest.approx(1.0)


def test_limits_hold_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(3)
    risk = np.full(300, 0.1)
    inside = 0
    for _ in range(400):
        ratio = observed_expected(rng.random(300) < risk, risk, np.zeros(300))[0].ratio
        inside += ratio.low <= 1.0 <= ratio.high
    assert inside / 400 == pytest.approx(0.95, abs=0.03)


def test_months_follow_the_calendar_of_the_borrowers():
    instants = np.array(["2026-01-31T15:59", "2026-01-31T16:00"], "datetime64[us]").astype(np.int64)
    assert months(instants).tolist() == ["2026-01", "2026-02"]


def test_tiers_are_those_of_the_rows_fitted_on():
    reference = Distribution.of(np.linspace(0, 1, 1001))
    tiers = risk_tiers(np.array([0.0, 0.1, 0.1001, 0.95, 1.0]), reference)
    assert [tier[:2] for tier in tiers] == ["01", "01", "02", "10", "10"]
    assert tiers[2] == "02: 10.00% to 20.00%"
