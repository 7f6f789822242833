"""What comes back if the next instalment is paid on its due date: the night after is decided."""

from dataclasses import replace
from typing import Final

import numpy as np

from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.policy.cases import Bools, Cases, Facts, Ints, check_cases
from relimit.policy.config import Policy
from relimit.policy.earlier import Earlier
from relimit.policy.night import Night
from relimit.policy.outcome import Outcome, Ruling, by_the_rules, outcome_of
from relimit.policy.rescore import Rescore
from relimit.policy.timetable import NEXT_DUE, Timetable, local_dates

PAY_NEXT_DUE: Final = "pay_next_due"


def days_to_due(policy: Policy, as_of: Ints, facts: Facts) -> Ints:
    """Return `[n]` the days from an instant to the next due date; 0 without one."""
    days = facts.next_due - local_dates(policy, as_of)
    return np.where(np.isnat(days), 0, np.maximum(days.astype(np.int64), 0))


def _days(policy: Policy, cases: Cases) -> Ints:
    return days_to_due(policy, cases.as_of, cases.facts)


def may_help(policy: Policy, ruling: Ruling, timetable: Timetable) -> Bools:
    """Return `[n]`: the tier holds something back that a due date which is known could end."""
    situation = ruling.situation
    withholds = (timetable.withheld > 0) & (
        by_the_rules(policy, replace(situation, loss_ratio=np.zeros(len(situation)))).amount
        > ruling.outcome.amount
    )
    waits = timetable.signal == NEXT_DUE
    known = _days(policy, ruling.cases) > 0
    return np.asarray(known & (waits | withholds) & ~situation.closed.any(axis=1))


def once_met(
    policy: Policy, ruling: Ruling, timetable: Timetable, rows: Ints, rescore: Rescore | None
) -> Outcome:
    """Return `[rows]` what the night after the due date gives, days counted from that night."""
    part = ruling.take(rows)
    days = _days(policy, part.cases) + 1
    after = _after(part.cases, days)
    if rescore is not None:
        risk, expected_loss, facts = rescore(rows, [PAY_NEXT_DUE] * len(rows))
        age = after.facts.prepayment_age_days
        facts = replace(facts, prepayment_age_days=age)
        after = replace(after, risk=risk, expected_loss=expected_loss, facts=facts)
        check_cases(after)
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
