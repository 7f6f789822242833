"""Our bins against optbinning's own table, by hand, and against what they promise."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from optbinning import OptimalBinning

from relimit.models.binning import Bins, bin_index, chance_information, fit_bins

PLAIN = {"max_bins": 8, "min_share": 0.05, "smoothing": 0.5}


def rows_of(*groups: tuple[float, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(value, rows, bads) spelled out row by row."""
    x = np.concatenate([np.full(n, value) for value, n, _ in groups])
    bad = np.concatenate([np.arange(n) < bads for _, n, bads in groups])
    return x, bad, np.ones(len(x))


@pytest.mark.parametrize(("direction", "trend"), [(1, "ascending"), (0, "auto_heuristic")])
def test_the_bins_are_those_of_optbinning_on_the_bare_rows(direction: int, trend: str) -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 15, 4000).astype(float)
    bad = rng.random(4000) < 1 / (1 + np.exp(2 - 0.15 * x))
    x[rng.random(4000) < 0.1] = np.nan
    x[rng.random(4000) < 0.05] = -99.0
    oracle = OptimalBinning(
        monotonic_trend=trend, max_n_bins=8, min_prebin_size=0.05, max_pvalue=0.05,
        special_codes=[-99.0],
    ).fit(x, bad)  # fmt: skip
    expected = oracle.binning_table.build(add_totals=False)
    bins = fit_bins(x, bad, np.ones(4000), direction=direction, codes=[-99.0], **PLAIN)
    k = len(oracle.splits) + 1
    order = [*range(k), k, k + 1]  # intervals, special, missing
    np.testing.assert_array_equal(bins.rows, expected["Count"].iloc[order])
    np.testing.assert_array_equal(bins.bads, expected["Event"].iloc[order])
    evidence = -expected["WoE"].iloc[order].to_numpy(dtype=float)  # theirs speaks of goods
    np.testing.assert_allclose(bins.weight_of_evidence(1e-9), evidence, atol=1e-6)
    value = bins.information(bins.weight_of_evidence(1e-9))
    np.testing.assert_allclose(value, expected["IV"].iloc[order].to_numpy(dtype=float), atol=1e-6)


def test_weight_of_evidence_by_hand() -> None:
    # 1,000 rows, 100 bad: odds 1/9. Groups: 500/20, 300/30, missing 200/50.
    bins = Bins(np.array([1.0]), np.array([500.0, 300, 200]), np.array([20.0, 30, 50]))
    by_hand = [math.log(20 / 480 * 9), math.log(30 / 270 * 9), math.log(50 / 150 * 9)]
    np.testing.assert_allclose(bins.weight_of_evidence(0.0), by_hand, atol=1e-12)
    value = (0.2 - 480 / 900) * by_hand[0] + (0.5 - 150 / 900) * by_hand[2]
    assert bins.information(np.array(by_hand)).sum() == pytest.approx(value, abs=1e-12)


def test_smoothing_adds_rows_at_the_overall_rate() -> None:
    bins = Bins(np.array([1.0]), np.array([80.0, 10.0, 0.0]), np.array([10.0, 8.0, 0.0]))
    rate = 18 / 90
    by_hand = math.log((8 + 5 * rate) / (2 + 5 * (1 - rate))) - math.log(rate / (1 - rate))
    evidence = bins.weight_of_evidence(5.0)
    assert evidence[1] == pytest.approx(by_hand)
    assert evidence[2] == 0.0


def test_a_pure_bin_has_finite_evidence() -> None:
    x, bad, weight = rows_of((0.0, 100, 0), (1.0, 100, 100))
    bins = fit_bins(x, bad, weight, **PLAIN)
    assert np.isfinite(bins.weight_of_evidence(0.5)).all()


def test_intervals_are_closed_on_the_right_and_codes_and_missing_have_their_own() -> None:
    edges = np.array([0.0, 1.0])
    x = np.array([-np.inf, 0.0, np.nextafter(0.0, 1.0), 1.0, np.inf, np.nan, 7.0])
    np.testing.assert_array_equal(bin_index(edges, x), [0, 0, 1, 1, 2, 3, 2])
    np.testing.assert_array_equal(bin_index(edges, x, [7.0, 0.0]), [0, 4, 1, 1, 2, 5, 3])


@pytest.mark.parametrize("value", [7.0, math.nan, -9.0])
def test_a_constant_or_empty_column_has_one_interval_and_no_value(value: float) -> None:
    x, bad, weight = rows_of((value, 100, 30))
    bins = fit_bins(x, bad, weight, direction=1, codes=[-9.0], **PLAIN)
    assert len(bins.edges) == 0
    assert bins.rows.sum() == 100
    assert bins.information(bins.weight_of_evidence(0.5)).sum() == pytest.approx(0.0)


def test_a_feature_that_contradicts_its_direction_has_one_interval() -> None:
    x, bad, weight = rows_of((0.0, 500, 100), (1.0, 500, 20))
    assert len(fit_bins(x, bad, weight, direction=-1, **PLAIN).edges) == 1
    assert len(fit_bins(x, bad, weight, direction=1, **PLAIN).edges) == 0


def test_a_free_feature_may_peak() -> None:
    x, bad, weight = rows_of((0.0, 500, 20), (1.0, 500, 200), (2.0, 500, 30))
    rates = fit_bins(x, bad, weight, **PLAIN).weight_of_evidence(0.5)[:3]
    assert rates[1] > max(rates[0], rates[2])


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    direction=st.sampled_from([-1, 0, 1]),
    distinct=st.sampled_from([1, 3, 40, 300]),
    slope=st.floats(-3, 3),
    smoothing=st.sampled_from([1.0, 200.0]),
    share=st.sampled_from([0.01, 0.1]),
)
def test_bins_keep_every_promise(
    seed: int, direction: int, distinct: int, slope: float, smoothing: float, share: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, distinct, 600) / distinct
    bad = rng.random(600) < 1 / (1 + np.exp(1 - slope * x))
    bad[:2] = [True, False]
    x[rng.random(600) < 0.1] = np.nan
    x[rng.random(600) < 0.1] = 0.5
    weight = rng.random(600) + 0.1
    bins = fit_bins(
        x, bad, weight, direction=direction, codes=[0.5], max_bins=5, min_share=share,
        smoothing=smoothing,
    )  # fmt: skip
    index = bins.index(x)
    k = len(bins.edges) + 1
    np.testing.assert_allclose(bins.rows, np.bincount(index, weight, k + 2))
    np.testing.assert_allclose(bins.bads, np.bincount(index, weight * bad, k + 2))
    assert bins.rows[k] == pytest.approx(weight[x == 0.5].sum())
    assert k <= 5
    assert k == 1 or bins.rows[:k].min() >= share * weight.sum() * 0.99
    if direction:
        assert (np.diff(bins.weight_of_evidence(smoothing)[:k]) * direction >= 0).all()


def test_a_weight_of_two_is_the_row_twice() -> None:
    rng = np.random.default_rng(3)
    x = np.where(rng.random(500) < 0.1, np.nan, rng.normal(size=500))
    bad = rng.random(500) < np.where(x > 0, 0.4, 0.1)
    times = rng.integers(1, 4, 500)
    weighted = fit_bins(x, bad, times.astype(float), direction=1, **PLAIN)
    repeated = fit_bins(
        np.repeat(x, times), np.repeat(bad, times), np.ones(times.sum()), direction=1, **PLAIN
    )
    for name in ("edges", "rows", "bads"):
        np.testing.assert_array_equal(getattr(weighted, name), getattr(repeated, name))


def test_chance_is_what_a_feature_that_says_nothing_stays_below() -> None:
    rng = np.random.default_rng(0)
    rows, rate, draws = np.array([300.0, 500, 200, 400, 600]), 0.2, 4000
    bads = rng.binomial(rows.astype(int), rate, (draws, 5)).astype(float)
    drawn = [Bins(np.arange(3.0), rows, bad) for bad in bads]
    found = [b.information(b.weight_of_evidence(1e-9)).sum() for b in drawn]
    above = np.array(found) > [chance_information(b, 1, 5) for b in drawn]
    assert 0.006 < above.mean() < 0.016
    assert chance_information(drawn[0], 0, 500) > chance_information(drawn[0], 1, 500)


def test_a_feature_of_few_values_has_no_more_chances_than_they_give_it() -> None:
    rng = np.random.default_rng(1)
    found, least = [], []
    for _ in range(60):
        x, bad = rng.integers(0, 3, 1500).astype(float), rng.random(1500) < 0.12
        bins = fit_bins(x, bad, np.ones(1500), direction=0, **PLAIN)
        found.append(bins.information(bins.weight_of_evidence(PLAIN["smoothing"])).sum())
        least.append(chance_information(bins, 0, 3))
    assert (np.array(found) > least).mean() < 0.05
    assert max(least) < 0.4 * chance_information(bins, 0, 500)


def test_a_small_bin_that_smoothing_takes_out_of_order_joins_its_neighbour() -> None:
    x, bad, weight = rows_of((0.0, 1000, 20), (1.0, 1000, 200), (2.0, 80, 26))
    options = {"direction": 1, "max_bins": 8, "min_share": 0.02}
    np.testing.assert_array_equal(fit_bins(x, bad, weight, smoothing=1.0, **options).edges, [0, 1])
    bins = fit_bins(x, bad, weight, smoothing=200.0, **options)
    np.testing.assert_array_equal(bins.edges, [0.0])
    assert (np.diff(bins.weight_of_evidence(200.0)[:2]) >= 0).all()
