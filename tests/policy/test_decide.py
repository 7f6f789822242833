from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.errors import DataError
from relimit.policy import bound_by_risk, decide, decisions_schema
from relimit.policy.timetable import local_dates

COLUMNS = (
    "decision_id,account_id,as_of,prepaid,freed,risk,expected_loss,status,restore_now,"
    "restore_later,withheld,not_later_than,reasons,remedies,text_zh,text_en,model_version,"
    "policy_version"
)
JUNE = 1_780_243_200_000_000  # 2026-05-31 16:00 UTC is 1 June in Shanghai


def test_a_healthy_prepayer_gets_everything_back_at_once_and_no_reason(decided):
    (row,) = decided({})
    assert (row["status"], row["restore_now"], row["withheld"]) == ("restored", 50_000, 0)
    assert (row["restore_later"], row["reasons"], row["remedies"]) == ([], [], [])
    assert row["not_later_than"] == date(2026, 3, 1)


def test_nothing_freed_is_restored_with_nothing_to_restore(decided):
    (row,) = decided({"freed": 0, "overdue": 500, "expected_loss": 3.0})
    assert (row["status"], row["restore_now"], row["reasons"]) == ("restored", 0, [])


@pytest.mark.parametrize(
    ("loss_ratio", "status", "now", "later"),
    [
        (0.03, "restored", 50_000, []),
        (0.06, "held", 0, [{"date": date(2026, 3, 4), "amount": 50_000}]),
        (0.10, "staged", 0, [{"date": date(2026, 3, 8), "amount": 37_500}]),
        (0.16, "staged", 0, [{"date": date(2026, 3, 15), "amount": 25_000}]),
        (0.25, "staged", 0, [{"date": date(2026, 3, 31), "amount": 12_500}]),
        (0.26, "declined", 0, []),
        (7.0, "declined", 0, []),
    ],
)
def test_the_tier_decides_by_expected_loss_over_freed(decided, loss_ratio, status, now, later):
    (row,) = decided({"loss_ratio": loss_ratio})
    assert (row["status"], row["restore_now"], row["restore_later"]) == (status, now, later)


def test_a_part_is_rounded_down_to_whole_yuan_but_is_at_least_one(decided):
    amounts = [9_999, 150, 60]
    rows = decided(*({"freed": freed, "loss_ratio": 0.2} for freed in amounts))
    assert [row["restore_later"][0]["amount"] for row in rows] == [2_400, 100, 60]


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        ({"overdue": 1}, "overdue"),
        ({"days_past_due": 1}, "overdue"),
        ({"unsettled_interest": 101}, "unsettled_interest"),
        ({"identity_changes": 3}, "identity_lock"),
        ({"identity_changes": 1, "login_failures": 3}, "identity_lock"),
    ],
)
def test_a_closed_gate_declines_and_is_the_reason(decided, facts, reason):
    (row,) = decided(facts)
    assert (row["status"], row["withheld"], row["reasons"]) == ("declined", 50_000, [reason])


@pytest.mark.parametrize(
    "facts",
    [
        {"unsettled_interest": 100},
        {"identity_changes": 2, "login_failures": 2},
        {"login_failures": 50},
    ],
)
def test_a_gate_stays_open_within_its_tolerance(decided, facts):
    assert decided(facts)[0]["status"] == "restored"


@pytest.mark.parametrize(("age", "day"), [(0.0, 6), (0.5, 6), (2.0, 4), (4.9, 2), (np.nan, 6)])
def test_a_doubtful_payment_is_held_until_it_has_cleared(decided, age, day):
    (row,) = decided({"returned_payments": 1, "prepayment_age_days": age})
    assert row["status"] == "held"
    assert row["restore_later"] == [{"date": date(2026, 3, day), "amount": 50_000}]
    assert row["not_later_than"] == date(2026, 3, day + 1)


def test_a_payment_that_has_cleared_holds_nothing(decided):
    (row,) = decided({"returned_payments": 1, "prepayment_age_days": 5.0})
    assert row["status"] == "restored"


def test_a_system_fault_is_promised_shortly_and_never_called_risk(decided):
    (row,) = decided({"outage_minutes": 30, "cycles": 9, "pull": [0, 0, 2.0, 0, 0]})
    assert (row["status"], row["reasons"]) == ("fault", ["system_fault"])
    assert row["restore_later"] == [{"date": date(2026, 3, 2), "amount": 50_000}]
    assert "与您的信用状况无关" in row["text_zh"]


def test_a_fault_promises_nothing_that_the_rules_do_not_return(decided):
    (row,) = decided({"outage_minutes": 30, "overdue": 5})
    assert (row["status"], row["reasons"]) == ("declined", ["overdue"])


@pytest.mark.parametrize(
    ("facts", "now", "status"),
    [
        ({"limit": 20_000_000}, 50_000, "restored"),
        ({"limit": 20_010_050}, 39_900, "staged"),
        ({"limit": 20_050_000}, 0, "declined"),
        ({"limit": 30_000_000}, 0, "declined"),
        ({"limit": 0, "has_limit": False, "outstanding": 19_950_000}, 50_000, "restored"),
        ({"limit": 0, "has_limit": False, "outstanding": 19_970_000}, 30_000, "staged"),
    ],
)
def test_no_limit_is_restored_above_the_regulatory_cap(decided, facts, now, status):
    (row,) = decided(facts)
    assert (row["restore_now"], row["status"]) == (now, status)
    assert row["reasons"] == ([] if status == "restored" else ["regulatory_cap"])


def test_dates_are_those_of_shanghai(decided):
    before, after = decided({"as_of": JUNE - 1}, {"as_of": JUNE})
    assert before["not_later_than"] == date(2026, 5, 31)
    assert after["not_later_than"] == date(2026, 6, 1)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"risk": np.nan}, "risk is not a number in 1 of 2 cases, first in decision d1"),
        ({"risk": 1.5}, "risk is outside 0 to 1"),
        ({"expected_loss": np.nan}, "expected_loss is not a number"),
        ({"expected_loss": -1.0}, "expected_loss is negative"),
        ({"freed": -5, "prepaid": 5, "expected_loss": 1.0}, "freed is negative"),
        ({"prepaid": 49_999}, "freed is more than prepaid"),
        ({"pull": [np.nan] * 5}, "contributions are not numbers"),
    ],
)
def test_a_case_that_cannot_be_decided_is_refused(decided, change, message):
    with pytest.raises(DataError, match=message):
        decided({}, change)


def test_columns_of_different_length_are_refused(policy, make):
    cases = make.cases({}, {})
    with pytest.raises(DataError, match=r"2 cases, but \{'risk': 1\}"):
        decide(policy, replace(cases, risk=cases.risk[:1]))
    with pytest.raises(DataError, match=r"contributions are \(2, 5\), expected \(2, 1\)"):
        decide(policy, replace(cases, feature_names=("one",)))


def test_no_cases_give_an_empty_table(decided):
    assert decided() == []


def test_the_table_has_the_columns_of_the_contract_in_their_order(policy, make):
    cases = make.cases({"expected_loss": 499.6, "risk": 0.25}, {"overdue": 100})
    table = decide(policy, cases).to_table()
    assert table.schema.equals(decisions_schema())
    assert ",".join(table.column_names) == COLUMNS
    assert table["expected_loss"].to_pylist() == [500, 500]
    assert table["risk"].to_pylist() == [0.25, 0.02]
    assert table["policy_version"].to_pylist() == [policy.version] * 2
    assert table["model_version"].to_pylist() == ["m1"] * 2
    assert all(column.null_count == 0 for column in table.columns)


def test_string_account_ids_stay_strings(policy, make):
    cases = replace(make.cases({}), account_id=np.array(["A1"], object))
    table = decide(policy, cases).to_table()
    assert table.schema.equals(decisions_schema(pa.string()))
    assert table["account_id"].to_pylist() == ["A1"]


def test_only_decisions_bound_by_their_tier_need_contributions(policy, make):
    cases = make.cases({}, {"loss_ratio": 0.05}, {"loss_ratio": 0.05, "overdue": 9}, {"freed": 0})
    assert bound_by_risk(policy, cases).tolist() == [False, True, False, False]


@settings(deadline=None)
@given(data=st.data())
def test_a_single_row_is_as_the_table_has_it(policy, make, rows_strategy, data):
    cases = make.cases(*data.draw(st.lists(rows_strategy, min_size=1, max_size=4)))
    decisions = decide(policy, cases)
    table = decisions.to_table().to_pylist()
    for place, row in enumerate(table):
        assert decisions.row(place) == row
        assert list(decisions.row(place)) == list(row)


def test_a_single_row_has_an_id_that_is_a_word(policy, make):
    cases = replace(make.cases({}), account_id=np.array(["a7"], object))
    assert decide(policy, cases).row(0)["account_id"] == "a7"


@pytest.mark.parametrize("calendar", ["Asia/Shanghai", "Europe/Berlin", "America/St_Johns"])
def test_few_instants_have_the_dates_that_many_have(policy, calendar):
    local = replace(policy, timetable=replace(policy.timetable, calendar=calendar))
    hours = np.arange(24 * 400) * 3_600_000_000 + 1_767_225_599_999_999
    many = local_dates(local, hours)
    few = [local_dates(local, hours[place : place + 2]) for place in range(0, len(hours), 2)]
    assert np.array_equal(np.concatenate(few), many)
    zone = ZoneInfo(calendar)
    told = [datetime.fromtimestamp(int(at) // 10**6, zone).date() for at in hours]
    assert many.tolist() == told
