"""How a log chose, learnt from features: a known rule is found, and a row's own arm is not seen."""

import numpy as np
import pytest

from relimit.training.arm_chances import fit_arm_chances


def log_of(n, seed=0, explore=0.1):
    """A rule on the first feature, with uniform exploration; the second feature is noise."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, 2))
    X[rng.random(n) < 0.05, 1] = np.nan
    rule = np.select([X[:, 0] < -0.5, X[:, 0] < 0.5], [20, 21], 4)
    arm = np.where(rng.random(n) < explore, rng.integers(0, 25, n), rule)
    return X, arm, rule


def test_the_rule_is_found_and_rare_arms_share_what_is_left():
    X, arm, rule = log_of(4_000)
    chance = fit_arm_chances(X, arm, np.arange(4_000) % 3)
    assert chance.sum(axis=1) == pytest.approx(np.ones(4_000))
    own = chance[np.arange(4_000), rule]
    assert own.mean() == pytest.approx(0.9 + 0.1 / 25, abs=0.02)
    rare = np.setdiff1d(np.arange(25), [20, 21, 4])
    assert chance[:, rare].mean() == pytest.approx(0.1 / 25, abs=0.001)
    assert np.ptp(chance[:, rare], axis=1).max() == pytest.approx(0.0)


def test_a_row_is_answered_by_models_that_have_not_seen_its_fold():
    X, arm, _ = log_of(900)
    fold = np.arange(900) % 3
    changed = np.where(fold == 1, 7, arm)
    before, after = (fit_arm_chances(X, its, fold) for its in (arm, changed))
    assert (before[fold == 1] == after[fold == 1]).all()
    assert (before[fold == 0] != after[fold == 0]).any()


def test_a_log_with_one_arm_is_sure_of_it():
    chance = fit_arm_chances(np.zeros((60, 1)), np.full(60, 20), np.arange(60) % 3)
    assert (chance == np.eye(25)[np.full(60, 20)]).all()
