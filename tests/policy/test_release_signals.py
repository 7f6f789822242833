"""What waits for a signal says for which, and ends once that has come."""

import re
from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relimit.policy import Earlier, decide, decide_again, load_policy
from relimit.policy.settings import load_wording
from relimit.policy.timetable import SIGNALS

POLICY = load_policy()
WORDING = load_wording(POLICY.wording.borrower)


DUE_10TH = {"loss_ratio": 0.12, "next_due": np.datetime64("2026-03-10")}
AFTER_10TH = {"last_due": np.datetime64("2026-03-10"), "next_due": np.datetime64("2026-04-10")}


def test_a_hold_for_the_next_due_date_ends_the_day_after_it_was_met(nights):
    rows = nights(DUE_10TH, {9: AFTER_10TH, 10: AFTER_10TH}, days=10)
    for row in rows[:9]:
        assert row["restore_later"] == [{"date": date(2026, 3, 15), "amount": 25_000}]
        assert "10 March 2026" in row["text_en"]
    assert rows[9]["restore_now"] == 25_000
    assert nights(DUE_10TH, {10: AFTER_10TH | {"loss_ratio": 0.9}}, days=10)[9]["restore_now"] == (
        25_000
    )


def test_a_due_date_that_left_arrears_ends_no_hold(nights):
    tolerant = replace(POLICY, gates=replace(POLICY.gates, overdue=1000, days_past_due=99))
    late = AFTER_10TH | {"overdue": 900, "days_past_due": 1}
    rows = nights(DUE_10TH, {10: late}, days=10, policy=tolerant)
    assert rows[9]["restore_later"] == [{"date": date(2026, 3, 15), "amount": 25_000}]
    assert "assessment is refreshed" in rows[9]["text_en"]


def test_a_due_date_that_was_met_is_read_at_the_score_itself(nights):
    met = AFTER_10TH | {"loss_ratio": 0.029}
    rows = nights(DUE_10TH, {10: met}, days=10)
    assert (rows[9]["status"], rows[9]["restore_now"]) == ("restored", 50_000)


def test_a_hold_for_a_due_date_stays_one_whatever_tier_the_score_is_in_later(nights):
    rows = nights(DUE_10TH, {day: {"loss_ratio": 0.5} for day in range(1, 6)}, days=5)
    assert all("10 March 2026" in row["text_en"] for row in rows)


def test_a_hold_for_a_fault_ends_with_it(nights):
    slow = replace(POLICY, service=replace(POLICY.service, fault_days=5))
    fault = {"outage_minutes": 45}
    rows = nights(fault, {1: {}, 2: {"outage_minutes": 0, "loss_ratio": 0.9}}, policy=slow)
    assert rows[0]["restore_later"] == [{"date": date(2026, 3, 6), "amount": 50_000}]
    assert rows[1]["restore_now"] == 50_000


def test_a_hold_for_clearing_ends_when_no_return_counts_any_more(nights):
    doubtful = {"returned_payments": 1, "days_since_returned": 363.0}
    rows = nights(doubtful, {2: {"returned_payments": 0, "loss_ratio": 0.9}})
    assert rows[0]["restore_later"] == [{"date": date(2026, 3, 6), "amount": 50_000}]
    assert rows[1]["restore_now"] == 50_000


def test_a_hold_for_a_score_ends_when_it_is_better(nights):
    rows = nights({"loss_ratio": 0.09}, {3: {"loss_ratio": 0.02}})
    assert "assessment is refreshed" in rows[1]["text_en"]
    assert rows[2]["restore_now"] == 50_000


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data(), days=st.integers(0, 20))
def test_what_comes_later_names_its_signal_in_both_texts_and_nothing_else_does(
    make, rows_strategy, later, data, days
):
    first = data.draw(rows_strategy)
    then = later(first, data.draw(rows_strategy), days)
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
            assert night.to_table()["reasons"][0].as_py()[0] == "system_fault"
