"""Chains of arms against all chains tried, and their optimum under limits against a solver."""

from itertools import pairwise, product

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, milp

from relimit.data.vocabulary import ARMS
from relimit.policy.columns import price_limits
from relimit.policy.ladder import Binned, best_path, best_within, candidate_bounds, pool


def harder(before, after):
    return after[0] <= before[0] and after[1] >= before[1]


CHAINS = [
    chain
    for chain in product(range(25), repeat=3)
    if all(harder(ARMS[a], ARMS[b]) for a, b in pairwise(chain))
]


@pytest.mark.parametrize("seed", range(20))
def test_the_path_is_the_best_of_all_chains(seed):
    score = np.random.default_rng(seed).integers(-3, 4, (3, 25)).astype(float)
    path = best_path(score)
    assert tuple(path) in set(CHAINS)
    assert score[range(3), path].sum() == max(score[range(3), c].sum() for c in CHAINS)


def test_equal_chains_stay_on_their_arm():
    assert len(set(best_path(np.zeros((6, 25))).tolist())) == 1


def solved(binned, limits):
    """The best chain's value under the limits, by HiGHS with a binary for each bin and arm."""
    bins = len(binned.bounds)
    one = np.kron(np.eye(bins), np.ones(25))
    rows = []
    for b, before, after in product(range(bins - 1), range(25), range(25)):
        if not harder(ARMS[before], ARMS[after]):
            row = np.zeros(bins * 25)
            row[b * 25 + before] = row[(b + 1) * 25 + after] = 1
            rows.append(row)
    found = milp(
        -binned.value.ravel(),
        constraints=[
            LinearConstraint(one, 1, 1),
            LinearConstraint(np.array(rows), ub=1),
            LinearConstraint(binned.used.reshape(len(limits), -1), ub=limits),
        ],
        integrality=np.ones(bins * 25),
        bounds=Bounds(0, 1),
    )
    assert found.success
    return -found.fun


def random_book(seed, bins=5, limits=3):
    """Arms worth more the kinder they are, and using more of the limits."""
    rng = np.random.default_rng(seed)
    share, days = np.array(ARMS).T
    kind = share * (1 - days / 40)
    risk = np.sort(rng.uniform(0.1, 1, bins))
    value = kind * rng.uniform(0.5, 1.5, (bins, 25))
    used = kind * risk[:, None] * rng.uniform(0.5, 1.5, (limits, bins, 25))
    return Binned(np.linspace(0.2, 1, bins), value, used), np.full(limits, 0.9)


@pytest.mark.parametrize("seed", range(6))
def test_under_limits_the_bound_holds_and_the_chain_found_is_nearly_the_solvers(seed):
    binned, limits = random_book(seed)
    priced = price_limits(binned.best_at, limits)
    best = best_within(binned, priced.plans, limits)
    optimum = solved(binned, limits)
    assert (best.used <= limits + 1e-9).all()
    assert best.value <= optimum + 1e-9
    assert optimum <= priced.bound + 1e-9
    assert best.value >= 0.97 * optimum


def test_arms_that_are_ruled_out_are_not_taken_though_they_would_keep_a_limit():
    binned, limits = random_book(1)
    value = binned.value.copy()
    value[:, :20] = -np.inf  # all that return less than everything
    binned = Binned(binned.bounds, value, binned.used)
    priced = price_limits(binned.best_at, limits * 0.01)
    best = best_within(binned, priced.plans, limits * 0.01)
    assert np.isfinite(best.value)
    assert (best.choice >= 20).all()
    assert (best.used > limits * 0.01).any()


def test_limits_that_do_not_bind_cost_nothing():
    binned, _ = random_book(0)
    priced = price_limits(binned.best_at, np.full(3, 100.0))
    assert priced.prices.tolist() == [0, 0, 0]
    assert priced.plans[0].value == priced.bound


def test_bins_are_the_tiers_intervals():
    bounds = np.array([0.1, 0.2, 1.0])
    ratio = np.array([0.0, 0.1, 0.10001, 0.2, 0.9])
    ones = np.ones((5, 25))
    assert pool(bounds, ratio, ones)[:, 0].tolist() == [2, 2, 1]


def test_bounds_part_the_freed_limit_evenly_and_are_round():
    ratio = np.linspace(0, 0.5, 1001)
    bounds = candidate_bounds(ratio, np.ones(1001), 10)
    assert bounds[-1] == 1.0
    assert bounds[:-1].tolist() == pytest.approx([0.05 * k for k in range(1, 10)], abs=1e-3)
    assert all(bound == round(bound, 4) for bound in bounds.tolist())
