"""Facts from little hand-made histories, each with its expected answer worked out by hand."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from relimit.data.events import blocks_from_table
from relimit.features import History
from relimit.policy import gather_facts

NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)  # noon in Shanghai


def at(days_ago, hours=0.0):
    return NOW - timedelta(days=days_ago, hours=hours)


def facts_of(*events, policy=None):
    """Gather one account's facts at NOW; events are (ts, kind, amount, value, detail, known_at)."""
    rows = [(*event, *[None] * (6 - len(event))) for event in events]
    table = pa.table(
        {
            "account_id": pa.array([7] * len(rows), pa.int64()),
            "ts": pa.array([row[0] for row in rows], pa.timestamp("us", tz="UTC")),
            "kind": pa.array([row[1] for row in rows], pa.string()),
            "amount": pa.array([row[2] for row in rows], pa.int64()),
            "value": pa.array([row[3] for row in rows], pa.int32()),
            "detail": pa.array([row[4] for row in rows], pa.string()),
            "known_at": pa.array([row[5] for row in rows], pa.timestamp("us", tz="UTC")),
        }
    )
    now = np.array([np.datetime64(NOW.replace(tzinfo=None), "us").astype(np.int64)])
    account = np.array([0 if rows else -1])
    return gather_facts(History(blocks_from_table(table), account, now), policy)


def test_an_account_without_events_has_no_troubles():
    facts = facts_of()
    assert (facts.overdue[0], facts.unsettled_interest[0], facts.outstanding[0]) == (0, 0, 0)
    assert not facts.has_limit[0]
    assert np.isnat([facts.next_due[0], facts.last_due[0], facts.cycles_until[0]]).all()
    assert np.isnan(facts.days_since_returned[0])
    assert np.isnan([facts.prepayment_age_days[0], facts.score_drop[0]]).all()


@pytest.mark.parametrize(
    ("events", "overdue", "days"),
    [
        ([(at(9), "overdue", 500, 1)], 500, 1),
        ([(at(9), "overdue", 500, 1), (at(3), "overdue", 700, 7)], 700, 7),
        ([(at(9), "overdue", 500, 1), (at(3), "cured")], 0, 0),
        ([(at(9), "cured"), (at(3), "overdue", 500, 1)], 500, 1),
        ([(at(9), "overdue", -500, 30)], 0, 30),
        ([(at(9), "overdue", None, 30)], 0, 30),
        ([(at(9), "overdue", 500, 1, None, NOW + timedelta(days=1))], 0, 0),
    ],
)
def test_arrears_are_those_since_the_last_cure(events, overdue, days):
    facts = facts_of(*events)
    assert (facts.overdue[0], facts.days_past_due[0]) == (overdue, days)


@pytest.mark.parametrize(("charged", "paid", "left"), [(900, 400, 500), (900, 950, 0)])
def test_unsettled_interest_is_what_was_charged_less_what_was_paid(charged, paid, left):
    facts = facts_of((at(5), "interest", charged), (at(4), "interest_payment", paid))
    assert facts.unsettled_interest[0] == left


BILL = [(at(1), "interest", 700), (at(1), "due", 9_000)]
OLD_BILL = [(at(4), "interest", 700), (at(4), "due", 9_000)]
RESIDUAL = [(at(0, 1), "interest", 80), (at(0, 1), "prepayment", 5_000)]
SETTLED = [*RESIDUAL, (at(0, 1), "interest_payment", 80)]


@pytest.mark.parametrize(
    ("events", "left"),
    [
        (BILL, 0),
        (OLD_BILL, 700),
        (RESIDUAL, 80),
        ([*BILL, *RESIDUAL], 80),
        ([*BILL, *SETTLED], 0),
        ([*BILL, *RESIDUAL, (at(0, 5), "interest_payment", 700)], 80),
        ([*BILL, *RESIDUAL, (at(0, 0.5), "interest_payment", 80)], 0),
        ([*BILL, *RESIDUAL, (at(0, 0.5), "interest_payment", 30)], 50),
        ([(at(30), "interest", 60), *BILL], 60),
        ([(at(30), "interest", 60), *BILL, (at(0, 5), "interest_payment", 60)], 0),
        ([(at(30), "interest", 60), *BILL, (at(0, 5), "interest_payment", 700)], 0),
        ([(at(9), "interest_payment", 60), *BILL, *RESIDUAL], 20),
        ([(at(1), "interest", 700)], 700),
    ],
)
def test_interest_that_an_instalment_billed_lately_is_not_unsettled_yet(events, left):
    assert facts_of(*events).unsettled_interest[0] == left


def test_bills_of_another_account_excuse_nothing():
    now = np.array([np.datetime64(NOW.replace(tzinfo=None), "us").astype(np.int64)] * 2)
    table = pa.table(
        {
            "account_id": [1, 2, 2],
            "ts": pa.array([at(1)] * 3, pa.timestamp("us", tz="UTC")),
            "kind": ["interest", "interest", "due"],
            "amount": [500, 500, 9_000],
        }
    )
    history = History(blocks_from_table(table), np.array([0, 1]), now)
    assert gather_facts(history).unsettled_interest.tolist() == [500, 0]


def test_what_is_owed_and_the_limit_are_as_known_now():
    facts = facts_of(
        (at(50), "limit", 1_000_000),
        (at(40), "draw", 300_000),
        (at(20), "repayment", 100_000),
        (at(0, 1), "prepayment", 50_000),
        (at(0, 0.5), "prepayment", 10_000, None, None, NOW + timedelta(hours=1)),
    )
    assert (facts.limit[0], facts.has_limit[0]) == (1_000_000, True)
    assert facts.outstanding[0] == 150_000
    assert facts.prepayment_age_days[0] == pytest.approx(1 / 24)
    assert facts.days_since_draw[0] == 40


def test_identity_changes_and_failed_logins_count_in_their_window():
    facts = facts_of(
        *((at(days), "operation", None, None, "login_failed") for days in (1, 2, 8)),
        (at(3), "operation", None, None, "device_change"),
        (at(3), "operation", None, None, "card_change"),
        (at(30), "operation", None, None, "phone_change"),
        (at(1), "operation", None, None, "limit_check"),
    )
    assert (facts.identity_changes[0], facts.login_failures[0]) == (2, 2)


def test_an_identity_that_was_confirmed_ends_what_came_before():
    def operation(days, detail):
        return (at(days), "operation", None, None, detail)

    before = [operation(3, "device_change"), operation(3, "login_failed")]
    confirmed = operation(2, "identity_confirmed")
    facts = facts_of(*before, confirmed, operation(1, "card_change"))
    assert (facts.identity_changes[0], facts.login_failures[0]) == (1, 0)
    facts = facts_of(*before, operation(9, "identity_confirmed"))
    assert (facts.identity_changes[0], facts.login_failures[0]) == (1, 1)
    unseen = (at(2), "operation", None, None, "identity_confirmed", NOW + timedelta(days=1))
    assert facts_of(*before, unseen).identity_changes[0] == 1


@pytest.mark.parametrize(
    ("outages", "minutes"),
    [
        ([(at(0, 2), 45)], 45),
        ([(at(0, 0.5), 45)], 30),
        ([(at(1, 1), 100)], 40),
        ([(at(2), 60)], 0),
        ([(at(0, 9), 20), (at(0, 6), 20), (at(0, 3), 20)], 60),
    ],
)
def test_outages_count_by_their_overlap_with_the_last_day(outages, minutes):
    facts = facts_of(*((ts, "outage", None, value) for ts, value in outages))
    assert facts.outage_minutes[0] == minutes


@pytest.mark.parametrize(
    ("last_due", "owed", "next_due", "passed"),
    [
        (datetime(2026, 2, 15, tzinfo=UTC), True, "2026-03-15", "2026-02-15"),
        (datetime(2026, 2, 14, 17, tzinfo=UTC), True, "2026-03-15", "2026-02-15"),
        (datetime(2026, 2, 15, tzinfo=UTC), False, "NaT", "2026-02-15"),
        (datetime(2026, 1, 31, tzinfo=UTC), True, "NaT", "2026-02-28"),
        (datetime(2026, 2, 9, 15, tzinfo=UTC), True, "NaT", "2026-03-09"),
        (datetime(2026, 2, 10, 15, tzinfo=UTC), True, "NaT", "2026-03-10"),
        (datetime(2026, 2, 10, 17, tzinfo=UTC), True, "2026-03-11", "2026-02-11"),
    ],
)
def test_the_next_due_date_is_a_month_after_the_last(last_due, owed, next_due, passed):
    borrowed = [(at(60), "draw", 1000)] if owed else []
    facts = facts_of(*borrowed, (last_due, "due", 100))
    assert (str(facts.next_due[0]), str(facts.last_due[0])) == (next_due, passed)


def test_evidence_counts_in_its_window():
    facts = facts_of(
        (at(200), "payment_returned", 5),
        (at(400), "payment_returned", 5),
        (at(80), "external_score", None, 700),
        (at(40), "external_score", None, 640),
        (at(100), "inflow", 9999, None, "lender"),
        (at(9), "inflow", 300, None, "lender"),
        (at(9), "inflow", 500),
        (at(30), "draw", 100),
        (at(25), "prepayment", 100),
        (at(20), "draw", 100),
        (at(95), "overdue", 5, 1),
        (at(94), "cured"),
        (at(50), "overdue", 5, 1),
        (at(49), "cured"),
    )
    assert facts.returned_payments[0] == 1
    assert facts.score_drop[0] == 60
    assert facts.lender_inflow[0] == 300
    assert facts.cycles[0] == 1
    assert facts.overdues[0] == 1


def test_a_returned_payment_is_as_old_as_the_lenders_knowledge_of_it():
    learned_late = (at(9), "payment_returned", 5, None, None, at(2))
    assert facts_of((at(40), "payment_returned", 5), learned_late).days_since_returned[0] == 2
    unseen = (at(1), "payment_returned", 5, None, None, NOW + timedelta(hours=1))
    assert facts_of((at(40), "payment_returned", 5), unseen).days_since_returned[0] == 40


def test_cycles_count_until_the_third_last_of_them_is_ninety_days_old(policy):
    def cycle(days):
        return [(at(days + 2), "draw", 100), (at(days + 1), "prepayment", 100)]

    few = facts_of(*cycle(80), *cycle(78), (at(78), "draw", 100))
    assert few.cycles[0] < policy.evidence.cycles
    assert np.isnat(few.cycles_until[0])
    events = [event for days in (80, 70, 60, 50) for event in cycle(days)] + [(at(45), "draw", 9)]
    facts = facts_of(*events)
    assert facts.cycles[0] == 4  # closed 72, 62, 52 and 45 days ago
    assert str(facts.cycles_until[0]) == "2026-04-07"


def test_a_month_end_due_date_falls_on_the_last_day_of_a_short_month():
    now = np.array([np.datetime64("2026-02-20T04:00", "us").astype(np.int64)])
    events = pa.table(
        {
            "account_id": [1, 1],
            "ts": pa.array(
                [datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 31, tzinfo=UTC)],
                pa.timestamp("us", tz="UTC"),
            ),
            "kind": ["draw", "due"],
            "amount": [500, 100],
        }
    )
    history = History(blocks_from_table(events), np.array([0]), now)
    assert str(gather_facts(history).next_due[0]) == "2026-02-28"
