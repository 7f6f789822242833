"""What comes back if the next instalment is paid on its due date: the night after is decided."""

from dataclasses import replace
from typing import Final

import numpy as np

from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.policy.cases import Bools, Cases, Dates, Ints
from relimit.policy.config import Policy
from relimit.policy.earlier import Earlier
from relimit.policy.night import Night
from relimit.policy.outcome import Outcome, Ruling, by_the_rules, outcome_of
from relimit.policy.rescore import Rescored
from relimit.policy.timetable import NEXT_DUE, Timetable, local_dates

PAY_NEXT_DUE: Final = "pay_next_due"


def days_to_due(policy: Policy, as_of: Ints, next_due: Dates) -> Ints:
    """Return `[n]` the days from an instant to the next due date; 0 without one."""
    days = next_due - local_dates(policy, as_of)
    return np.where(np.isnat(days), 0, np.maximum(days.astype(np.int64), 0))


def may_help(policy: Policy, ruling: Ruling, timetable: Timetable, among: Bools) -> Ints:
    """Return the rows among some whose tier holds back what a known due date could bring."""
    situation, cases = ruling.situation, ruling.cases
    waits = timetable.signal == NEXT_DUE
    holds = among & (waits | (timetable.withheld > 0)) & ~situation.closed.any(axis=1)
    rows = np.flatnonzero(holds & ~np.isnat(cases.facts.next_due))
    if not len(rows):
        return rows
    rows = rows[days_to_due(policy, cases.as_of[rows], cases.facts.next_due[rows]) > 0]
    part = situation.take(rows)
    best = by_the_rules(policy, replace(part, loss_ratio=np.zeros(len(rows))))
    return np.asarray(rows[waits[rows] | (best.amount > ruling.outcome.amount[rows])])


def once_met(
    policy: Policy, part: Ruling, timetable: Timetable, rows: Ints, rescored: Rescored | None
) -> Outcome:
    """Return `[rows]` what the night after the due date gives, days counted from that night.

    `part` and `rescored` are of these rows; the timetable is of all.
    """
    cases = part.cases
    days = days_to_due(policy, cases.as_of, cases.facts.next_due) + 1
    after = _after(cases, days)
    if rescored is not None:
        after = rescored.of(after)
    stands = _what_stands(part, timetable, rows)
    return outcome_of(policy, Night.of(policy, after, stands).situation)


def _after(cases: Cases, days: Ints) -> Cases:
    """Return the cases some days later with the due date met, and all else as it was."""
    facts = cases.facts
    later = replace(
        facts,
        prepayment_age_days=facts.prepayment_age_days + days,
        days_since_returned=facts.days_since_returned + days,
        outage_minutes=np.zeros(len(cases), np.int64),
        last_due=facts.next_due,
        next_due=np.full(len(cases), np.datetime64("NaT", "D")),
    )
    return replace(cases, as_of=cases.as_of + days * MICROSECONDS_PER_DAY, facts=later)


def _what_stands(part: Ruling, timetable: Timetable, rows: Ints) -> Earlier:
    promise, later = part.situation.promise, timetable.restore_later[rows]
    return Earlier(
        decision_id=list(part.cases.decision_id),
        decided_at=part.cases.as_of if promise is None else promise.decided_at,
        freed=part.situation.freed,
        restored=part.outcome.amount - later,
        promised=later,
        promised_on=timetable.later_date[rows],
        not_later_than=timetable.not_later_than[rows],
        gate_closed=np.zeros(len(rows), bool),
    )
