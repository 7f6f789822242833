import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.models.binning import Bins, bin_index, fit_bins

PLAIN = {"max_bins": 8, "min_share": 0.05, "smoothing": 0.5}


def rows_of(*groups: tuple[float, int, int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """(value, rows, bads) spelled out row by row."""
    x = np.concatenate([np.full(n, value) for value, n, _ in groups])
    bad = np.concatenate([np.arange(n) < bads for _, n, bads in groups])
    return x, bad, np.ones(len(x))


def test_weight_of_evidence_by_hand() -> None:
    # 1,000 rows, 100 bad: odds 1/9. Groups: 500/20, 300/30, missing 200/50.
    x, bad, weight = rows_of((1.0, 500, 20), (2.0, 300, 30), (math.nan, 200, 50))
    bins = fit_bins(x, bad, weight, max_bins=8, min_share=0.05, smoothing=0.0)
    np.testing.assert_array_equal(bins.edges, [1.0])
    np.testing.assert_array_equal(bins.rows, [500, 300, 200])
    np.testing.assert_array_equal(bins.bads, [20, 30, 50])
    by_hand = [math.log(20 / 480 * 9), math.log(30 / 270 * 9), math.log(50 / 150 * 9)]
    np.testing.assert_allclose(bins.weight_of_evidence(0.0), by_hand, atol=1e-12)
    value = (0.2 - 480 / 900) * by_hand[0] + (0.5 - 150 / 900) * by_hand[2]
    assert bins.information_value(0.0) == pytest.approx(value, abs=1e-12)


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


def test_intervals_are_closed_on_the_right_and_missing_has_its_own() -> None:
    edges = np.array([0.0, 1.0])
    x = np.array([-np.inf, 0.0, np.nextafter(0.0, 1.0), 1.0, np.inf, np.nan])
    np.testing.assert_array_equal(bin_index(edges, x), [0, 0, 1, 1, 2, 3])


@pytest.mark.parametrize("value", [7.0, math.nan])
def test_a_constant_or_empty_column_has_one_interval_and_no_value(value: float) -> None:
    x, bad, weight = rows_of((value, 100, 30))
    bins = fit_bins(x, bad, weight, direction=1, **PLAIN)
    assert len(bins.edges) == 0
    assert bins.rows.sum() == 100
    assert bins.information_value(0.5) == pytest.approx(0.0)


def test_neighbours_that_do_not_differ_are_merged() -> None:
    x, bad, weight = rows_of((0.0, 400, 40), (1.0, 400, 41), (2.0, 400, 120))
    np.testing.assert_array_equal(fit_bins(x, bad, weight, **PLAIN).edges, [1.0])


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    direction=st.sampled_from([-1, 0, 1]),
    distinct=st.integers(1, 300),
    slope=st.floats(-3, 3),
    smoothing=st.sampled_from([1.0, 200.0]),
    share=st.sampled_from([0.0, 0.1]),
)
def test_bins_keep_every_promise(
    seed: int, direction: int, distinct: int, slope: float, smoothing: float, share: float
) -> None:
    rng = np.random.default_rng(seed)
    x = rng.integers(0, distinct, 600) / distinct
    bad = rng.random(600) < 1 / (1 + np.exp(1 - slope * x))
    bad[:2] = [True, False]
    x[rng.random(600) < 0.1] = np.nan
    weight = rng.random(600) + 0.1
    bins = fit_bins(
        x, bad, weight, direction=direction, max_bins=5, min_share=share, smoothing=smoothing
    )
    index = bin_index(bins.edges, x)
    k = len(bins.edges) + 1
    np.testing.assert_allclose(bins.rows, np.bincount(index, weight, k + 1))
    np.testing.assert_allclose(bins.bads, np.bincount(index, weight * bad, k + 1))
    assert k <= 5
    assert k == 1 or bins.rows[:-1].min() >= share * weight.sum()
    if direction:
        assert (np.diff(bins.weight_of_evidence(smoothing)[:-1]) * direction >= 0).all()


def test_merging_neighbours_alike_leaves_the_direction_whole() -> None:
    # A merge frees a small bin from its smoothing: here the merged bin overtook the next one.
    rng = np.random.default_rng(1477)
    x = rng.integers(0, 12, 300).astype(float)
    bad = rng.random(300) < 1 / (1 + np.exp(1 - 0.1 * x))
    bins = fit_bins(x, bad, np.ones(300), direction=1, max_bins=3, min_share=0.0, smoothing=200.0)
    assert (np.diff(bins.weight_of_evidence(200.0)[:-1]) >= 0).all()


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
