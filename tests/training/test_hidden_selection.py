"""Hidden selection against logs whose hidden part is known."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from relimit.training.arm_effect import expected_withheld, withheld_part
from relimit.training.hidden_selection import judge_selection

EFFECT = 0.6


def log(*, hidden: float, n: int = 60_000, seed: int = 0, explored: float = 0.2):
    """A policy that withholds by x and, `hidden` times as strongly, by u; both tell the risk."""
    rng = np.random.default_rng(seed)
    x, u = rng.normal(size=(2, n))
    suspicion = x + hidden * u + 0.5 * rng.normal(size=n)
    drawn = rng.random(n) < explored
    withheld = np.where(drawn, rng.choice([0.0, 0.5, 1.0], n), np.digitize(suspicion, [0, 1]) / 2)
    odds = -3.0 + 0.8 * x + 0.8 * u
    bad = rng.random(n) < expit(odds - EFFECT * withheld)
    truth = expit(odds)
    return x, withheld, bad, drawn, truth


def naive_risk(x, bad):
    """What a model without u and without arms learns from the log."""
    return LogisticRegression().fit(x[:, None], bad).predict_proba(x[:, None])[:, 1]


def judge(x, withheld, bad, drawn, *, known: bool = True):
    rows = np.arange(len(x))
    risk = naive_risk(x, bad)
    expected = expected_withheld(x[:, None], withheld, x[:, None])
    account = rows // 2
    return judge_selection(
        bad, risk, withheld, expected, account=account, drawn=drawn if known else None
    )


@pytest.mark.parametrize("seed", range(4))
def test_a_log_that_lacks_nothing_raises_no_alarm_and_tells_the_mean_risk(seed):
    x, withheld, bad, drawn, truth = log(hidden=0.0, seed=seed)
    found = judge(x, withheld, bad, drawn)
    assert not found.found
    assert found.direction.low < -EFFECT < found.direction.high
    assert found.exploration.low < 0.0 < found.exploration.high
    assert found.least_strength == 1.0
    low, high = found.risk_range(1.0)
    assert low == high == pytest.approx(truth.mean(), rel=0.05)


def test_a_risk_that_tells_little_raises_no_alarm_since_what_the_policy_saw_is_known():
    x, withheld, bad, *_ = log(hidden=0.0)
    risk = expit(-3.0 + 0.1 * x + np.random.default_rng(1).normal(size=len(x)))
    rows = np.arange(len(x))
    expected = expected_withheld(x[:, None], withheld, x[:, None])
    assert not judge_selection(bad, risk, withheld, expected, account=rows).found
    blind = np.random.default_rng(2).normal(size=len(x))
    assert judge_selection(bad, risk, withheld, blind, account=rows).found


@pytest.mark.parametrize("known", [True, False])
def test_a_hidden_choice_is_found_whether_or_not_the_log_tells_what_was_drawn(known):
    x, withheld, bad, drawn, truth = log(hidden=1.0)
    found = judge(x, withheld, bad, drawn, known=known)
    assert found.found
    assert found.direction.low > 0.0
    assert (found.exploration is not None) == known
    assert found.least_strength > 1.0
    assert found.risk_range(found.least_strength)[1] <= truth.mean()
    low, high = found.risk_range(3.0)
    assert low <= truth.mean() <= high


def test_exploration_finds_a_hidden_choice_too_weak_to_turn_the_direction():
    x, withheld, bad, drawn, _ = log(hidden=0.35)
    assert not judge(x, withheld, bad, drawn, known=False).found
    assert judge(x, withheld, bad, drawn).found


def test_what_is_missing_is_no_more_than_the_true_error():
    x, withheld, bad, drawn, truth = log(hidden=1.0)
    found = judge(x, withheld, bad, drawn)
    held = withheld > 0.05
    error = truth[held].mean() - naive_risk(x, bad)[held].mean()
    assert 0.0 < found.too_low.low < found.too_low.value < error


def test_the_range_holds_every_policy_of_that_strength():
    """Brute force: the choice's odds are multiplied by what the bads of each x are."""
    rng = np.random.default_rng(3)
    n, strength = 200_000, 2.0
    x = rng.normal(size=n)
    would = rng.random(n) < expit(-2.5 + x)
    for toward in (strength, 1.0 / strength):
        base = expit(0.3 - x)
        at = expit(np.log(base / (1 - base)) - np.where(would, np.log(toward), 0.0))
        withheld = np.where(rng.random(n) < at, 0.0, 1.0)
        bad = would & ((withheld == 0.0) | (rng.random(n) < 0.3))
        found = judge_selection(bad, expit(-2.5 + x), withheld, 1.0 - base, account=np.arange(n))
        low, high = found.risk_range(1.15 * strength)
        assert low <= would.mean() <= high
    assert found.risk_range(1.0)[0] <= found.risk_range(2.0)[1] <= found.risk_range(3.0)[1]


def test_too_few_bads_show_nothing():
    x, withheld, bad, drawn, _ = log(hidden=0.0, n=600)
    assert judge(x, withheld, bad, drawn) is None
    x, withheld, bad, drawn, _ = log(hidden=0.0, n=6000, explored=0.01)
    assert judge(x, withheld, bad, drawn).exploration is None


def test_a_limit_given_back_late_counts_as_withheld_until_then():
    found = withheld_part(np.array([1.0, 1.0, 0.5, 0.0]), np.array([0.0, 90.0, 0.0, 3.0]), 180)
    np.testing.assert_allclose(found, [0.0, 0.5, 0.5, 1.0])
    assert withheld_part(np.array([1.0]), np.array([400.0]), 180)[0] == 1.0
