"""Later nights: an earlier decision is finished, or bettered, and never taken back by a score."""

from dataclasses import replace

import numpy as np

from relimit.data.errors import DataError
from relimit.policy.cases import Cases, check_cases
from relimit.policy.config import Policy
from relimit.policy.decide import explained
from relimit.policy.decisions import Decisions
from relimit.policy.earlier import Earlier
from relimit.policy.night import Night
from relimit.policy.outcome import (
    Outcome,
    Ruling,
    Situation,
    dated_by_fault,
    outcome_and_promise,
)
from relimit.policy.rescore import Rescore
from relimit.policy.timetable import Timetable, tier_signals, timetable_of


def decide_again(
    policy: Policy, cases: Cases, earlier: Earlier, rescore: Rescore | None = None
) -> Decisions:
    """Decide on a later night what earlier nights left open.

    A promise stands: what comes back tonight or later is never less nor later than promised, and
    `not_later_than` only moves earlier, without new evidence: a gate that has closed, or a payment
    that bounced since (the promise then waits until that has cleared). A hold ends once what it
    waits for has come. A promise is bettered where tonight's rules give as much or more, and no
    later; a score alone has to better it by `service.better_by`, so that a limit does not swing on
    noise. What stays withheld on its last date gets a new one.

    Parameters
    ----------
    cases
        The same decisions in the same order, scored at a later `as_of`; `freed` as it was first.
    earlier
        What was decided before.
    rescore
        As in `decide`.

    Returns
    -------
    Decisions whose `freed` is what was still open, so that they say what to give back from now on.

    Raises
    ------
    DataError
        The cases are not those decisions, or come before them.
    """
    check_cases(cases)
    _check_same(cases, earlier)
    night = Night.of(policy, cases, earlier)
    situation = night.situation
    whole, stands = outcome_and_promise(policy, situation)
    to_come = Outcome(whole.amount - earlier.restored, whole.days)
    left = replace(cases, freed=cases.freed - earlier.restored)
    open_now = replace(situation, freed=left.freed)
    signal = np.where(stands, night.waits_for.signal, tier_signals(policy, situation))
    waits_for = replace(night.waits_for, signal=signal)
    by_fault = dated_by_fault(policy, situation, whole)
    timetable = timetable_of(policy, open_now, to_come, cases.as_of, waits_for, by_fault=by_fault)
    ruling = Ruling(night.cases, situation, whole)
    return explained(policy, ruling, _no_later(timetable, earlier, situation), left, rescore)


def _check_same(cases: Cases, earlier: Earlier) -> None:
    same = list(cases.decision_id) == list(earlier.decision_id)
    if not same or (cases.freed != earlier.freed).any():
        raise DataError(
            "the cases are not the decisions that were taken earlier",
            where="cases",
            mend="Give the same decisions in the same order, with what they freed at first",
        )
    if (cases.as_of < earlier.decided_at).any():
        raise DataError(
            "a case is older than its earlier decision",
            where="cases",
            mend="Decide again at a later as_of",
        )


def _no_later(timetable: Timetable, earlier: Earlier, situation: Situation) -> Timetable:
    """Keep the last date told, unless there is new evidence or it has come with something withheld.

    A gate that stays closed is no new evidence: it took the promise back on the night it closed.
    Nor is a payment that bounced, once the promise has been put off for it.
    """
    told, new, today = earlier.not_later_than, timetable.not_later_than, timetable.decided_on
    put_off = timetable.later_date > earlier.promised_on
    taken_back = (earlier.promised > 0) & situation.closed.any(axis=1)
    over = (today >= told) & (timetable.withheld > 0)
    last = np.where(put_off | taken_back | over, new, np.minimum(new, told))
    last = np.fmax(np.maximum(last, today), timetable.later_date)
    return replace(timetable, not_later_than=last)
