"""The facts that gates, finality and reasons read, gathered from what was known at each moment."""

from functools import lru_cache
from operator import attrgetter
from typing import Final

import numpy as np

from relimit.data.vocabulary import (
    DUE,
    IDENTITY_CONFIRMED,
    INTEREST,
    MICROSECONDS_PER_DAY,
    OPERATION,
    OUTAGE,
    OVERDUE,
    PAYMENT_RETURNED,
    PREPAYMENT,
)
from relimit.features.history import Floats, History, Ints, Select, Window, pick
from relimit.features.loans import ends_of_loans
from relimit.features.operations import operation_count
from relimit.features.sequences import MINUTE
from relimit.features.state import in_arrears, interest_ledger, limit_now, outstanding
from relimit.policy.cases import Dates, Facts, Standing
from relimit.policy.config import Policy, load_policy
from relimit.policy.evidence_facts import evidence_facts, no_evidence
from relimit.policy.timetable import FEW, days_after, local_dates

IDENTITY_CHANGES = ("device_change", "phone_change", "card_change")
LOGIN_FAILURES = ("login_failed",)
WATCHED = {kind: Select(OPERATION, detail=kind) for kind in (*IDENTITY_CHANGES, *LOGIN_FAILURES)}
CONFIRMED = Select(OPERATION, detail=IDENTITY_CONFIRMED)
_AHEAD = np.arange(3, dtype="timedelta64[M]")[:, np.newaxis]
INSTALMENTS = 12
"""How many of the last instalments tell of the next: each loan that runs has one a month."""
OUTAGES = 3
"""How many of the last outages are held against the fault window; they are rare."""


def gather_facts(history: History, policy: Policy | None = None) -> Facts:
    """Return the facts at each snapshot, in the windows of the policy (None: the default one).

    Nothing but visible events counts. An account without events has no arrears, no limit and
    nothing outstanding.
    """
    policy = policy or load_policy()
    return add_evidence(history, policy, gather_standing(history, policy))


def add_evidence(history: History, policy: Policy, standing: Standing) -> Facts:
    """Return all facts at a history's snapshots, of which those of the gates are known."""
    return Facts(*_standing_of(standing), **evidence_facts(history, policy))


def without_evidence(standing: Standing) -> Facts:
    """Return all facts of cases whose evidence nobody reads; see `bound_by_risk`."""
    return Facts(*_standing_of(standing), **no_evidence(len(standing)))


_standing_of: Final = attrgetter(*Standing.__match_args__)


def gather_standing(history: History, policy: Policy) -> Standing:
    """Return the facts that the gates and the timetable read, at each snapshot."""
    limit = limit_now(history)
    owed = outstanding(history)
    overdue, days_past_due = _arrears(history)
    last_due, next_due = _due_dates(policy, history, owed)
    returned_window = Window(policy.finality.returned_window_days)
    return Standing(
        overdue=overdue,
        days_past_due=days_past_due,
        unsettled_interest=_unsettled_interest(policy, history),
        identity_changes=_operations(policy, history, IDENTITY_CHANGES),
        login_failures=_operations(policy, history, LOGIN_FAILURES),
        limit=_whole(limit),
        has_limit=np.isfinite(limit),
        outstanding=owed,
        returned_payments=history.count(PAYMENT_RETURNED, returned_window),
        days_since_returned=_days_since_known(history, PAYMENT_RETURNED),
        prepayment_age_days=history.since(PREPAYMENT),
        outage_minutes=_outage_minutes(history, policy.fault.window_days),
        last_due=last_due,
        next_due=next_due,
    )


def _arrears(history: History) -> tuple[Ints, Ints]:
    """Return arrears now, fen, and the days past due that go with them."""
    late = in_arrears(history)
    if not np.count_nonzero(late):
        return np.zeros(history.size, np.int64), np.zeros(history.size, np.int64)
    overdue = _whole(np.where(late, np.maximum(history.last_amount(OVERDUE), 0), 0))
    return overdue, _whole(np.where(late, history.last_value(OVERDUE), 0))


def _whole(amounts: Floats) -> Ints:
    """Return numbers that are whole already as int64; 0 where there are none."""
    whole = amounts.copy()
    whole[np.isnan(amounts)] = 0.0
    return whole.astype(np.int64)


def _unsettled_interest(policy: Policy, history: History) -> Ints:
    """Return interest unpaid, less what instalments billed in the days of grace.

    What is paid settles first all that counts, and only the rest of it a bill in its days of grace:
    whoever pays what is asked for has settled it. What counts is so a sum that payments lower no
    further than 0 (a reflected walk; Lindley 1952).
    """
    grace = Window(policy.gates.interest_grace_days)
    before = history.sum_before(interest_ledger(history), grace.days)
    paid = history.derive("interest paid, less charged alone", lambda: _paid_less_charged(history))
    first, last = history.span(paid, grace)
    start, end = paid.total[first], paid.total[last]
    highest = paid.peak(first, last).astype(np.int64)
    for_bills = np.maximum(np.minimum(before, 0) - before + highest - start, 0)
    left: Ints = np.maximum(before - (end - start) + for_bills, 0)
    return left


def _paid_less_charged(history: History) -> tuple[Ints, Ints]:
    """Return payments of interest and, negative, the interest that no instalment billed."""
    ledger = interest_ledger(history)
    alone = np.ones(len(history.block.kind), np.bool_)
    alone[_at_instants(history, INTEREST, DUE)] = False
    kept = alone.take(ledger.rows)
    return ledger.rows[kept], -ledger.value[kept]


def _at_instants(history: History, kind: str, other: str) -> Ints:
    """Return the rows of a kind's events that happened at the very instant of another kind's."""
    rows, others = history.series(kind).rows, history.series(other).rows
    if len(rows) == 0 or len(others) == 0:
        return rows[:0]
    moments = _moments(history, np.concatenate((others, rows)))
    keys, mine = moments[: len(others)], moments[len(others) :]
    keys.sort(kind="stable")  # nearly in order
    near = np.minimum(keys.searchsorted(mine), len(keys) - 1)
    return np.asarray(rows[keys[near] == mine])


def _moments(history: History, rows: Ints) -> Ints:
    """Return a number for each row's account and `ts`; ranks if the times are too far apart."""
    block = history.block
    if len(block.account_ids) == 1:
        return block.ts[rows]
    ts, first = block.ts, int(block.ts.min())
    span = int(ts.max()) - first + 1
    account = block.starts[1:].searchsorted(rows, side="right")
    if span * len(block.account_ids) >= 2**62:
        distinct, rank = np.unique(ts, return_inverse=True)
        return account * len(distinct) + rank[rows]
    return account * span + (ts[rows] - first)


def _operations(policy: Policy, history: History, kinds: tuple[str, ...]) -> Ints:
    """Return operations in the identity window, and since the identity was last confirmed."""
    window = Window(policy.gates.identity_window_days)
    total = np.zeros(history.size, np.int64)
    there = [kind for kind in kinds if len(history.series(WATCHED[kind]).rows)]
    if not there:
        return total
    confirmed = history.last_row(CONFIRMED)
    ever = bool((confirmed >= 0).any())
    for kind in there:
        count: Ints = operation_count(history, kind, window).astype(np.int64)
        if ever:
            found = history.series(WATCHED[kind])
            since = history.span(found)[1] - found.before(confirmed + 1)
            count = np.where(confirmed >= 0, np.minimum(count, since), count)
        total += count
    return total


def _outage_minutes(history: History, window_days: int) -> Ints:
    """Return by how many minutes the last outages overlap the fault window."""
    total = np.zeros(history.size, np.int64)
    if len(history.series(OUTAGE).rows) == 0:
        return total
    since = history.as_of - window_days * MICROSECONDS_PER_DAY
    minutes = history.values(OUTAGE)
    for back in range(OUTAGES):
        start, there = history.last_ts(minutes, back)
        end = start + _whole(history.last_amount(minutes, back)) * MINUTE
        overlap = np.minimum(end, history.as_of) - np.maximum(start, since)
        total += np.where(there, np.maximum(overlap, 0) // MINUTE, 0)
    return total


def _due_dates(policy: Policy, history: History, owed: Ints) -> tuple[Dates, Dates]:
    """Return the last due date up to today, and the next if something is still owed by then.

    One comes a month after an instalment that fell due, on the last day of a month too short for
    its day: of several loans the first that still runs. Where the date after the last instalment
    has passed without another, none is running any more.
    """
    last_ts, there = history.last_ts(DUE)
    last = local_dates(policy, last_ts)
    due, today = _month_after(last), local_dates(policy, history.as_of)
    ahead = due > today
    never = np.datetime64("NaT", "D")
    passed = np.where(there, np.where(ahead, last, due), never)
    coming = there & ahead & (owed > 0)
    if not np.count_nonzero(coming):
        return passed, np.where(coming, due, never)
    return passed, np.where(coming, _first_due(policy, history, today), never)


def _first_due(policy: Policy, history: History, today: Dates) -> Dates:
    """Return the first date after today that is a month after an instalment of a loan that runs.

    Instalments of the last month are looked at, the latest first, as far as they were billed within
    a month. One without a loan's number is of a loan that nobody can see end.
    """
    instalments, visible = history.series(DUE).rows, history.end()
    first = np.full(history.size, np.datetime64("NaT", "D"))
    looked_at = np.ones(history.size, bool)
    for back in range(INSTALMENTS):
        place, there = history.last(DUE, back)
        row = pick(instalments, place, there, 0)
        due = _month_after(local_dates(policy, pick(history.block.ts, row, there, 0)))
        looked_at &= there & (due > today)
        if not np.count_nonzero(looked_at):
            break
        runs = looked_at & (ends_of_loans(history, row) >= visible)
        first = np.where(runs, np.fmin(first, due), first)
    return first


def _month_after(days: Dates) -> Dates:
    """Return the same day of the next month, or the last day of a month too short for it."""
    if len(days) > FEW:
        return _months_after(days)
    found = [_one_month_after(day) for day in days.astype(np.int64).tolist()]
    return np.array(found, "datetime64[D]")


def _months_after(days: Dates) -> Dates:
    first, start, following = (days.astype("datetime64[M]") + _AHEAD).astype("datetime64[D]")
    day = (days - first).astype(np.int64)
    return days_after(start, np.minimum(day, (following - start).astype(np.int64) - 1))


@lru_cache(maxsize=1024)  # live decisions ask for the same few days again and again
def _one_month_after(day: int) -> np.datetime64:
    found: np.datetime64 = _months_after(np.array([day]).astype("datetime64[D]"))[0]
    return found


def _days_since_known(history: History, kind: str) -> Floats:
    """Return the days since the lender learned of the last event of a kind; NaN if never."""
    row = history.last_row(kind)
    known = pick(history.block.known_at, np.maximum(row, 0), row >= 0, 0)
    return np.where(row >= 0, (history.as_of - known) / MICROSECONDS_PER_DAY, np.nan)
