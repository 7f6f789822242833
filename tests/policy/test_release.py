"""Later nights finish what earlier ones staged, better it, and never contradict it."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relimit.data.errors import DataError
from relimit.policy import Earlier, decide, decide_again, load_policy

POLICY = load_policy()
NOON = 1_772_338_800_000_000  # 2026-03-01 in Shanghai
DAY = 86_400_000_000
WORSE = {"loss_ratio": 0.9, "risk": 0.9}


def test_a_promise_is_kept_on_its_day_whatever_the_score_says(again):
    row = again({"loss_ratio": 0.05}, 3, **WORSE)
    assert (row["status"], row["restore_now"], row["restore_later"]) == ("restored", 50_000, [])


def test_before_its_day_a_promise_stands_against_a_worse_score(again):
    row = again({"loss_ratio": 0.05}, 1, **WORSE)
    assert row["restore_later"] == [{"date": date(2026, 3, 4), "amount": 50_000}]
    assert row["not_later_than"] == date(2026, 3, 5)
    assert row["reasons"]


def test_a_better_score_restores_sooner_and_more(again):
    row = again({"loss_ratio": 0.12}, 2, loss_ratio=0.01)
    assert (row["status"], row["restore_now"], row["withheld"]) == ("restored", 50_000, 0)


def test_the_days_already_waited_count(again):
    row = again({"loss_ratio": 0.12}, 5, loss_ratio=0.08)
    assert row["restore_later"] == [{"date": date(2026, 3, 8), "amount": 37_500}]


def test_a_cleared_payment_ends_the_hold(again):
    held = {"returned_payments": 1}
    assert again(held, 4)["status"] == "held"
    assert again(held, 5, prepayment_age_days=0.1)["restore_now"] == 50_000


def test_a_payment_ages_with_its_own_decision_not_with_the_accounts_last_one(again):
    first = {"returned_payments": 1, "overdue": 900}
    row = again(first, 6, overdue=0, prepayment_age_days=0.1)
    assert (row["status"], row["restore_now"]) == ("restored", 50_000)


def test_a_payment_that_bounces_while_it_clears_waits_from_then_on(nights):
    first = {"returned_payments": 1, "days_since_returned": 90.0}
    bounced = {
        day: {"returned_payments": 2, "days_since_returned": day - 2.5} for day in range(3, 9)
    }
    rows = nights(first, bounced)
    dates = [row["restore_later"][0]["date"] for row in rows[:7]]
    assert dates == [date(2026, 3, 6)] * 2 + [date(2026, 3, 9)] * 5
    assert [row["not_later_than"].day for row in rows] == [7, 7, 10, 10, 10, 10, 10, 9]
    assert all(row["reasons"] == ["payment_clearing"] for row in rows[:7])
    assert rows[7]["restore_now"] == 50_000


def test_a_payment_that_bounced_before_the_decision_is_no_new_evidence(again):
    first = {"returned_payments": 1, "days_since_returned": 0.2}
    row = again(first, 5, days_since_returned=5.2, prepayment_age_days=0.1)
    assert (row["status"], row["restore_now"]) == ("restored", 50_000)


def test_what_is_told_once_a_part_is_back_is_about_the_rest(nights):
    better = {day: {"loss_ratio": ratio} for day, ratio in ((16, 0.07), (17, 0.05), (18, 0.01))}
    rows = nights({"loss_ratio": 0.12}, better, days=17)
    texts = {row["as_of"].day: row["text_en"].partition(". ")[0] for row in rows[12:]}
    of = "of the limit that your early repayment freed"
    whole, rest = (
        "Of the limit of ¥500.00 that your early repayment freed",
        f"remaining ¥250.00 {of}",
    )
    part = "¥250.00 returned on 15 March 2026 and ¥250.00 has not yet returned"
    assert texts == {
        14: f"{whole}, ¥250.00 returns on 15 March 2026 and ¥250.00 has not yet returned",
        15: f"{whole}, {part}",
        16: f"As of 16 March 2026, the {rest} has not yet returned",
        17: f"Of the {rest}, ¥125.00 returned on 17 March 2026 and ¥125.00 has not yet returned",
        18: f"The remaining ¥125.00 {of} returned on 18 March 2026; all of it is ready to use.",
    }


def test_a_fault_tonight_does_not_break_a_promise_that_is_due(again):
    assert again({"loss_ratio": 0.05}, 3, outage_minutes=500)["restore_now"] == 50_000


def test_a_gate_that_closed_since_is_new_evidence(again):
    row = again({"loss_ratio": 0.05}, 1, overdue=900)
    assert (row["status"], row["reasons"]) == ("declined", ["overdue"])
    assert row["remedies"][0]["restores"] == 50_000
    assert row["not_later_than"] > date(2026, 3, 5)


def test_a_gate_that_stays_closed_moves_no_date(make):
    first = {"overdue": 900, "as_of": NOON}
    decisions = decide(POLICY, make.cases(first))
    earlier = Earlier.from_decisions(decisions.to_table())
    for day in range(1, 45):
        night = decide_again(POLICY, make.cases(first | {"as_of": NOON + day * DAY}), earlier)
        assert night.timetable.not_later_than[0].item() == date(2026, 4, 15)
        earlier = earlier.then(night)
    night = decide_again(POLICY, make.cases(first | {"as_of": NOON + 45 * DAY}), earlier)
    assert night.timetable.not_later_than[0].item() == date(2026, 5, 30)


def test_a_gate_that_closes_takes_a_promise_back_and_moves_its_date_once(nights):
    first, late = {"loss_ratio": 0.12}, {"loss_ratio": 0.12, "overdue": 900}
    told = [row["not_later_than"] for row in nights(first, {5: late, 6: late, 7: late, 8: late})]
    assert told == [date(2026, 4, 15)] * 4 + [date(2026, 4, 20)] * 4


def test_a_settled_gate_brings_the_limit_back(again):
    row = again({"unsettled_interest": 1240}, 2, unsettled_interest=0)
    assert (row["status"], row["restore_now"]) == ("restored", 50_000)


def test_what_is_still_withheld_on_its_last_date_gets_a_new_one(again):
    assert again(WORSE, 44)["not_later_than"] == date(2026, 4, 15)
    assert again(WORSE, 45)["not_later_than"] == date(2026, 5, 30)


def test_the_nights_together_give_back_each_yuan_once(make):
    first = {"loss_ratio": 0.12, "as_of": NOON}
    decisions = decide(POLICY, make.cases(first))
    earlier = Earlier.from_decisions(decisions.to_table())
    paid = 0
    for day in range(1, 40):
        ratio = 0.12 if day < 20 else 0.01
        cases = make.cases(first | {"as_of": NOON + day * DAY, "loss_ratio": ratio})
        tonight = decide_again(POLICY, cases, earlier)
        assert tonight.cases.freed[0] == 50_000 - paid
        paid += int(tonight.timetable.restore_now[0])
        earlier = earlier.then(tonight)
        assert paid == (0 if day < 14 else 25_000 if day < 20 else 50_000)


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data(), days=st.integers(0, 60))
def test_a_later_night_never_gives_less_nor_later_without_a_closed_gate(
    make, rows_strategy, later, data, days
):
    first = data.draw(rows_strategy)
    then = later(first, data.draw(rows_strategy), days)
    decisions = decide(POLICY, make.cases(first))
    before = decisions.to_table().to_pylist()[0]
    cases = make.cases(then)
    row = decide_again(POLICY, cases, Earlier.from_decisions(decisions.to_table()))
    (after,) = row.to_table().to_pylist()
    amounts = [after["restore_now"], after["withheld"]]
    amounts += [stage["amount"] for stage in after["restore_later"]]
    assert sum(amounts) == after["freed"] == before["freed"] - before["restore_now"]
    assert min(amounts) >= 0
    assert bool(after["reasons"]) == (after["status"] != "restored")
    today = row.timetable.decided_on[0].item()
    assert all(today < s["date"] <= after["not_later_than"] for s in after["restore_later"])
    calm = then["overdue"] == then["days_past_due"] == 0 and then["unsettled_interest"] <= 100
    if calm and then["identity_changes"] == 0:
        promised = sum(stage["amount"] for stage in before["restore_later"])
        assert after["restore_now"] + sum(s["amount"] for s in after["restore_later"]) >= promised
        if promised:
            day = before["restore_later"][0]["date"]
            assert all(s["date"] <= max(day, today) for s in after["restore_later"])
        if today < before["not_later_than"]:
            assert after["not_later_than"] <= before["not_later_than"]


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data(), gaps=st.lists(st.integers(1, 12), min_size=2, max_size=4))
def test_from_night_to_night_the_last_date_only_moves_earlier_and_each_yuan_returns_once(
    make, rows_strategy, later, data, gaps
):
    open_gates = dict.fromkeys(
        ("overdue", "days_past_due", "unsettled_interest", "identity_changes"), 0
    )
    first = data.draw(rows_strategy) | open_gates
    decisions = decide(POLICY, make.cases(first))
    earlier, paid = Earlier.from_decisions(decisions.to_table()), decisions.timetable.restore_now[0]
    for elapsed in np.cumsum(gaps).tolist():
        told, promised = earlier.not_later_than[0], earlier.promised[0]
        tonight = later(first, data.draw(rows_strategy) | open_gates, elapsed)
        night = decide_again(POLICY, make.cases(tonight), earlier)
        when = night.timetable
        if when.decided_on[0] < told:
            assert when.not_later_than[0] <= told
        assert when.withheld[0] >= 0
        assert when.restore_now[0] + when.restore_later[0] >= promised
        paid += when.restore_now[0]
        assert paid + when.restore_later[0] + when.withheld[0] == first["freed"]
        earlier = earlier.then(night)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(
    data=st.data(),
    ratio=st.sampled_from([0.031, 0.035, 0.065, 0.11, 0.18, 0.29]) | st.floats(0, 1),
    noise=st.lists(
        st.sampled_from([0.834, 0.9, 1.1]) | st.floats(0.834, 3.0), min_size=4, max_size=4
    ),
)
def test_noise_in_the_score_changes_no_amount_and_no_date(make, rows_strategy, data, ratio, noise):
    steady = dict.fromkeys(
        ("overdue", "days_past_due", "unsettled_interest", "identity_changes", "outage_minutes"), 0
    )
    first = data.draw(rows_strategy) | steady | {"returned_payments": 0, "loss_ratio": ratio}
    decisions = decide(POLICY, make.cases(first))
    earlier = Earlier.from_decisions(decisions.to_table())
    back = decisions.timetable.restore_now[0]
    promised, on = earlier.promised[0], earlier.promised_on[0]
    for day, factor in zip((1, 2, 5, 31), noise, strict=True):
        tonight = {"loss_ratio": ratio * factor, "as_of": first["as_of"] + day * DAY}
        night = decide_again(POLICY, make.cases(first | tonight), earlier)
        due = promised > 0 and on <= night.timetable.decided_on[0]
        assert night.timetable.restore_now[0] == (promised if due else 0)
        if promised > 0 and not due:
            assert night.timetable.later_date[0] == on
            assert night.timetable.restore_later[0] == promised
        back += night.timetable.restore_now[0]
        promised = 0 if due else promised
        earlier = earlier.then(night)
    assert earlier.promised[0] == 0
    assert back == decisions.timetable.restore_now[0] + decisions.timetable.restore_later[0]


def test_a_score_must_be_better_by_a_fifth_to_bring_more_back(again):
    assert again({"loss_ratio": 0.12}, 2, loss_ratio=0.0834)["withheld"] == 25_000
    assert again({"loss_ratio": 0.12}, 2, loss_ratio=0.0833)["withheld"] == 12_500


def test_a_gate_that_opens_is_read_at_the_score_itself(again):
    first = {"unsettled_interest": 1240, "loss_ratio": 0.029}
    assert again(first, 1, unsettled_interest=0)["restore_now"] == 50_000


def test_a_score_that_binds_only_while_a_gate_is_closed_is_no_reason(again):
    first = {"unsettled_interest": 1240, "loss_ratio": 0.029}
    assert again(first, 1)["reasons"] == ["unsettled_interest"]
    locked = again(first, 1, identity_changes=1, login_failures=3)
    assert locked["reasons"] == ["unsettled_interest", "identity_lock"]


def test_a_fault_that_ends_no_sooner_than_the_tiers_wait_is_not_what_is_waited_for(again, make):
    """The promise of the seventh day stands on the sixth, on which a fault would cost a day too."""
    row = again({"loss_ratio": 0.08}, 6, outage_minutes=45)
    assert (row["status"], row["reasons"]) == ("staged", ["assessment"])
    assert row["restore_later"] == [{"date": date(2026, 3, 8), "amount": 37_500}]
    assert "fault" not in row["text_en"]
    slow = replace(POLICY, service=replace(POLICY.service, fault_days=3))
    tied = decide(slow, make.cases({"loss_ratio": 0.05, "outage_minutes": 45})).to_table()
    assert tied["status"].to_pylist() == ["held"]
    assert "assessment" in tied["reasons"].to_pylist()[0]
    assert "the fault is mended earlier" not in tied["text_en"].to_pylist()[0]


def test_a_fault_that_keeps_a_promise_from_being_bettered_is_the_reason(again):
    row = again({"loss_ratio": 0.12}, 14, loss_ratio=0.04, outage_minutes=45)
    assert (row["restore_now"], row["withheld"]) == (25_000, 25_000)
    assert row["reasons"] == ["system_fault"]
    assert again({"loss_ratio": 0.12}, 14, loss_ratio=0.04)["withheld"] == 0


def test_a_fault_wins_a_tie_with_clearing(make):
    tied = {"outage_minutes": 45, "returned_payments": 1, "prepayment_age_days": 4.5}
    (row,) = decide(POLICY, make.cases(tied)).to_table().to_pylist()
    assert (row["status"], row["reasons"]) == ("fault", ["system_fault"])
    assert "fault is mended earlier" in row["text_en"]
    capped = tied | {"freed": 25_000_000, "prepaid": 25_000_000, "has_limit": False}
    (row,) = decide(POLICY, make.cases(capped)).to_table().to_pylist()
    assert row["withheld"] == 5_000_000
    assert row["reasons"] == ["system_fault", "regulatory_cap"]


def test_other_decisions_than_the_earlier_ones_are_refused(make):
    cases = make.cases({"as_of": NOON}, {"as_of": NOON})
    earlier = Earlier.from_decisions(decide(POLICY, cases).to_table())
    with pytest.raises(DataError, match="not the decisions that were taken earlier"):
        decide_again(POLICY, cases.take(np.array([1, 0])), earlier)
    with pytest.raises(DataError, match="not the decisions that were taken earlier"):
        decide_again(POLICY, replace(cases, freed=cases.freed - 1), earlier)
    with pytest.raises(DataError, match="older than its earlier decision"):
        decide_again(POLICY, replace(cases, as_of=cases.as_of - 1), earlier)
