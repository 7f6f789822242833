"""A later night: what it finds of an earlier promise, and what that still waits for."""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from relimit.data.vocabulary import DELAYS_DAYS, MICROSECONDS_PER_DAY
from relimit.policy.cases import Bools, Cases, Dates, Floats
from relimit.policy.config import Policy
from relimit.policy.earlier import Earlier
from relimit.policy.gates import is_doubtful
from relimit.policy.outcome import Situation, situation_of
from relimit.policy.promise import Promise
from relimit.policy.timetable import NEXT_DUE, SCORE_REFRESH, Awaited, local_dates

LONGEST: Final = max(DELAYS_DAYS)
"""No tier waits longer. Its delays are those of the arms: a promise for another day was set by a
fault or by clearing."""


@dataclass(frozen=True, slots=True)
class Night:
    """What a later night finds of each decision, `[n]` each.

    Attributes
    ----------
    cases
        Tonight's; each prepayment is at least as old as its decision.
    situation
        What the rules look at tonight, with the promise.
    today
        datetime64[D].
    waits_for
        What a tier's promise waits for.
    """

    cases: Cases
    situation: Situation
    today: Dates
    waits_for: Awaited

    @classmethod
    def of(cls, policy: Policy, cases: Cases, earlier: Earlier) -> Self:
        """Return what a night finds of what was decided earlier about the same cases."""
        today, decided_on = (local_dates(policy, at) for at in (cases.as_of, earlier.decided_at))
        elapsed = (cases.as_of - earlier.decided_at) / MICROSECONDS_PER_DAY
        aged = _aged(cases, elapsed)
        promised = earlier.promised > 0
        delay = np.where(promised, (earlier.promised_on - decided_on).astype(np.int64), 0)
        waits_for_due = np.isin(delay, _due_delays(policy))
        due_met = waits_for_due & _due_met(cases, decided_on, today)
        situation = situation_of(policy, aged)
        bounced = is_doubtful(policy, cases.facts) & (cases.facts.days_since_returned < elapsed)
        cleared = (_cleared_on(policy, cases) - today).astype(np.int64)
        left = np.where(promised, (earlier.promised_on - today).astype(np.int64), 0)
        promise = Promise(
            decided_at=earlier.decided_at,
            restored=earlier.restored,
            amount=earlier.promised,
            left=np.maximum(left, 0),
            by_tier=np.isin(delay, DELAYS_DAYS) & ~due_met,
            cleared=np.where(bounced, np.maximum(cleared, 0), 0),
            factor=np.where(due_met, 1.0, 1.0 + policy.service.better_by),
            was_closed=earlier.gate_closed,
        )
        situation = replace(
            situation,
            elapsed_days=np.where(due_met, LONGEST, (today - decided_on).astype(np.int64)),
            promise=promise,
        )
        return cls(aged, situation, today, _awaited(cases, waits_for_due, decided_on, today))


def _aged(cases: Cases, elapsed: Floats) -> Cases:
    """However new the account's last prepayment is, the one that was decided has aged."""
    age = np.fmax(cases.facts.prepayment_age_days, elapsed)
    return replace(cases, facts=replace(cases.facts, prepayment_age_days=age))


def _due_delays(policy: Policy) -> list[int]:
    return [tier.delay_days for tier in policy.tiers if tier.signal == "next_due"]


def _due_met(cases: Cases, decided_on: Dates, today: Dates) -> Bools:
    """Return whether a due date has passed since the decision, and left no arrears."""
    facts = cases.facts
    passed = (facts.last_due > decided_on) & (facts.last_due < today)
    return np.asarray(passed & (facts.overdue == 0) & (facts.days_past_due == 0))


def _cleared_on(policy: Policy, cases: Cases) -> Dates:
    """Return the date on which a payment that bounced has had its days to clear since.

    It depends on no night, so that it does not move from one to the next.
    """
    left = policy.finality.clearing_days - np.nan_to_num(cases.facts.days_since_returned)
    at = cases.as_of + np.rint(left * MICROSECONDS_PER_DAY).astype(np.int64)
    return local_dates(policy, at)


def _awaited(cases: Cases, waits_for_due: Bools, decided_on: Dates, today: Dates) -> Awaited:
    """Return what the promises of tiers wait for; a due date that is today is still to be met."""
    last, following = cases.facts.last_due, cases.facts.next_due
    due = np.where((last == today) & (last > decided_on), last, following)
    return Awaited(np.where(waits_for_due, NEXT_DUE, SCORE_REFRESH).astype(np.int8), due)
