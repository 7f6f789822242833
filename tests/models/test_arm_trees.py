"""A known effect of the arm inside the trees: exact, monotone, and part of every score."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit

from relimit.data.errors import ModelError
from relimit.data.vocabulary import ARMS
from relimit.models import ARM_COLUMNS, BoostedHead, BoostedTrees
from relimit.models.arm_trees import arm_tree
from relimit.models.prediction import TreeScores

GRID = np.array(ARMS, dtype=float)
COLUMNS = ("x", "z", *ARM_COLUMNS)
EFFECT = -1.2 * (1 - GRID[:, 0] * (180 - GRID[:, 1]) / 180)


def at_arms(x=0.0, z=0.0):
    return np.column_stack([np.full(25, x), np.full(25, z), GRID])


steps = arrays(np.float64, (2, 5), elements=st.floats(0.0, 2.0, allow_subnormal=False))


@given(steps, st.floats(-5.0, 5.0), st.floats(0.0, 1.0))
def test_every_arm_gets_its_log_odds_and_none_breaks_the_order(steps, level, crossed):
    by_share, by_delay = np.cumsum(steps, axis=1)
    table = level + by_share[:, None] - by_delay[None, :] * (1 + crossed * by_share[:, None])
    table = np.minimum.accumulate(np.maximum.accumulate(table, axis=0), axis=1)
    table = np.maximum.accumulate(table, axis=0)
    found = arm_tree(COLUMNS, table.ravel()).predict(at_arms(), raw_score=True)
    np.testing.assert_allclose(found, table.ravel(), rtol=1e-6, atol=1e-6)
    assert (np.diff(found.reshape(5, 5), axis=0) >= 0).all()
    assert (np.diff(found.reshape(5, 5), axis=1) <= 0).all()


def test_an_arm_between_two_is_taken_for_the_nearer():
    tree = arm_tree(COLUMNS, EFFECT)
    rows = [[0, 0, 0.9, 0], [0, 0, 0.6, 8], [0, 0, 1.0, 90]]
    np.testing.assert_array_equal(
        tree.predict(rows, raw_score=True),
        [EFFECT[ARMS.index(arm)] for arm in ((1.0, 0), (0.5, 7), (1.0, 30))],
    )


@pytest.fixture(scope="module")
def log():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(8_000, 2))
    arm = rng.integers(0, 25, 8_000)
    bad = rng.random(8_000) < expit(-1.5 + x[:, 0] + EFFECT[arm])
    return pd.DataFrame(np.column_stack([x, GRID[arm]]), columns=COLUMNS), bad


@pytest.fixture(scope="module")
def trees(log):
    return BoostedTrees(max_trees=60, learning_rate=0.1).fit(*log, arm_effect=EFFECT)


def test_the_trees_add_to_the_effect_and_leave_the_arm_alone(trees):
    for x in (-1.0, 0.0, 2.0):
        odds = trees.head_.log_odds(at_arms(x))
        np.testing.assert_allclose(odds - odds[20], EFFECT - EFFECT[20], atol=1e-12)
    assert trees.head_.log_odds(at_arms(1.0))[0] > trees.head_.log_odds(at_arms(-1.0))[0] + 1.0


def test_an_effect_of_nothing_makes_all_arms_alike(log):
    same = BoostedTrees(max_trees=20).fit(*log, arm_effect=np.zeros(25)).head_
    assert np.ptp(same.log_odds(at_arms(0.3))) == 0.0
    learnt = BoostedTrees(max_trees=20, learning_rate=0.1).fit(*log).head_
    assert np.ptp(learnt.log_odds(at_arms(0.3))) > 0.1


def test_the_first_trees_level_is_the_rows_bad_rate(log):
    X, bad = log
    weight = np.where(bad, 3.0, 1.0)
    stump = BoostedTrees(max_trees=1, learning_rate=1e-9)
    stump.fit(X, bad, weight, eval_set=(X, bad, weight), arm_effect=EFFECT)
    mean = np.average(stump.log_odds(X), weights=weight)
    rate = np.average(bad, weights=weight)
    assert mean == pytest.approx(np.log(rate / (1 - rate)), abs=1e-3)


def test_the_first_tree_is_written_read_explained_and_evaluated_like_the_others(log, trees):
    X = log[0].to_numpy()
    head = trees.head_
    again = BoostedHead.from_files(head.files(), head.columns)
    odds = head.log_odds(X)
    np.testing.assert_array_equal(again.log_odds(X), odds)
    fast = TreeScores(again.scores.booster, "fast")
    np.testing.assert_array_equal(fast.raw(X), odds)
    assert fast.why_lightgbm == ""
    parts = head.contributions(X[:200])
    np.testing.assert_allclose(parts.sum(axis=1), odds[:200], atol=1e-9)
    one = head.contributions(at_arms(0.7, -0.2))
    np.testing.assert_allclose(one[:, :2], np.repeat(one[:1, :2], 25, axis=0), atol=1e-12)


def test_trees_are_kept_up_to_the_best_round_on_the_later_slice(log):
    X, bad = log
    half = np.arange(len(X)) % 2 == 0
    trees = BoostedTrees(
        max_trees=400, learning_rate=0.3, early_stopping_rounds=20, feature_fraction=1.0
    )
    trees.fit(X[half], bad[half], eval_set=(X[~half], bad[~half]), arm_effect=EFFECT)
    booster, later = trees.head_.scores.booster, X[~half].to_numpy()

    def loss(count):
        risk = expit(booster.predict(later, raw_score=True, num_iteration=count))
        return -np.log(np.where(bad[~half], risk, 1 - risk)).mean()

    losses = [loss(count) for count in range(1, trees.best_iteration_ + 1)]
    assert 2 < trees.best_iteration_ < 300
    assert int(np.argmin(losses)) + 1 == trees.best_iteration_


def test_an_effect_without_arm_columns_is_refused(log):
    X, bad = log
    with pytest.raises(ModelError, match="an effect of the arm is given, but no arm"):
        BoostedTrees().fit(X[["x", "z"]], bad, arm_effect=EFFECT)
