"""Limits of what hangs on few events: Garwood's of equal weights, normal where there were many."""

import numpy as np
import pytest
from scipy.stats import chi2, norm

from relimit.policy.rare import RareEvents, Reach, gamma_quantile
from relimit.policy.value import Logged, estimate_values

N = 400


def events(count, size=1.0, chance=0.01):
    return RareEvents(np.arange(N) < count, np.full(N, size), np.full(N, chance))


def own_rate(bad, account=None, *, told=True):
    """The limits of what the log itself did, of which some rows went bad."""
    n = len(bad)
    logged = Logged(np.full(n, 20), np.ones(n), np.arange(n) if account is None else account)
    rare = RareEvents(bad > 0, np.ones(n), np.full(n, 0.01)) if told else None
    wanted, model = np.eye(25)[logged.arm], np.full((n, 25), 0.01)
    return estimate_values(
        logged, wanted, bad, model, chance=wanted, events=rare, within=(0.0, 1.0)
    )


@pytest.mark.parametrize("count", [0, 1, 3, 12])
def test_of_equal_weights_the_limits_are_garwoods(count):
    reach = events(count).reach(np.full(N, 1 / N), np.arange(N))
    above = chi2.ppf(0.975, 2 * (count + 1)) / 2
    below = chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    assert reach.above * N == pytest.approx(above - count)
    assert reach.below * N == pytest.approx(count - below)


def test_of_many_events_the_limits_are_the_normal_ones():
    reach = events(400).reach(np.full(N, 1.0), np.arange(N))
    assert (reach.below, reach.above) == pytest.approx((1.96 * 20, 1.96 * 20), rel=0.08)


def test_the_rows_of_an_account_are_one_event():
    """Twenty rows of one borrower say no more than one row twenty times as heavy."""
    whole = events(20).reach(np.full(N, 1 / N), np.arange(N) // 20)
    one = RareEvents(np.arange(20) < 1, np.ones(20), np.full(20, 0.01))
    assert whole == pytest.approx(one.reach(np.full(20, 1 / 20), np.arange(20)))
    assert whole.above > 3 * events(20).reach(np.full(N, 1 / N), np.arange(N)).above


def test_one_more_event_takes_as_much_of_an_account_as_those_that_were_seen():
    """Of four rows each of three borrowers lost one: in all they are 3 events of 400 rows."""
    happened = (np.arange(N) % 4 == 0) & (np.arange(N) < 12)
    some = RareEvents(happened, np.ones(N), np.full(N, 0.01))
    expected = events(3).reach(np.full(N, 1 / N), np.arange(N))
    assert some.reach(np.full(N, 1 / N), np.arange(N) // 4) == pytest.approx(expected)


def test_losses_reach_down_as_far_as_they_would_up():
    up = events(2, 50.0).reach(np.full(N, 1 / N), np.arange(N))
    down = events(2, -50.0).reach(np.full(N, 1 / N), np.arange(N))
    assert (down.below, down.above) == (up.above, up.below)


def test_where_no_event_can_add_anything_nothing_is_reached():
    assert events(3, 0.0).reach(np.full(N, 1 / N), np.arange(N)) == Reach(0.0, 0.0, 0.0)


def test_common_events_vary_less_than_rare_ones():
    """Of 400 rows 200 went bad: the variance of a share is half of that of a count."""
    reach = events(200).reach(np.full(N, 1 / N), np.arange(N))
    variance = 0.25 / N
    below, above = reach.halves(variance, float(norm.ppf(0.975)))
    assert below == pytest.approx(1.96 * variance**0.5, rel=0.01)
    assert above == pytest.approx(1.96 * variance**0.5, rel=0.1)


def test_a_sample_in_which_nobody_went_bad_does_not_say_that_nobody_can():
    found = own_rate(np.zeros(N))
    assert own_rate(np.zeros(N), told=False)["dr"].high == pytest.approx(0.0)
    for name in ("ips", "snips", "dr", "switch_dr", "pooled_dr", "shrunk_dr"):
        assert found[name].low == 0.0
        assert found[name].high == pytest.approx(3.69 / N, rel=0.01), name


def test_limits_of_rare_events_cover_in_95_of_100_samples():
    """Three bad borrowers in 400 are expected; the spread of the sample alone misses too often."""
    rng = np.random.default_rng(8)
    covered = {True: 0, False: 0}
    for _ in range(150):
        bad = (rng.random(N) < 3 / N).astype(float)
        for told in covered:
            its = own_rate(bad, told=told)["dr"]
            covered[told] += its.low <= 3 / N <= its.high
    assert covered[True] >= 0.95 * 150
    assert covered[False] < 0.9 * 150


def test_a_model_stands_where_too_few_went_bad_to_correct_it():
    """Nobody of 40 that were tried went bad; the model's 2% is within what that allows."""
    arm = np.where(np.arange(N) % 10 == 0, 20, 0)
    logged = Logged(arm, np.where(arm == 20, 0.1, 0.9), np.arange(N))
    wanted, model = np.eye(25)[np.full(N, 20)], np.full((N, 25), 0.02)
    rare = RareEvents(np.zeros(N, bool), np.ones(N), model[:, 20])
    found = estimate_values(
        logged, wanted, np.zeros(N), model, chance=wanted, events=rare, within=(0.0, 1.0)
    )
    assert found["pooled_dr"].value == pytest.approx(0.0)
    assert found["shrunk_dr"].value == pytest.approx(0.02)
    assert found["shrunk_dr"].high == pytest.approx(3.69 / 40, rel=0.05)


def test_a_gamma_quantile_of_nothing_is_0():
    assert gamma_quantile(0.975, 0.0, 0.0) == 0.0
