from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relimit.data.errors import DataError
from relimit.policy import ACTIONS, Earlier, Rescored, decide, decide_again, load_policy

POLICY = load_policy()
DOING = {
    "clear_arrears": {"overdue": 0, "days_past_due": 0},
    "settle_interest": {"unsettled_interest": 0},
    "unlock_identity": {"identity_changes": 0, "login_failures": 0},
    "wait_for_clearing": {"prepayment_age_days": 99.0},
}


def returned(row):
    return row["restore_now"] + sum(stage["amount"] for stage in row["restore_later"])


def done(row, action):
    for step in action.split("+"):
        row = row | DOING[step]
    return row


def assert_due_date_helps(make, row, before, remedy):
    """Decide again on the day after the due date, on which it has been met."""
    decisions = decide(POLICY, make.cases(row))
    today = decisions.timetable.decided_on[0]
    days = int((row["next_due"] - today).astype(int)) + 1
    met = row | {"last_due": row["next_due"], "next_due": np.datetime64("NaT", "D")}
    met |= {"as_of": row["as_of"] + days * 86_400_000_000, "outage_minutes": 0}
    met["prepayment_age_days"] += days
    earlier = Earlier.from_decisions(decisions.to_table())
    (after,) = decide_again(POLICY, make.cases(met), earlier).to_table().to_pylist()
    promised = before["restore_later"]
    more = returned(after) - sum(stage["amount"] for stage in promised)
    assert remedy["restores"] == more or (more == 0 and remedy["restores"] == returned(after))
    back = max((stage["date"] for stage in after["restore_later"]), default=None)
    expected = (today + remedy["days"]).item()
    assert (back or (today + days).item()) == expected
    assert more > 0 or expected < promised[0]["date"]


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data())
def test_an_offered_remedy_restores_what_it_says(make, rows_strategy, data):
    row = data.draw(rows_strategy)
    (before,) = decide(POLICY, make.cases(row)).to_table().to_pylist()
    for remedy in before["remedies"]:
        assert remedy["action"] in ACTIONS
        assert remedy["restores"] > 0
        if remedy["action"] == "pay_next_due":
            assert_due_date_helps(make, row, before, remedy)
            continue
        (after,) = decide(POLICY, make.cases(done(row, remedy["action"]))).to_table().to_pylist()
        if remedy["action"] == "wait_for_clearing":
            sooner = after["restore_later"] or [{"date": date.min}]
            assert sooner[0]["date"] < before["restore_later"][0]["date"]
            assert returned(after) == remedy["restores"] == returned(before)
        else:
            assert returned(after) - returned(before) == remedy["restores"]


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data())
def test_no_step_that_alone_brings_money_back_is_left_out(make, rows_strategy, data):
    row = data.draw(rows_strategy)
    (before,) = decide(POLICY, make.cases(row)).to_table().to_pylist()
    offered = "+".join(remedy["action"] for remedy in before["remedies"]).split("+")
    for step in ("clear_arrears", "settle_interest", "unlock_identity"):
        (after,) = decide(POLICY, make.cases(done(row, step))).to_table().to_pylist()
        assert returned(after) <= returned(before) or step in offered


@pytest.mark.parametrize(
    ("facts", "remedy"),
    [
        (
            {"unsettled_interest": 1240},
            {"action": "settle_interest", "amount": 1240, "days": 1, "restores": 50_000},
        ),
        (
            {"overdue": 9900, "days_past_due": 3},
            {"action": "clear_arrears", "amount": 9900, "days": 1, "restores": 50_000},
        ),
        (
            {"days_past_due": 3},
            {"action": "clear_arrears", "amount": None, "days": 1, "restores": 50_000},
        ),
        (
            {"identity_changes": 5},
            {"action": "unlock_identity", "amount": None, "days": 1, "restores": 50_000},
        ),
        (
            {"returned_payments": 2},
            {"action": "wait_for_clearing", "amount": None, "days": 5, "restores": 50_000},
        ),
        (
            {"unsettled_interest": 1240, "overdue": 9900, "loss_ratio": 0.12},
            {
                "action": "clear_arrears+settle_interest",
                "amount": 11_140,
                "days": 15,
                "restores": 25_000,
            },
        ),
        (
            {"loss_ratio": 0.12, "next_due": np.datetime64("2026-03-10")},
            {"action": "pay_next_due", "amount": None, "days": 10, "restores": 25_000},
        ),
        (
            {"unsettled_interest": 1240, "days_past_due": 9},
            {
                "action": "clear_arrears+settle_interest",
                "amount": None,
                "days": 1,
                "restores": 50_000,
            },
        ),
    ],
)
def test_a_remedy_says_what_to_pay_how_long_it_takes_and_what_it_restores(decided, facts, remedy):
    assert decided(facts)[0]["remedies"] == [remedy]


@pytest.mark.parametrize(
    "facts",
    [
        {},
        {"unsettled_interest": 1240, "loss_ratio": 0.9},
        {"overdue": 5, "limit": 90_000_000},
        {"loss_ratio": 0.5},
        {"loss_ratio": 0.5, "next_due": np.datetime64("2026-03-10")},
        {"loss_ratio": 0.05, "next_due": np.datetime64("2026-03-03")},
        {"loss_ratio": 0.12, "next_due": np.datetime64("2026-03-15")},
        {"loss_ratio": 0.01, "limit": 90_000_000, "next_due": np.datetime64("2026-03-15")},
        {"outage_minutes": 99},
        {"freed": 0, "overdue": 5},
        {"returned_payments": 2, "loss_ratio": 0.2},
    ],
)
def test_nothing_is_offered_that_does_not_work(decided, facts):
    assert decided(facts)[0]["remedies"] == []


def test_a_remedy_is_judged_by_what_is_known_once_it_is_done(decided, make):
    asked = []

    def rescore(rows, actions):
        asked.append((rows.tolist(), actions))
        ratio = np.array([0.05, 0.9, 0.01])
        facts = make.facts([{}, {}, {"unsettled_interest": 900}])
        return Rescored(np.full(3, 0.1), ratio * 50_000, facts)

    rows = decided({}, {"overdue": 5}, {"overdue": 7}, {"overdue": 9}, rescore=rescore)
    assert asked == [([1, 2, 3], ["clear_arrears"] * 3)]
    assert [len(row["remedies"]) for row in rows] == [0, 1, 0, 0]
    assert rows[1]["remedies"][0]["days"] == 4


def test_a_due_date_is_offered_where_the_night_after_it_brings_more(decided, make):
    asked = []

    def rescore(rows, actions):
        asked.append((rows.tolist(), actions))
        met = {"last_due": np.datetime64("2026-03-10")}
        late = met | {"overdue": 900}
        ratio = np.array([0.08, 0.21, 0.029, 0.12])
        return Rescored(np.full(4, 0.1), ratio * 50_000, make.facts([met, met, met, late]))

    due = {"next_due": np.datetime64("2026-03-10")}
    declined, held = due | {"loss_ratio": 0.5}, due | {"loss_ratio": 0.12}
    rows = decided(declined, declined, held, held, {"loss_ratio": 0.5}, rescore=rescore)
    assert asked == [([0, 1, 2, 3], ["pay_next_due"] * 4)]
    assert [[(r["days"], r["restores"]) for r in row["remedies"]] for row in rows] == [
        [(10, 37_500)],  # read a fifth higher: three quarters, the seven days over
        [],
        [(10, 25_000)],  # read as it is, on the day after the due date: all of it
        [],
        [],
    ]
    assert "If you pay on time on 10 March 2026, ¥375.00 of the limit" in rows[0]["text_en"]


def test_new_scores_that_are_not_numbers_are_refused(decided, make):
    def rescore(rows, actions):
        return Rescored(np.full(len(rows), np.nan), np.zeros(len(rows)), make.facts([{}]))

    with pytest.raises(DataError, match="risk is not a number"):
        decided({"overdue": 5}, rescore=rescore)


def test_no_remedy_ever_asks_for_more_borrowing():
    assert not any(word in action for action in ACTIONS for word in ("draw", "borrow", "loan"))
