"""When the limit returns: dates in the borrower's calendar, the last date and the signal."""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.vocabulary import STATUSES
from relimit.policy.arms import tier_of
from relimit.policy.cases import Bools, Dates, Ints
from relimit.policy.config import Policy
from relimit.policy.outcome import Outcome, Situation

SIGNALS = ("none", "score_refresh", "next_due", "payment_clearing", "fault_mended")
"""What a wait ends with, if it comes before the date."""

RESTORED, STAGED, HELD, DECLINED, FAULT = range(len(STATUSES))
NONE, SCORE_REFRESH, NEXT_DUE, PAYMENT_CLEARING, FAULT_MENDED = range(len(SIGNALS))

NEVER: Final = np.datetime64("NaT", "D")

FEW: Final = 16
"""Up to so many instants are looked up one by one, in what is remembered of them."""


@dataclass(frozen=True, slots=True)
class Timetable:
    """The money of each decision on its dates, `[n]` each.

    Attributes
    ----------
    status
        int8 place in `STATUSES`. Restored: all is back now, or nothing was freed. Declined:
        nothing returns. Fault: a system fault alone sets the date. Held: the payment's clearing
        sets the date, or all of it returns on one later date. Staged: a part returns, now or later,
        and the rest is withheld.
    restore_now, restore_later, withheld
        int64 fen; they add up to what was freed.
    decided_on, later_date, not_later_than
        datetime64[D]; `later_date` is NaT where nothing returns later. `not_later_than` is the last
        day on which this decision is complete: what is promised is back, and what is withheld has
        been decided anew.
    signal
        int8 place in `SIGNALS`: what ends the wait earlier; none exactly where nothing waits.
    signal_on
        datetime64[D], the due date that is waited for; NaT without one.
    """

    status: NDArray[np.int8]
    restore_now: Ints
    restore_later: Ints
    withheld: Ints
    decided_on: Dates
    later_date: Dates
    not_later_than: Dates
    signal: NDArray[np.int8]
    signal_on: Dates


@dataclass(frozen=True, slots=True)
class Awaited:
    """What the waits of the tiers are for, `[n]` each.

    Attributes
    ----------
    signal
        int8 place in `SIGNALS`.
    due
        datetime64[D], the due date that may be waited for, today or later; NaT without one.
    """

    signal: NDArray[np.int8]
    due: Dates


def local_dates(policy: Policy, as_of: Ints) -> Dates:
    """Return `[n]` the date of each instant in the policy's calendar.

    Examples
    --------
    >>> from relimit.policy import load_policy
    >>> noon_and_night = np.array(["2026-03-01T12", "2026-03-01T17"], "datetime64[us]")
    >>> local_dates(load_policy(), noon_and_night.astype(np.int64)).tolist()
    [datetime.date(2026, 3, 1), datetime.date(2026, 3, 2)]
    """
    calendar = policy.timetable.calendar
    if len(as_of) > FEW:
        return _dates(calendar, as_of)
    return np.array([_date(calendar, at) for at in as_of.tolist()], "datetime64[D]")


def _dates(calendar: str, as_of: Ints) -> Dates:
    local: Any = pc.local_timestamp(pa.array(as_of, pa.timestamp("us", tz=calendar)))
    return np.asarray(local.to_numpy(zero_copy_only=False).astype("datetime64[D]"))


@lru_cache(maxsize=1024)  # a live decision asks for the same few instants again and again
def _date(calendar: str, at: int) -> np.datetime64:
    day: np.datetime64 = _dates(calendar, np.array([at]))[0]
    return day


def days_after(dates: Dates, days: Ints) -> Dates:
    """Return `[n]` the dates that come `days` later; NaT stays NaT."""
    return np.asarray(dates + days.astype("timedelta64[D]"))


def tier_signals(policy: Policy, situation: Situation) -> NDArray[np.int8]:
    """Return `[n]` the place in `SIGNALS` of what each case's tier waits for."""
    tier = tier_of(policy, situation.tier_ratio)
    return np.array([SIGNALS.index(t.signal) for t in policy.tiers], np.int8)[tier]


def timetable_of(
    policy: Policy,
    situation: Situation,
    outcome: Outcome,
    as_of: Ints,
    waits_for: Awaited,
    *,
    by_fault: Bools,
) -> Timetable:
    """Put an outcome on its dates; `by_fault` says where a system fault sets them."""
    decided_on = local_dates(policy, as_of)
    later = outcome.days > 0
    restore_later = np.where(later, outcome.amount, 0)
    withheld = situation.freed - outcome.amount
    signal = _signal(situation, outcome, decided_on, waits_for)
    signal[by_fault] = FAULT_MENDED
    return Timetable(
        status=_status(situation, outcome, signal),
        restore_now=outcome.amount - restore_later,
        restore_later=restore_later,
        withheld=withheld,
        decided_on=decided_on,
        later_date=_where(later, days_after(decided_on, outcome.days)),
        not_later_than=_not_later_than(policy, decided_on, outcome, withheld > 0),
        signal=signal,
        signal_on=_where(signal == NEXT_DUE, waits_for.due),
    )


def _where(there: Bools, dates: Dates) -> Dates:
    """Return dates where there are some, else NaT."""
    found = dates.copy()
    found[~there] = NEVER
    return found


def _signal(
    situation: Situation, outcome: Outcome, decided_on: Dates, waits_for: Awaited
) -> NDArray[np.int8]:
    """Return what the longest wait but a fault's is for: of equal ones the clearing.

    A due date ends the wait on the day after it: one by which the limit is back anyway can't.
    """
    later_date = days_after(decided_on, outcome.days)
    ends_on = waits_for.due + np.timedelta64(1, "D")
    in_time = (waits_for.due >= decided_on) & (ends_on < later_date)
    signal = np.full(len(later_date), SCORE_REFRESH, np.int8)
    signal[(waits_for.signal == NEXT_DUE) & in_time] = NEXT_DUE
    signal[situation.clearing_days >= outcome.days] = PAYMENT_CLEARING
    signal[outcome.days <= 0] = NONE
    return signal


def _status(situation: Situation, outcome: Outcome, signal: NDArray[np.int8]) -> NDArray[np.int8]:
    whole: Bools = outcome.amount == situation.freed
    status = np.full(len(whole), STAGED, np.int8)
    status[(signal == PAYMENT_CLEARING) | whole] = HELD
    status[signal == FAULT_MENDED] = FAULT
    status[outcome.amount == 0] = DECLINED
    status[whole & (outcome.days <= 0)] = RESTORED
    return status


def _not_later_than(policy: Policy, decided_on: Dates, outcome: Outcome, withholds: Bools) -> Dates:
    service = policy.service
    done = np.where(outcome.days > 0, outcome.days + service.slack_days, 0)
    review = np.where(withholds, service.review_days, 0)
    return days_after(decided_on, np.maximum(done, review))
