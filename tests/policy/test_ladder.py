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


def plain_path(score):
    """Bin after bin, each arm after the first of the best that may come before it."""
    best, came = score[0].tolist(), []
    for row in score[1:].tolist():
        step = []
        for arm in range(25):
            easier = [a for a in range(25) if harder(ARMS[a], ARMS[arm])]
            first = max(easier, key=best.__getitem__)
            step.append(arm if best[arm] >= best[first] else first)
        came.append(step)
        best = [row[arm] + best[step[arm]] for arm in range(25)]
    path = [best.index(max(best))]
    for step in reversed(came):
        path.append(step[path[-1]])
    return path[::-1]


@pytest.mark.parametrize("seed", range(40))
def test_of_equal_chains_the_path_is_the_one_that_a_plain_walk_takes(seed):
    rng = np.random.default_rng(seed)
    score = rng.integers(-2, 3, (int(rng.integers(1, 12)), 25)) * rng.choice([1.0, 0.1])
    score[rng.uniform(size=score.shape) < 0.3] = -np.inf
    assert best_path(score).tolist() == plain_path(score)


def plain_plan(binned, path):
    bins = np.arange(len(path))
    used = binned.used[:, bins, path].sum(axis=1)
    return float(binned.value[bins, path].sum()), used


def plain_neighbours(path):
    """Yield the chains in which an arm that fits stands from or up to a cut of one tier."""
    ends = [0, *[b for b in range(1, len(path)) if path[b] != path[b - 1]], len(path)]
    for first, last in pairwise(ends):
        middle = (first + last) // 2
        near = {first, first + 1, first + 2, middle, last - 2, last - 1, last}
        for cut in sorted(cut for cut in near if first <= cut <= last):
            for begin, end, left, right in (
                (cut, last, cut - 1, last),
                (first, cut, first - 1, cut),
            ):
                for arm in range(25):
                    follows = left < 0 or harder(ARMS[path[left]], ARMS[arm])
                    if follows and (right == len(path) or harder(ARMS[arm], ARMS[path[right]])):
                        yield [*path[:begin], *[arm] * (end - begin), *path[end:]]


def plain_search(binned, plans, limits):
    """The best of the plans, and then of one plan's neighbours after another."""

    def rank(plan):
        over = plan[1] - limits
        broken = np.array([by if by > 1e-12 else 0.0 for by in over.tolist()]).sum()
        return bool(np.isfinite(plan[0])), -broken, plan[0]

    found = [(*plain_plan(binned, plan.choice), plan.choice.tolist()) for plan in plans]
    best = max(found, key=rank)
    while True:
        paths = plain_neighbours(best[2])
        found = max(((*plain_plan(binned, path), path) for path in paths), key=rank)
        if rank(found) <= rank(best):
            return best
        best = found


@pytest.mark.parametrize("limits", [1, 2, 9])
@pytest.mark.parametrize("bins", [1, 2, 7, 40])
def test_steps_taken_all_at_once_lead_to_the_plan_of_steps_taken_one_by_one(bins, limits):
    """To the last bit: sums of nine limits, or of many bins, are added up in an order of their own.

    Values and uses of a few sizes make many plans equal: of these the first is taken.
    """
    for seed in range(3):
        binned, most = random_book(seed, bins, limits)
        rng = np.random.default_rng(seed)
        value = np.round(binned.value, 1) if seed else binned.value
        value[rng.uniform(size=value.shape) < 0.1 * seed] = -np.inf
        binned = Binned(binned.bounds, value, np.round(binned.used, 1) if seed else binned.used)
        most = most * bins / 8
        plans = tuple(binned.best_at(np.full(limits, price)) for price in (0.0, 0.3, 3.0))
        best, plain = best_within(binned, plans, most), plain_search(binned, plans, most)
        assert best.choice.tolist() == plain[2]
        assert best.value == plain[0]
        assert best.used.tolist() == plain[1].tolist()


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
