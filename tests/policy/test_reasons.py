"""Reasons are true: each is tested by deciding again, from outside, without its cause."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from relimit.policy import decide, load_policy, reads_contributions
from relimit.policy.causes import CAUSES
from relimit.policy.settings import CapSettings, ReasonSettings, Tier

POLICY = load_policy()
NO_CAP = replace(POLICY, caps=CapSettings(limit=10**14))
FACTS = {
    "system_fault": {"outage_minutes": 0},
    "overdue": {"overdue": 0, "days_past_due": 0},
    "unsettled_interest": {"unsettled_interest": 0},
    "identity_lock": {"identity_changes": 0, "login_failures": 0},
    "payment_clearing": {"prepayment_age_days": 99.0},
    "assessment": {"loss_ratio": 0.0},
}
RULES = (*FACTS, "regulatory_cap")
HALF_ABOVE_3_PERCENT = replace(POLICY, tiers=(POLICY.tiers[0], Tier(1.0, 0.5, 0, "none")))


def undo(row, reason):
    """The same borrower without the cause of a reason."""
    if reason in FACTS:
        return row | FACTS[reason]
    if reason == "regulatory_cap":
        return row | {"uncapped": True}
    pull, risk = row["pull"][CAUSES.index(reason)], row["risk"]
    if not 0 < risk < 1:
        return row
    less = 1 / (1 + math.exp(-(math.log(risk / (1 - risk)) - pull)))
    return row | {"loss_ratio": row["loss_ratio"] * less / risk}


def undo_all(row, reasons):
    for reason in reasons:
        row = undo(row, reason)
    return row


def outcome(make, row):
    """(fen that return, -days until they do): more is better."""
    row = dict(row)
    policy = NO_CAP if row.pop("uncapped", False) else POLICY
    (got,) = decide(policy, make.cases(row)).to_table().to_pylist()
    amount = got["restore_now"] + sum(stage["amount"] for stage in got["restore_later"])
    later = got["restore_later"]
    return amount, -later[0]["date"].toordinal() if later else 0


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data())
def test_each_reason_is_true_by_ablation(make, rows_strategy, data):
    row = data.draw(rows_strategy)
    (got,) = decide(POLICY, make.cases(row)).to_table().to_pylist()
    base, free = outcome(make, row), outcome(make, undo_all(row, RULES))
    alone = {reason: outcome(make, undo(row, reason)) for reason in got["reasons"]}
    for reason, then in alone.items():
        if then > base:
            continue
        its = outcome(make, undo_all(row, [rule for rule in RULES if rule != reason]))
        assert its < free
        if any(other > base for other in alone.values()):  # what those leave unsaid
            amount, days = (all(other[i] <= base[i] for other in alone.values()) for i in (0, 1))
            assert (amount and its[0] < free[0]) or (days and its[1] < free[1])


SHOWN = {
    "payment_return": lambda row: row["returned_payments"] >= 1,
    "distress": lambda row: (
        row["lender_inflow"] >= 0.5 * row["prepaid"] > 0
        or row["lender_inflow"] > 0 == row["prepaid"]
        or row["score_drop"] >= 30
        or row["overdues"] >= 1
    ),
    "cycling": lambda row: row["cycles"] >= 3,
    "low_need": lambda row: (
        row["outstanding"] + row["prepaid"] < 0.2 * row["limit"] and row["days_since_draw"] >= 60
    ),
}


@settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data(), ratio=st.floats(0.03, 0.9))
def test_a_cause_that_is_named_is_shown_by_the_history(make, rows_strategy, data, ratio):
    row = data.draw(rows_strategy) | {"loss_ratio": ratio}
    (got,) = decide(POLICY, make.cases(row)).to_table().to_pylist()
    assert all(SHOWN[cause](row) for cause in set(got["reasons"]) & set(SHOWN))


RISKY = {"loss_ratio": 0.2, "risk": 0.25}


def pull(**causes):
    return [causes.get(cause, 0.0) for cause in CAUSES] + [0.0]


@pytest.mark.parametrize(
    ("cause", "facts"),
    [
        ("payment_return", {"returned_payments": 1, "prepayment_age_days": 9.0}),
        ("distress", {"overdues": 1}),
        ("distress", {"score_drop": 30.0}),
        ("distress", {"lender_inflow": 25_000}),
        ("cycling", {"cycles": 3}),
        ("low_need", {"days_since_draw": 60.0}),
    ],
)
def test_a_cause_is_named_if_the_model_and_the_history_both_show_it(decided, cause, facts):
    shown, unseen, other = decided(
        RISKY | facts | {"pull": pull(**{cause: 1.5})},
        RISKY | {"pull": pull(**{cause: 1.5})},
        RISKY | facts,
    )
    assert shown["reasons"] == [cause]
    assert unseen["reasons"] == ["assessment"]
    assert other["reasons"] == ["assessment"]


def test_a_cause_too_weak_to_change_the_decision_is_not_a_reason(decided):
    (row,) = decided(RISKY | {"cycles": 9, "pull": pull(cycling=0.01)})
    assert row["reasons"] == ["assessment"]


def test_causes_come_in_the_order_of_their_pull_after_the_rules(decided):
    facts = {"cycles": 9, "overdues": 1, "limit": 20_040_000}
    (row,) = decided(RISKY | facts | {"pull": pull(cycling=1.9, distress=1.2)})
    assert row["reasons"] == ["regulatory_cap", "cycling", "distress"]


def test_rules_that_only_hold_the_limit_back_together_are_all_named(decided):
    (row,) = decided({"overdue": 900, "unsettled_interest": 500, "identity_changes": 9})
    assert row["reasons"] == ["overdue", "unsettled_interest", "identity_lock"]
    (row,) = decided({"overdue": 900, "loss_ratio": 0.9})
    assert row["reasons"] == ["overdue", "assessment"]


def test_a_policy_can_give_fewer_reasons_and_keeps_the_binding_rule(decided):
    policy = replace(POLICY, reasons=ReasonSettings(at_most=1))
    (row,) = decided({"overdue": 900, "unsettled_interest": 500}, policy=policy)
    assert row["reasons"] == ["overdue"]


def test_without_contributions_the_assessment_is_the_reason(make):
    cases = replace(make.cases(RISKY | {"cycles": 9}), contributions=None, feature_names=())
    assert decide(POLICY, cases).to_table()["reasons"].to_pylist() == [["assessment"]]


def test_what_is_withheld_beside_a_system_fault_has_its_own_reasons(decided):
    (row,) = decided({"outage_minutes": 90, "limit": 20_010_000})
    assert (row["status"], row["withheld"]) == ("fault", 10_000)
    assert row["reasons"] == ["system_fault", "regulatory_cap"]
    assert "a reason of its own. By regulation a consumer credit limit" in row["text_en"]
    assert "其余额度暂未恢复另有原因。按照监管规定" in row["text_zh"]
    cycling = {"outage_minutes": 90, "cycles": 9, "pull": pull(cycling=3.0)}
    (row,) = decided(RISKY | cycling, policy=HALF_ABOVE_3_PERCENT)
    assert (row["status"], row["withheld"]) == ("fault", 25_000)
    assert row["reasons"] == ["system_fault", "cycling"]


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        ({}, []),
        ({"outage_minutes": 90}, ["system_fault"]),
        ({"returned_payments": 1, "prepayment_age_days": 0.5}, ["payment_clearing"]),
    ],
)
def test_two_rules_that_withhold_the_same_part_are_both_named_beside_what_dates_it(
    decided, facts, first
):
    """The tier withholds half, and the cap the same half: undoing one alone changes nothing."""
    (row,) = decided(RISKY | {"limit": 20_025_000} | facts, policy=HALF_ABOVE_3_PERCENT)
    assert row["withheld"] == 25_000
    assert row["reasons"] == [*first, "regulatory_cap", "assessment"]


@pytest.mark.parametrize(("days", "named"), [(4, True), (5, True), (6, False)])
def test_a_payment_that_clears_as_late_as_a_tier_returns_its_part_is_named(decided, days, named):
    """Of a half that returns after five days: undoing either wait alone changes no date."""
    policy = replace(POLICY, tiers=(POLICY.tiers[0], Tier(1.0, 0.5, days, "none")))
    clearing = {"returned_payments": 1, "prepayment_age_days": 0.0}
    (row,) = decided(RISKY | clearing, policy=policy)
    assert row["withheld"] == 25_000
    assert row["reasons"] == [*(["payment_clearing"] if named else []), "assessment"]


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data())
def test_what_is_withheld_has_a_reason_that_withholds(make, rows_strategy, data):
    some = {
        "outage_minutes": [0, 45],
        "limit": [2_000_000, 20_010_000, 30_000_000],
        "loss_ratio": [0.0, 0.02, 0.2],
    }
    changed = {name: data.draw(st.sampled_from(values)) for name, values in some.items()}
    row = data.draw(rows_strategy) | changed
    (got,) = decide(POLICY, make.cases(row)).to_table().to_pylist()
    base, _ = outcome(make, row)
    free, _ = outcome(make, undo_all(row, RULES))
    if base < free:
        named = {"assessment" if code in CAUSES else code for code in got["reasons"]}
        assert any(
            outcome(make, undo(row, reason))[0] > base
            or outcome(make, undo_all(row, [rule for rule in RULES if rule != reason]))[0] < free
            for reason in named
        )


def test_a_fault_that_sets_no_date_hides_no_reason(decided):
    (row,) = decided({"outage_minutes": 90, "loss_ratio": 0.9, "limit": 30_000_000})
    assert row["status"] == "declined"
    assert row["reasons"] == ["regulatory_cap", "assessment"]


def test_low_need_is_only_named_where_little_of_the_limit_was_used(decided):
    low = RISKY | {"days_since_draw": 90.0, "pull": pull(low_need=1.5)}
    little, much, unknown = decided(low, low | {"limit": 100_000}, low | {"has_limit": False})
    assert [row["reasons"] for row in (little, much, unknown)] == [
        ["low_need"],
        ["assessment"],
        ["assessment"],
    ]


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True
)
@given(data=st.data())
def test_contributions_that_are_not_read_change_nothing(make, rows_strategy, data):
    cases = make.cases(*(data.draw(rows_strategy) for _ in range(5)))
    read = reads_contributions(POLICY, cases)
    other = np.where(read[:, None], cases.contributions, -7.0 - cases.contributions)
    assert decide(POLICY, replace(cases, contributions=other)).to_table() == (
        decide(POLICY, cases).to_table()
    )
