"""The promises of the policy, for any borrower with any mixture of troubles."""

import math
from datetime import date

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relimit.policy import REASONS, decide, load_policy
from relimit.policy.timetable import local_dates

POLICY = load_policy()
MODEST = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
THOROUGH = settings(MODEST, max_examples=200)


def returned(row):
    return row["restore_now"] + sum(stage["amount"] for stage in row["restore_later"])


def last_date(row):
    """The day on which the last of it is back: a date long past if all is back now."""
    return max((stage["date"] for stage in row["restore_later"]), default=date.min)


def not_worse(row, than):
    """Restores at least as much, and what it restores no later (unless it restores more)."""
    if returned(row) > returned(than):
        return True
    return returned(row) == returned(than) and last_date(row) <= last_date(than)


def table(make, *rows):
    return decide(POLICY, make.cases(*rows)).to_table().to_pylist()


@MODEST
@given(data=st.data())
def test_money_is_conserved_and_never_negative(make, rows_strategy, data):
    (row,) = table(make, data.draw(rows_strategy))
    amounts = [row["restore_now"], row["withheld"], *(s["amount"] for s in row["restore_later"])]
    assert sum(amounts) == row["freed"]
    assert min(amounts) >= 0
    assert all(stage["amount"] > 0 for stage in row["restore_later"])


def expected_status(case, row):
    """The status by the words of `Timetable`, from the facts and the amounts alone."""
    if not row["restore_later"]:
        if returned(row) == row["freed"]:
            return "restored"
        return "staged" if returned(row) else "declined"
    today = local_dates(POLICY, np.array([case["as_of"]]))[0].item()
    wait = (last_date(row) - today).days
    age = case["prepayment_age_days"]
    clearing = math.ceil(max(5 - (0.0 if math.isnan(age) else age), 0))
    if case["outage_minutes"] >= 30 and wait == 1:
        return "fault"
    if case["returned_payments"] and clearing == wait:
        return "held"
    return "held" if returned(row) == row["freed"] else "staged"


@THOROUGH
@given(data=st.data())
def test_the_status_says_what_happens(make, rows_strategy, data):
    case = data.draw(rows_strategy)
    (row,) = table(make, case)
    assert row["status"] == expected_status(case, row)
    assert (row["status"] == "fault") == (row["reasons"][:1] == ["system_fault"])


@THOROUGH
@given(data=st.data(), more=st.floats(0, 1))
def test_more_risk_never_restores_more_nor_sooner(make, rows_strategy, data, more):
    safe = data.draw(rows_strategy)
    risky = safe | {
        "risk": max(safe["risk"], more),
        "loss_ratio": safe["loss_ratio"] + more,
    }
    safer, riskier = table(make, safe, risky)
    assert returned(safer) >= returned(riskier)
    if returned(riskier):
        assert last_date(safer) <= last_date(riskier)
        assert safer["not_later_than"] <= riskier["not_later_than"]


@THOROUGH
@given(data=st.data(), more=st.integers(1, 400_000), ratio=st.floats(0.0, 0.4))
def test_prepaying_more_never_leaves_less_to_use(make, rows_strategy, data, more, ratio):
    little = data.draw(rows_strategy) | {"outstanding": 400_000, "loss_ratio": ratio}
    much = little | {
        "freed": little["freed"] + more,
        "prepaid": little["prepaid"] + more,
        "outstanding": little["outstanding"] - more,
    }
    less, greater = table(make, little, much)
    assert returned(greater) >= returned(less)


def usable(case, row, after_days):
    """Credit to use once so many days have gone by, of an account with an approved limit."""
    today = local_dates(POLICY, np.array([case["as_of"]]))[0].item()
    due = [stage for stage in row["restore_later"] if (stage["date"] - today).days <= after_days]
    back = row["restore_now"] + sum(stage["amount"] for stage in due)
    return case["limit"] - case["outstanding"] - (row["freed"] - back)


@THOROUGH
@given(data=st.data(), after_days=st.integers(0, 60))
def test_prepaying_never_leaves_less_to_use_than_not_prepaying(
    make, rows_strategy, data, after_days
):
    case = data.draw(rows_strategy)
    (row,) = table(make, case)
    unpaid = case["limit"] - (case["outstanding"] + case["prepaid"])
    assert usable(case, row, after_days) >= unpaid


@MODEST
@given(data=st.data())
def test_settling_interest_or_arrears_never_hurts(make, rows_strategy, data):
    row = data.draw(rows_strategy)
    interest = row | {"unsettled_interest": 0}
    arrears = row | {"overdue": 0, "days_past_due": 0}
    before, *after = table(make, row, interest, arrears, interest | arrears)
    assert all(not_worse(settled, before) for settled in after)


@MODEST
@given(data=st.data())
def test_every_decision_has_a_last_date_after_all_its_dates(make, rows_strategy, data):
    case = data.draw(rows_strategy)
    (row,) = table(make, case)
    today = local_dates(POLICY, np.array([case["as_of"]]))[0].item()
    assert row["not_later_than"] >= today
    assert all(today < stage["date"] <= row["not_later_than"] for stage in row["restore_later"])
    assert (row["not_later_than"] == today) == (row["status"] == "restored")


@MODEST
@given(data=st.data())
def test_a_row_does_not_depend_on_its_neighbours(make, rows_strategy, data):
    cases = make.cases(*data.draw(st.lists(rows_strategy, min_size=2, max_size=12)))
    together = decide(POLICY, cases).to_table()
    for place in range(len(cases)):
        alone = decide(POLICY, cases.take(np.array([place]))).to_table()
        assert alone.equals(together.slice(place, 1))


@MODEST
@given(data=st.data())
def test_reasons_are_few_known_and_given_exactly_when_something_is_not_back(
    make, rows_strategy, data
):
    (row,) = table(make, data.draw(rows_strategy))
    assert len(row["reasons"]) <= 4
    assert len(set(row["reasons"])) == len(row["reasons"])
    assert set(row["reasons"]) <= set(REASONS)
    assert bool(row["reasons"]) == (row["status"] != "restored")


@MODEST
@given(data=st.data())
def test_the_same_case_is_always_decided_the_same(make, rows_strategy, data):
    cases = make.cases(data.draw(rows_strategy))
    assert decide(POLICY, cases).to_table().equals(decide(load_policy(), cases).to_table())
