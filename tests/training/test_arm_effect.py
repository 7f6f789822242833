"""The arm's effect against logs in which it is known."""

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from relimit.data.vocabulary import ARMS
from relimit.training.arm_effect import ArmEffect, estimate_arm_effect
from relimit.training.discrimination import Interval
from relimit.training.labelled import Labelled

GRID = np.array(ARMS, dtype=float)
HORIZON = 180


def back(share, delay):
    """The part of the limit-days restored, written out anew."""
    return share * np.clip(HORIZON - delay, 0, None) / HORIZON


def make_log(effect, *, accounts=15_000, each=2, seed=0, level=-2.6):
    """A policy that restores the safe and withholds from the risky, with a fifth drawn by chance.

    Returns features, what was logged, weights of inverse propensity, and each row's true log-odds
    without the arm.
    """
    rng = np.random.default_rng(seed)
    n = accounts * each
    x = np.repeat(rng.normal(size=(accounts, 4)), each, axis=0) + 0.3 * rng.normal(size=(n, 4))
    odds = level + x[:, 0] + 0.5 * np.abs(x[:, 1]) + 0.4 * x[:, 0] * (x[:, 2] > 0)
    choices = np.array([0, 12, 20])  # nothing, half after a week, all at once
    withhold = np.digitize(1.2 * x[:, 0] + 0.8 * x[:, 1], [-0.5, 1.0])
    preferred = choices[2 - withhold]
    drawn = rng.random(n) < 0.2
    arm = np.where(drawn, rng.choice(choices, n), preferred)
    propensity = np.where(arm == preferred, 0.8 + 0.2 / 3, 0.2 / 3)
    share, delay = GRID[arm].T
    bad = rng.random(n) < expit(odds + effect * back(share, delay))
    log = Labelled(
        account_id=np.repeat(np.arange(accounts), each), as_of=np.zeros(n, np.int64), bad=bad,
        share=share, delay_days=delay, propensity=propensity,
        freed=np.ones(n), loss=np.zeros(n),
    )  # fmt: skip
    weight = np.clip(np.bincount(arm, minlength=25)[arm] / n / propensity, 1 / 3, 3)
    return x, log, weight / weight.mean(), odds


def estimate(x, log, weight, **options):
    names = [f"x{i}" for i in range(x.shape[1])]
    learn = np.arange(len(log))
    return estimate_arm_effect(x, names, log, weight, learn=learn, horizon_days=HORIZON, **options)


def naive(log):
    """What is seen without the features: logistic regression of bad on the part restored."""
    part = back(log.share, log.delay_days)[:, None]
    return float(LogisticRegression(C=1e6).fit(part, log.bad).coef_[0, 0])


@pytest.mark.parametrize("effect", [0.0, 1.0])
@pytest.mark.parametrize("seed", range(3))
def test_the_estimate_is_the_effect_though_the_log_shows_the_contrary(effect, seed):
    x, log, weight, odds = make_log(effect, seed=seed)
    found = estimate(x, log, weight)
    part = back(log.share, log.delay_days)
    known = np.column_stack([part, odds])
    with_the_truth = LogisticRegression(C=1e6).fit(known, log.bad).coef_[0, 0]
    half = found.estimate.high - found.estimate.value
    assert abs(found.estimate.value - effect) < 1.5 * half < 0.35
    assert abs(found.estimate.value - with_the_truth) < 0.2
    assert naive(log) < effect - 0.8


def test_what_is_used_is_what_a_prior_and_the_log_say_together():
    x, log, weight, _ = make_log(1.5, accounts=300)
    found = estimate(x, log, weight)
    error = (found.estimate.high - found.estimate.low) / 2 / norm.ppf(0.975)
    at = np.linspace(-8, 8, 160_001)
    belief = norm.pdf(at, 0.0, 1.0) * norm.pdf(found.estimate.value, at, error)
    assert found.used == pytest.approx((at * belief).sum() / belief.sum(), abs=1e-4)
    large = estimate(*make_log(1.5)[:3])
    assert found.used / found.estimate.value < 0.85
    assert large.used / large.estimate.value > 0.9


def test_a_log_in_which_restoring_seems_to_mend_is_not_believed():
    found = estimate(*make_log(-1.0)[:3])
    assert found.estimate.high < 0.0
    assert found.used == 0.0
    np.testing.assert_array_equal(found.by_arm(HORIZON), 0.0)


def test_too_few_bads_or_one_arm_tell_nothing():
    x, log, weight, _ = make_log(1.0, accounts=700, level=-5.0)
    assert 0 < log.bad.sum() < 50
    assert estimate(x, log, weight) is None
    x, log, weight, _ = make_log(1.0, accounts=2_000)
    all_at_once = log.share == 1.0
    names = [f"x{i}" for i in range(4)]
    same = estimate_arm_effect(
        x, names, log, weight, learn=np.flatnonzero(all_at_once), horizon_days=HORIZON
    )
    assert same is None


def test_an_arm_that_follows_from_the_features_is_hardly_believed():
    x, log, _, odds = make_log(0.0, accounts=3_000)
    share = (x[:, 0] < 0.0).astype(float)
    bad = np.random.default_rng(1).random(len(x)) < expit(odds)
    fixed = Labelled(
        log.account_id,
        log.as_of,
        bad,
        share,
        np.zeros(len(x)),
        np.ones(len(x)),
        log.freed,
        log.loss,
    )
    assert estimate(x, fixed, np.ones(len(x))).used < 0.2


def test_only_the_rows_given_teach_and_of_very_many_a_sample(monkeypatch):
    x, log, weight, _ = make_log(1.0, accounts=4_000)
    learn = np.arange(0, len(log), 2)
    names = [f"x{i}" for i in range(4)]
    found = estimate_arm_effect(x, names, log, weight, learn=learn, horizon_days=HORIZON)
    x[1::2], weight[1::2], log.bad[1::2] = 99.0, 50.0, True
    again = estimate_arm_effect(x, names, log, weight, learn=learn, horizon_days=HORIZON)
    assert found == again
    assert (found.rows, found.bads) == (len(learn), log.bad[learn].sum())
    monkeypatch.setattr("relimit.training.arm_effect.MOST_ROWS", 3_000)
    sampled = estimate_arm_effect(x, names, log, weight, learn=learn, horizon_days=HORIZON)
    assert sampled.rows == 3_000
    assert sampled.estimate != found.estimate


def test_rows_of_one_account_count_as_one_another():
    """Each row four times: the estimate may not claim four times the evidence."""
    x, log, weight, _ = make_log(1.0, accounts=4_000, each=1)
    found = estimate(x, log, weight)
    times = np.repeat(np.arange(len(log)), 4)
    again = estimate(x[times], log.take(times), weight[times])
    widths = [e.estimate.high - e.estimate.low for e in (found, again)]
    assert widths[1] == pytest.approx(widths[0], rel=0.15)


def test_arms_rise_with_the_share_and_fall_with_the_delay():
    effect = ArmEffect(Interval(0.8, 0.5, 1.1), 0.6, 100, 60)
    arms = effect.by_arm(HORIZON)
    np.testing.assert_allclose(arms, -0.6 * (1 - back(*GRID.T)), atol=1e-12)
    table = arms.reshape(5, 5)
    assert (np.diff(table, axis=0) >= 0).all()
    assert (np.diff(table, axis=1) <= 0).all()
    assert arms[20] == 0.0
    assert effect.to_dict() == {
        "arm_effect": 0.8, "arm_effect_low": 0.5, "arm_effect_high": 1.1, "arm_effect_used": 0.6
    }  # fmt: skip
