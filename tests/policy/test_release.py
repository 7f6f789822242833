"""Later nights finish what earlier ones staged, better it, and never contradict it."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relimit.data.errors import DataError
from relimit.policy import Earlier, decide, decide_again, load_policy
from relimit.policy.settings import load_wording
from relimit.policy.timetable import SIGNALS

POLICY = load_policy()
WORDING = load_wording(POLICY.wording.borrower)
NOON = 1_772_338_800_000_000  # 2026-03-01 in Shanghai
DAY = 86_400_000_000
WORSE = {"loss_ratio": 0.9, "risk": 0.9}


@pytest.fixture
def again(make):
    """Decide a borrower at NOON and once more some days later, changed; return the second."""

    def run(first, days, **change):
        decisions = decide(POLICY, make.cases({"as_of": NOON} | first))
        earlier = Earlier.from_decisions(decisions.to_table())
        cases = make.cases(first | {"as_of": NOON + days * DAY} | change)
        return decide_again(POLICY, cases, earlier).to_table().to_pylist()[0]

    return run


def nights(make, first, changes, days=8, policy=POLICY):
    """Decide a borrower at NOON, then on each of some days after it, with what changed that day."""
    decisions = decide(policy, make.cases({"as_of": NOON} | first))
    earlier = Earlier.from_decisions(decisions.to_table())
    rows = []
    for day in range(1, days + 1):
        tonight = first | changes.get(day, {}) | {"as_of": NOON + day * DAY}
        night = decide_again(policy, make.cases(tonight), earlier)
        rows += night.to_table().to_pylist()
        earlier = earlier.then(night)
    return rows


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


def test_a_payment_that_bounces_while_it_clears_waits_from_then_on(make):
    first = {"returned_payments": 1, "days_since_returned": 90.0}
    bounced = {
        day: {"returned_payments": 2, "days_since_returned": day - 2.5} for day in range(3, 9)
    }
    rows = nights(make, first, bounced)
    dates = [row["restore_later"][0]["date"] for row in rows[:7]]
    assert dates == [date(2026, 3, 6)] * 2 + [date(2026, 3, 9)] * 5
    assert [row["not_later_than"].day for row in rows] == [7, 7, 10, 10, 10, 10, 10, 9]
    assert all(row["reasons"] == ["payment_clearing"] for row in rows[:7])
    assert rows[7]["restore_now"] == 50_000


def test_a_payment_that_bounced_before_the_decision_is_no_new_evidence(again):
    first = {"returned_payments": 1, "days_since_returned": 0.2}
    row = again(first, 5, days_since_returned=5.2, prepayment_age_days=0.1)
    assert (row["status"], row["restore_now"]) == ("restored", 50_000)


def test_what_is_told_once_a_part_is_back_is_about_the_rest(make):
    better = {day: {"loss_ratio": ratio} for day, ratio in ((16, 0.07), (17, 0.05), (18, 0.01))}
    rows = nights(make, {"loss_ratio": 0.12}, better, days=17)
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


def test_a_gate_that_closes_takes_a_promise_back_and_moves_its_date_once(make):
    first, late = {"loss_ratio": 0.12}, {"loss_ratio": 0.12, "overdue": 900}
    told = [
        row["not_later_than"] for row in nights(make, first, {5: late, 6: late, 7: late, 8: late})
    ]
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
    make, rows_strategy, data, days
):
    first, then = data.draw(rows_strategy), data.draw(rows_strategy)
    for name in ("freed", "prepaid", "limit", "has_limit", "outstanding"):
        then[name] = first[name]
    then["as_of"] = first["as_of"] + days * DAY
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
    make, rows_strategy, data, gaps
):
    open_gates = dict.fromkeys(
        ("overdue", "days_past_due", "unsettled_interest", "identity_changes"), 0
    )
    first = data.draw(rows_strategy) | open_gates
    decisions = decide(POLICY, make.cases(first))
    earlier, paid = Earlier.from_decisions(decisions.to_table()), decisions.timetable.restore_now[0]
    for elapsed in np.cumsum(gaps).tolist():
        told, promised = earlier.not_later_than[0], earlier.promised[0]
        tonight = data.draw(rows_strategy) | open_gates
        kept = ("freed", "prepaid", "limit", "has_limit", "outstanding")
        tonight |= {name: first[name] for name in kept} | {"as_of": first["as_of"] + elapsed * DAY}
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


DUE_10TH = {"loss_ratio": 0.12, "next_due": np.datetime64("2026-03-10")}
AFTER_10TH = {"last_due": np.datetime64("2026-03-10"), "next_due": np.datetime64("2026-04-10")}


def test_a_hold_for_the_next_due_date_ends_the_day_after_it_was_met(make):
    rows = nights(make, DUE_10TH, {9: AFTER_10TH, 10: AFTER_10TH}, days=10)
    for row in rows[:9]:
        assert row["restore_later"] == [{"date": date(2026, 3, 15), "amount": 25_000}]
        assert "10 March 2026" in row["text_en"]
    assert rows[9]["restore_now"] == 25_000
    assert nights(make, DUE_10TH, {10: AFTER_10TH | {"loss_ratio": 0.9}}, days=10)[9][
        "restore_now"
    ] == (25_000)


def test_a_due_date_that_left_arrears_ends_no_hold(make):
    tolerant = replace(POLICY, gates=replace(POLICY.gates, overdue=1000, days_past_due=99))
    late = AFTER_10TH | {"overdue": 900, "days_past_due": 1}
    rows = nights(make, DUE_10TH, {10: late}, days=10, policy=tolerant)
    assert rows[9]["restore_later"] == [{"date": date(2026, 3, 15), "amount": 25_000}]
    assert "assessment is refreshed" in rows[9]["text_en"]


def test_a_due_date_that_was_met_is_read_at_the_score_itself(make):
    met = AFTER_10TH | {"loss_ratio": 0.029}
    rows = nights(make, DUE_10TH, {10: met}, days=10)
    assert (rows[9]["status"], rows[9]["restore_now"]) == ("restored", 50_000)


def test_a_hold_for_a_due_date_stays_one_whatever_tier_the_score_is_in_later(make):
    rows = nights(make, DUE_10TH, {day: {"loss_ratio": 0.5} for day in range(1, 6)}, days=5)
    assert all("10 March 2026" in row["text_en"] for row in rows)


def test_a_hold_for_a_fault_ends_with_it(make):
    slow = replace(POLICY, service=replace(POLICY.service, fault_days=5))
    fault = {"outage_minutes": 45}
    rows = nights(make, fault, {1: {}, 2: {"outage_minutes": 0, "loss_ratio": 0.9}}, policy=slow)
    assert rows[0]["restore_later"] == [{"date": date(2026, 3, 6), "amount": 50_000}]
    assert rows[1]["restore_now"] == 50_000


def test_a_hold_for_clearing_ends_when_no_return_counts_any_more(make):
    doubtful = {"returned_payments": 1, "days_since_returned": 363.0}
    rows = nights(make, doubtful, {2: {"returned_payments": 0, "loss_ratio": 0.9}})
    assert rows[0]["restore_later"] == [{"date": date(2026, 3, 6), "amount": 50_000}]
    assert rows[1]["restore_now"] == 50_000


def test_a_hold_for_a_score_ends_when_it_is_better(make):
    rows = nights(make, {"loss_ratio": 0.09}, {3: {"loss_ratio": 0.02}})
    assert "assessment is refreshed" in rows[1]["text_en"]
    assert rows[2]["restore_now"] == 50_000


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data(), days=st.integers(0, 20))
def test_what_comes_later_names_its_signal_in_both_texts_and_nothing_else_does(
    make, rows_strategy, data, days
):
    first, then = data.draw(rows_strategy), data.draw(rows_strategy)
    for name in ("freed", "prepaid", "limit", "has_limit", "outstanding"):
        then[name] = first[name]
    then["as_of"] = first["as_of"] + days * DAY
    decisions = decide(POLICY, make.cases(first))
    earlier = Earlier.from_decisions(decisions.to_table())
    for night in (decisions, decide_again(POLICY, make.cases(then), earlier)):
        signal = SIGNALS[night.timetable.signal[0]]
        assert (signal != "none") == (night.timetable.restore_later[0] > 0)
        for language, text in (("zh", night.text_zh[0]), ("en", night.text_en[0])):
            sentences = {
                name: max(re.split("{.*?}", WORDING[f"signal.{name}"][language]), key=len)
                for name in SIGNALS[1:]
            }
            told = {name for name, words in sentences.items() if words in text}
            assert told == {signal} - {"none"}
        assert (signal == "next_due") == (not np.isnat(night.timetable.signal_on[0]))
        if signal == "fault_mended":
            assert night.to_table()["reasons"].to_pylist() == [["system_fault"]]


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


def test_other_decisions_than_the_earlier_ones_are_refused(make):
    cases = make.cases({"as_of": NOON}, {"as_of": NOON})
    earlier = Earlier.from_decisions(decide(POLICY, cases).to_table())
    with pytest.raises(DataError, match="not the decisions that were taken earlier"):
        decide_again(POLICY, cases.take(np.array([1, 0])), earlier)
    with pytest.raises(DataError, match="not the decisions that were taken earlier"):
        decide_again(POLICY, replace(cases, freed=cases.freed - 1), earlier)
    with pytest.raises(DataError, match="older than its earlier decision"):
        decide_again(POLICY, replace(cases, as_of=cases.as_of - 1), earlier)
