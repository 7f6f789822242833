"""The facts that gates, finality and reasons read, gathered from what was known at each moment."""

import numpy as np

from relimit.data.vocabulary import (
    DRAW,
    DUE,
    EXTERNAL_SCORE,
    INTEREST,
    INTEREST_PAYMENT,
    MICROSECONDS_PER_DAY,
    OUTAGE,
    OVERDUE,
    PAYMENT_RETURNED,
    PREPAYMENT,
)
from relimit.features.funding import FROM_LENDER
from relimit.features.history import Floats, History, Ints, Window
from relimit.features.operations import operation_count
from relimit.features.sequences import MINUTE, cycles
from relimit.features.series import Series
from relimit.features.state import in_arrears, interest_unsettled, limit_now, outstanding
from relimit.policy.cases import Dates, Facts
from relimit.policy.config import Policy, load_policy
from relimit.policy.timetable import days_after, local_dates

IDENTITY_CHANGES = ("device_change", "phone_change", "card_change")
OUTAGES = 3
"""How many of the last outages are held against the fault window; they are rare."""


def gather_facts(history: History, policy: Policy | None = None) -> Facts:
    """Return the facts at each snapshot, in the windows of the policy (None: the default one).

    Nothing but visible events counts. An account without events has no arrears, no limit and
    nothing outstanding.
    """
    policy = policy or load_policy()
    evidence = Window(policy.evidence.window_days)
    limit = limit_now(history)
    late = in_arrears(history)
    owed = outstanding(history)
    return Facts(
        overdue=_whole(np.where(late, np.maximum(history.last_amount(OVERDUE), 0), 0)),
        days_past_due=_whole(np.where(late, history.last_value(OVERDUE), 0)),
        unsettled_interest=_unsettled_interest(policy, history),
        identity_changes=_operations(policy, history, *IDENTITY_CHANGES),
        login_failures=_operations(policy, history, "login_failed"),
        limit=_whole(limit),
        has_limit=np.isfinite(limit),
        outstanding=owed,
        returned_payments=history.count(
            PAYMENT_RETURNED, Window(policy.finality.returned_window_days)
        ),
        prepayment_age_days=history.since(PREPAYMENT),
        outage_minutes=_outage_minutes(history, policy.fault.window_days),
        next_due=_next_due(policy, history, owed),
        cycles=history.count(cycles(history), evidence),
        days_since_draw=history.since(DRAW),
        lender_inflow=history.sum(FROM_LENDER, evidence),
        score_drop=_score_drop(history, evidence),
        overdues=history.count(OVERDUE, evidence),
    )


def _whole(amounts: Floats) -> Ints:
    """Return numbers that are whole already as int64; 0 where there are none."""
    return np.nan_to_num(amounts, nan=0.0).astype(np.int64)


def _unsettled_interest(policy: Policy, history: History) -> Ints:
    """Return interest unpaid, less what instalments billed lately: its payment is under way.

    Of what was paid in the days of grace, all but interest settled with a prepayment pays bills.
    """
    grace = Window(policy.gates.interest_grace_days)
    billed = history.sum(_at_instants(history, INTEREST, DUE), grace)
    paid = history.sum(INTEREST_PAYMENT, grace)
    paid -= history.sum(_at_instants(history, INTEREST_PAYMENT, PREPAYMENT), grace)
    under_way = np.maximum(billed - paid, 0)
    left: Ints = np.maximum(interest_unsettled(history) - under_way, 0)
    return left


def _at_instants(history: History, kind: str, other: str) -> Series:
    """Return the events of a kind that happened at the very instant of another kind's."""
    name = f"{kind} at the instant of {other}"
    return history.derive(name, lambda: _coinciding(history, kind, other))


def _coinciding(history: History, kind: str, other: str) -> tuple[Ints, Ints]:
    series, others = history.series(kind), history.series(other).rows
    times, rank = np.unique(history.block.ts[others], return_inverse=True)
    if len(times) == 0:
        return series.rows[:0], series.value[:0]
    ts = history.block.ts[series.rows]
    place = np.minimum(np.searchsorted(times, ts), len(times) - 1)
    account = history.row_start
    key = account[series.rows] * len(times) + place
    keys = np.sort(account[others] * len(times) + rank, kind="stable")  # nearly in order
    near = np.minimum(np.searchsorted(keys, key), len(keys) - 1)
    same = (times[place] == ts) & (keys[near] == key)
    return series.rows[same], series.value[same]


def _operations(policy: Policy, history: History, *kinds: str) -> Ints:
    window = Window(policy.gates.identity_window_days)
    total: Ints = np.sum([operation_count(history, kind, window) for kind in kinds], axis=0)
    return total


def _outage_minutes(history: History, window_days: int) -> Ints:
    """Return by how many minutes the last outages overlap the fault window."""
    since = history.as_of - window_days * MICROSECONDS_PER_DAY
    minutes = history.values(OUTAGE)
    total = np.zeros(history.size, np.int64)
    for back in range(OUTAGES):
        start, there = history.last_ts(minutes, back)
        end = start + _whole(history.last_amount(minutes, back)) * MINUTE
        overlap = np.minimum(end, history.as_of) - np.maximum(start, since)
        total += np.where(there, np.maximum(overlap, 0) // MINUTE, 0)
    return total


def _next_due(policy: Policy, history: History, owed: Ints) -> Dates:
    """Return a month after the last instalment fell due, if something is still owed by then.

    A due date of a month too short for its day is the month's last day. Where that date has
    passed no instalment is running any more: NaT.
    """
    last_ts, there = history.last_ts(DUE)
    last = local_dates(policy, last_ts)
    month = last.astype("datetime64[M]")
    start, following = _first_day(month, 1), _first_day(month, 2)
    day = (last - _first_day(month, 0)).astype(np.int64)
    due = days_after(start, np.minimum(day, (following - start).astype(np.int64) - 1))
    running = there & (owed > 0) & (due > local_dates(policy, history.as_of))
    return np.where(running, due, np.datetime64("NaT", "D"))


def _first_day(month: Dates, ahead: int) -> Dates:
    """Return the first day of the month that comes so many months later."""
    return np.asarray((month + np.timedelta64(ahead, "M")).astype("datetime64[D]"))


def _score_drop(history: History, window: Window) -> Floats:
    """Return the points between the highest score in the window and the last; NaN without one."""
    scores = history.values(EXTERNAL_SCORE)
    return history.largest(scores, window) - history.last_amount(scores)
