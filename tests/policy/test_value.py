"""Off-policy estimates against enumeration, and against the exact expectation of known worlds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relimit.data import DataError
from relimit.data.vocabulary import ARMS
from relimit.policy.value import ESTIMATORS, Logged, effective_rows, estimate_values

SITUATIONS, TIMES = 3, 40


def values(logged, target, outcome, predicted, **settings):
    """Estimates by who has no idea how the log chose, if nothing else is said."""
    known = {"chance": np.zeros(target.shape)} | settings
    return estimate_values(logged, target, outcome, predicted, **known)


def world(seed):
    """Outcomes by situation and arm, and two policies: the log's gives every arm its chance."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(SITUATIONS, 25))
    counts = 1 + rng.multinomial(TIMES - 25, np.full(25, 1 / 25), size=SITUATIONS)
    target = rng.dirichlet(np.full(25, 0.3), size=SITUATIONS)
    return truth, counts, target


def every_decision(truth, counts, target):
    """Log each situation so often with each arm as its chance says: the exact expectation."""
    situation, arm = np.nonzero(counts)
    times = counts[situation, arm]
    situation, arm = np.repeat(situation, times), np.repeat(arm, times)
    logged = Logged(arm, counts[situation, arm] / TIMES, np.arange(len(arm)))
    return logged, target[situation], truth[situation, arm], situation


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", ["ips", "snips", "dr"])
def test_weights_alone_give_the_exact_value(seed, name):
    truth, counts, target = world(seed)
    logged, wanted, outcome, _ = every_decision(truth, counts, target)
    wrong = np.random.default_rng(seed).normal(size=wanted.shape[1]) * np.ones_like(wanted)
    found = values(logged, wanted, outcome, wrong, draws=2)
    assert found[name].value == pytest.approx((truth * target).sum() / SITUATIONS)


@pytest.mark.parametrize("name", ["dm", "dr", "switch_dr", "pooled_dr"])
def test_a_right_model_gives_the_exact_value_whatever_the_propensities(name):
    truth, counts, target = world(7)
    logged, wanted, outcome, situation = every_decision(truth, counts, target)
    wrong = Logged(logged.arm, np.sqrt(logged.propensity), logged.account)
    found = values(wrong, wanted, outcome, truth[situation], draws=2, heavy=2.0)
    assert found[name].value == pytest.approx((truth * target).sum() / SITUATIONS)
    assert found["ips"].value != pytest.approx(found[name].value)


def test_switching_leaves_heavy_rows_to_the_model():
    truth, counts, target = world(5)
    logged, wanted, outcome, _ = every_decision(truth, counts, target)
    predicted = np.full_like(wanted, 0.3)
    weight = logged.weights(wanted)
    found = values(logged, wanted, outcome, predicted, heavy=3.0, draws=2)
    assert (weight > 3).any()
    light = np.where(weight <= 3, weight, 0)
    assert found["switch_dr"].value == pytest.approx(0.3 + (light * (outcome - 0.3)).mean())
    assert found["switch_dr"].value != pytest.approx(found["dr"].value)


@pytest.mark.parametrize("told", [0.0, 0.7, 1.0])
def test_pooling_is_exact_where_delays_differ_as_the_model_says(told):
    """Whatever it makes of the shares, and whatever is thought of how the log chose."""
    truth, counts, target = world(11)
    by_share = np.repeat(truth[:, ::5], 5, axis=1)
    by_delay = np.tile(np.linspace(0.0, 2.0, 5), 5)
    logged, wanted, outcome, situation = every_decision(by_share + by_delay, counts, target)
    chance = told * np.random.default_rng(2).dirichlet(np.ones(25), size=SITUATIONS)[situation]
    model = np.repeat(np.arange(5.0), 5) ** 2 + by_delay
    predicted = np.tile(model, (len(wanted), 1))
    found = values(logged, wanted, outcome, predicted, chance=chance, draws=2)
    expected = ((by_share + by_delay) * target).sum() / SITUATIONS
    assert found["pooled_dr"].value == pytest.approx(expected)
    flat = np.zeros_like(predicted)
    wrong = values(logged, wanted, outcome, flat, chance=chance, draws=2)
    assert wrong["pooled_dr"].value != pytest.approx(expected)


def test_pooling_is_less_noisy_than_what_tells_every_delay_apart():
    """All delays of a share were tried alike: five times the rows, about 0.45 times the error."""
    rng = np.random.default_rng(4)
    errors = {"dr": [], "pooled_dr": []}
    for _ in range(60):
        logged = Logged(rng.integers(0, 25, 500), np.full(500, 0.04), np.arange(500))
        target = np.eye(25)[np.full(500, 20)]
        outcome = rng.normal(size=500)
        found = values(logged, target, outcome, np.zeros(target.shape), draws=2)
        for name, its in errors.items():
            its.append(found[name].value)
    assert np.std(errors["pooled_dr"]) < 0.6 * np.std(errors["dr"])


rows = st.lists(
    st.tuples(
        st.integers(0, 24), st.sampled_from([1.0, 0.5, 0.04, 0.002]), st.integers(0, 24),
        st.integers(-50, 50), st.integers(0, 3),
    ),
    min_size=2, max_size=12,
)  # fmt: skip


@given(rows, st.integers(-20, 20))
def test_estimates_equal_loops_and_a_shift_moves_snips_by_itself(rows, shift):
    arm, propensity, wanted, outcome, account = map(np.array, zip(*rows, strict=True))
    logged = Logged(arm, propensity, account)
    target = np.eye(25)[wanted]
    predicted = np.tile(np.arange(25.0), (len(rows), 1))
    found = values(logged, target, outcome.astype(float), predicted, draws=5)
    weights = [(a == b) / p for a, p, b, _, _ in rows]
    n = len(rows)
    ips = sum(w * y for w, (_, _, _, y, _) in zip(weights, rows, strict=True)) / n
    dr = sum(b + w * (y - a) for w, (a, _, b, y, _) in zip(weights, rows, strict=True)) / n
    assert found["ips"].value == pytest.approx(ips)
    assert found["dr"].value == pytest.approx(dr)
    assert found["dm"].value == pytest.approx(wanted.mean())
    moved = values(logged, target, outcome + float(shift), predicted, draws=5)
    if sum(weights):
        assert moved["snips"].value == pytest.approx(found["snips"].value + shift, abs=1e-6)
        lowest, highest = outcome.min(), outcome.max()
        assert lowest - 1e-9 <= found["snips"].value <= highest + 1e-9
    else:
        assert np.isnan(found["snips"].value)


@given(rows)
def test_the_logs_own_policy_is_worth_the_logs_mean(rows):
    arm, _, _, outcome, account = map(np.array, zip(*rows, strict=True))
    share = np.bincount(arm, minlength=25) / len(arm)
    logged = Logged(arm, share[arm], account)
    target = np.tile(share, (len(arm), 1))
    found = values(logged, target, outcome.astype(float), np.zeros(target.shape), draws=2)
    assert found["ips"].value == pytest.approx(outcome.mean())
    assert found["snips"].value == pytest.approx(outcome.mean())


def test_an_interval_of_equal_weights_is_that_of_a_mean():
    rng = np.random.default_rng(0)
    outcome = rng.normal(size=400)
    logged = Logged(np.full(400, 20), np.ones(400), np.arange(400))
    target = np.eye(25)[np.full(400, 20)]
    found = values(logged, target, outcome, np.zeros((400, 25)))
    half = 1.96 * outcome.std() / 20
    assert set(found) == set(ESTIMATORS)
    for name in ("ips", "snips", "dr", "switch_dr"):
        assert found[name].high - found[name].value == pytest.approx(half, rel=0.1)


def test_accounts_with_many_rows_count_once():
    outcome = np.repeat(np.random.default_rng(0).normal(size=50), 8)
    logged = Logged(np.zeros(400, int), np.ones(400), np.repeat(np.arange(50), 8))
    target = np.eye(25)[np.zeros(400, int)]
    found = values(logged, target, outcome, np.zeros((400, 25)))["ips"]
    assert found.high - found.value == pytest.approx(2.01 * outcome.std() / np.sqrt(50), rel=0.15)


def test_a_few_heavy_rows_that_all_went_well_leave_room_for_one_that_does_not():
    """No resample draws the bad outcome that six tries did not happen to show."""
    bad = np.zeros(3000)
    bad[:90] = 1.0
    arm = np.zeros(3000, int)
    arm[2994:] = 20
    propensity = np.where(arm == 20, 0.002, 0.998)
    target = np.eye(25)[np.full(3000, 20)]
    logged = Logged(arm, propensity, np.arange(3000))
    found = values(logged, target, bad, np.full((3000, 25), 0.03))["dr"]
    assert found.value == pytest.approx(0.0, abs=1e-6)
    # Six rows of weight 500, each bad with 3%, and Student's quantile for five degrees of freedom.
    noise = np.sqrt(6 * 500**2 * bad_variance(bad)) / 3000
    assert found.high == pytest.approx(2.57 * noise, rel=0.05)


def bad_variance(bad):
    return np.square(bad - 0.03).mean()


def test_effective_rows_are_those_of_equal_weight():
    assert effective_rows(np.full(7, 3.0)) == pytest.approx(7)
    assert effective_rows(np.array([1.0, 0.0, 0.0])) == pytest.approx(1)


def test_what_is_no_log_or_no_policy_is_refused():
    good = Logged(np.zeros(2, int), np.ones(2), np.arange(2))
    with pytest.raises(DataError, match=r"1 of 2 propensities are not in \(0, 1\]"):
        Logged(np.zeros(2, int), np.array([0.0, 1.0]), np.arange(2))
    with pytest.raises(DataError, match="not in the grid"):
        Logged(np.full(2, len(ARMS)), np.ones(2), np.arange(2))
    with pytest.raises(DataError, match="no distribution"):
        good.weights(np.zeros((2, 25)))
    with pytest.raises(DataError, match="expected \\(2, 25\\)"):
        good.weights(np.zeros((3, 25)))


def test_no_estimate_lies_where_the_outcome_cannot():
    """All went well, against a model that feared 0.3: each correction counts twice."""
    wanted = np.eye(25)[np.full(50, 20)]
    logged = Logged(np.full(50, 20), np.full(50, 0.5), np.arange(50))
    outcome, predicted = np.zeros(50), np.full((50, 25), 0.3)
    free = values(logged, wanted, outcome, predicted)["dr"]
    assert free.value == pytest.approx(-0.3)
    held = values(logged, wanted, outcome, predicted, within=(0.0, 1.0))
    for name in ESTIMATORS:
        assert 0.0 <= held[name].low <= held[name].value <= held[name].high <= 1.0
    assert held["dr"].value == 0.0
    assert held["dm"].value == pytest.approx(0.3)


@pytest.mark.parametrize(("model", "expected"), [(0.34, 0.34), (0.9, None)])
def test_a_correction_within_its_noise_leaves_the_value_to_the_model(model, expected):
    """Of 200 decisions half were tried, with chance one half; 0.3 of them went bad."""
    wanted = np.eye(25)[np.full(200, 20)]
    arm = np.where(np.arange(200) % 2, 20, 0)
    logged = Logged(arm, np.full(200, 0.5), np.arange(200))
    outcome = (np.arange(200) % 20 < 6).astype(float)
    found = values(logged, wanted, outcome, np.full((200, 25), model))
    shrunk, pooled = found["shrunk_dr"], found["pooled_dr"]
    assert (shrunk.low, shrunk.high) == (pooled.low, pooled.high)
    if expected is not None:
        assert shrunk.value == pytest.approx(expected)
        assert pooled.value != pytest.approx(expected)
    error = (pooled.high - pooled.low) / 3.92
    assert abs(shrunk.value - pooled.value) <= error * 1.001
    assert shrunk.low <= shrunk.value <= shrunk.high


def test_what_the_log_did_itself_is_worth_what_came():
    wanted = np.eye(25)[np.full(50, 20)]
    logged = Logged(np.full(50, 20), np.ones(50), np.arange(50))
    outcome = (np.arange(50) % 10 < 3).astype(float)
    found = values(logged, wanted, outcome, np.full((50, 25), 0.35))
    assert found["shrunk_dr"].value == pytest.approx(0.3)
