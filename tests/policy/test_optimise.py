"""What is optimised is what is deployed, within every limit."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.errors import DataError, PolicyError
from relimit.data.vocabulary import ARMS
from relimit.policy import load_policy
from relimit.policy.arms import grid_arm
from relimit.policy.optimise import Guardrails, Sample, free_bound, optimise_tiers
from relimit.policy.outcome import outcome_of, situation_of
from relimit.policy.worth import applied_arms, worth_of

SHARE, DAYS = np.array(ARMS).T
AT_ONCE = (DAYS == 0) | (SHARE == 0)
MODEST = settings(max_examples=15, deadline=None, derandomize=True)


@pytest.fixture(scope="module")
def make_book(make):
    """A book whose loss rises with the ratio, and whose margin rises with the share."""

    def run(policy, seed=0, n=300, **troubles):
        rng = np.random.default_rng(seed)
        ratio = np.round(rng.beta(1, 12, n), 5)
        freed = rng.integers(1, 400, n) * 5_000
        rows = [
            {"freed": int(f), "loss_ratio": r} | {k: v[i] for k, v in troubles.items()}
            for i, (f, r) in enumerate(zip(freed, ratio, strict=True))
        ]
        situation = situation_of(policy, make.cases(*rows))
        kind = SHARE * (1 - DAYS / 60)
        true_loss = ratio[:, None] * SHARE * (1 - DAYS / 31) * rng.uniform(0.5, 1.5, (n, 1))
        margin = (0.05 * kind + 0.02) * freed[:, None]
        arm = applied_arms(policy, situation)
        worth = worth_of(policy, freed, arm, margin, true_loss * freed[:, None])
        return situation, Sample(situation.loss_ratio, freed, worth)

    return run


def deployed(policy, situation, book, tiers):
    """Net value, loss and restored yuan over freed under tiers, by the rules themselves."""
    outcome = outcome_of(replace(policy, tiers=tiers), situation)
    arm = grid_arm(outcome.amount, situation.freed, outcome.days)
    arm = np.where(SHARE[arm] > 0, arm, 0)  # of what returns nothing the day is no question
    rows = np.arange(len(arm))
    # An arm's outcome under the rules is the outcome of what the rules made of it.
    first = (applied_arms(policy, situation) == arm[:, None]).argmax(axis=1)
    found = (book.worth.net(policy), book.worth.loss, book.worth.restored)
    return [each[rows, first].sum() / book.freed.sum() for each in found]


@MODEST
@given(st.integers(0, 1000), st.just(0.0) | st.floats(1e-4, 0.08))
def test_the_tiers_keep_the_budget_and_are_worth_what_is_claimed(make_book, seed, budget):
    policy = load_policy()
    situation, book = make_book(policy, seed, n=120)
    found = optimise_tiers(policy, book, budget=budget)
    value, loss, _ = deployed(policy, situation, book, found.tiers)
    assert loss <= budget + 1e-9
    assert value == pytest.approx(found.value)
    assert found.value <= found.bound + 1e-9 <= free_bound(policy, book, budget) + 2e-9


def test_tiers_only_get_harder_and_end_at_one(policy, make_book):
    _, book = make_book(policy)
    tiers = optimise_tiers(policy, book, budget=0.01).tiers
    assert len(tiers) > 1
    assert tiers[-1].up_to == 1.0
    for safer, riskier in pairwise(tiers):
        assert riskier.up_to > safer.up_to
        assert riskier.share <= safer.share
        assert riskier.delay_days >= safer.delay_days
    assert all((t.signal != "none") == (t.share > 0 and t.delay_days > 0) for t in tiers)


def test_more_budget_is_worth_more_and_its_price_falls(policy, make_book):
    _, book = make_book(policy)
    found = [optimise_tiers(policy, book, budget=b) for b in (0.002, 0.005, 0.01, 0.02, 0.2)]
    assert all(a.bound <= b.bound + 1e-9 for a, b in pairwise(found))
    assert all(a.shadow_price >= b.shadow_price - 1e-9 for a, b in pairwise(found))
    assert found[-1].shadow_price == 0
    assert all(f.value >= f.bound - 0.002 for f in found)


def test_a_closed_gate_leaves_nothing_of_any_arm_and_a_clearing_payment_delays_it(policy, make):
    cases = make.cases({}, {"overdue": 500}, {"returned_payments": 1}, {"freed": 0})
    arms = applied_arms(policy, situation_of(policy, cases))
    assert [ARMS[a] for a in arms[0]][-5:] == [(1.0, d) for d in (0, 3, 7, 14, 30)]
    assert (arms[1] == 0).all()
    assert [ARMS[a] for a in arms[2]][-5:] == [(1.0, d) for d in (7, 7, 7, 14, 30)]


def test_waiting_is_what_is_late_or_withheld_times_its_days(policy, make):
    cases = make.cases({"freed": 100_000})
    zero = np.zeros((1, 25))
    arm = applied_arms(policy, situation_of(policy, cases))
    worth = worth_of(policy, cases.freed, arm, zero, zero)
    half_in_a_week = ARMS.index((0.5, 7))
    days = 0.5 * 7 + 0.5 * policy.service.review_days
    assert worth.waited[0, half_in_a_week] == 100_000 * days
    # 1,000 yuan for a day cost 0.30 yuan.
    assert worth.net(policy)[0, half_in_a_week] == pytest.approx(-30 * days)


def risky(book):
    return book.ratio > np.median(book.ratio)


def guard(book, least, most):
    return replace(
        book,
        guardrails=Guardrails(
            names=("risky", "others"),
            member=np.column_stack([risky(book), ~risky(book)]),
            least_share=np.array(least),
            most_loss=np.array(most),
        ),
    )


def test_a_groups_floor_is_kept_and_priced(policy, make_book):
    _, book = make_book(policy)
    free = optimise_tiers(policy, book, budget=0.2, allowed=AT_ONCE)
    rows = risky(book)
    returned = (SHARE[free.arm] * book.freed)[rows].sum() / book.freed[rows].sum()
    guarded = guard(book, [returned + 0.03, 0.0], [1.0, 1.0])
    found = optimise_tiers(policy, guarded, budget=0.2, allowed=AT_ONCE)
    now = (SHARE[found.arm] * book.freed)[rows].sum() / book.freed[rows].sum()
    assert now >= returned + 0.03 - 1e-9
    assert found.group_prices["risky"][0] > 0
    assert found.group_prices["others"] == (0.0, 0.0)
    assert found.value <= free.bound


def test_limits_that_contradict_each_other_are_named(policy, make_book):
    _, book = make_book(policy)
    with pytest.raises(PolicyError, match=r"short are .* by .* of all freed"):
        optimise_tiers(policy, guard(book, [0.99, 0], [0.5, 0.0]), budget=0.0)


def test_an_arm_that_is_not_allowed_is_not_used(policy, make_book):
    _, book = make_book(policy)
    assert any(t.delay_days and t.share for t in optimise_tiers(policy, book, budget=0.01).tiers)
    found = optimise_tiers(policy, book, budget=0.01, allowed=AT_ONCE)
    assert not any(t.delay_days and t.share for t in found.tiers)


def test_the_given_tiers_are_never_better_where_nothing_binds(policy, make_book):
    for seed in range(3):
        _, sample = make_book(policy, seed)
        fine = np.append(np.unique(sample.ratio), 1.0)
        given = optimise_tiers(policy, sample, budget=1.0, bounds=fine)
        found = optimise_tiers(replace(policy, tiers=given.tiers), sample, budget=1.0)
        assert found.value >= given.value - 1e-12


def test_outcomes_that_are_no_numbers_are_refused(policy, make):
    freed, arm = np.array([100]), np.zeros((1, 25), np.int64)
    with pytest.raises(DataError, match="loss is not a number in 25 places"):
        worth_of(policy, freed, arm, np.zeros((1, 25)), np.full((1, 25), np.nan))
    with pytest.raises(DataError, match="margin is"):
        worth_of(policy, freed, arm, np.zeros((2, 25)), np.zeros((1, 25)))
