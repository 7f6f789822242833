"""Later nights: an earlier decision is finished, or bettered, and never taken back by a score."""

from dataclasses import replace

import numpy as np

from relimit.data.errors import DataError
from relimit.policy.cases import Bools, Cases, check_cases
from relimit.policy.config import Policy
from relimit.policy.decide import explained
from relimit.policy.decisions import Decisions
from relimit.policy.earlier import Earlier
from relimit.policy.night import Night
from relimit.policy.outcome import Outcome, Ruling, outcome_of
from relimit.policy.remedies import Rescore
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
    to_come, anew = _to_come(outcome_of(policy, night.situation), earlier, night)
    left = replace(cases, freed=cases.freed - earlier.restored)
    signal = np.where(anew, tier_signals(policy, night.situation), night.waits_for.signal)
    waits_for = replace(night.waits_for, signal=signal)
    open_now = replace(night.situation, freed=left.freed)
    timetable = timetable_of(policy, open_now, to_come, cases.as_of, waits_for)
    whole = Outcome(earlier.restored + to_come.amount, to_come.days)
    ruling = Ruling(night.cases, night.situation, whole)
    return explained(policy, ruling, _no_later(timetable, earlier, night), left, rescore)


def _check_same(cases: Cases, earlier: Earlier) -> None:
    same = list(cases.decision_id) == list(earlier.decision_id)
    if not same or (cases.freed != earlier.freed).any():
        raise DataError(
            "the cases are not the decisions that were taken earlier",
            where="cases",
            mend="Give the same decisions in the same order, with what they freed at first",
        )
    if (cases.as_of < earlier.decided_at).any():
        raise DataError("a case is older than its earlier decision", where="cases")


def _to_come(fresh: Outcome, earlier: Earlier, night: Night) -> tuple[Outcome, Bools]:
    """Return what comes back from now on, and whether it is tonight's ruling or the promise.

    It is tonight's where that is no worse, where nothing is promised, and where a gate is closed.
    """
    more = np.maximum(fresh.amount - earlier.restored, 0)
    no_worse = (more >= earlier.promised) & (fresh.days <= night.wait)
    anew = night.blocked | ~night.promised | no_worse
    amount = np.where(anew, more, earlier.promised)
    days = np.where(anew, fresh.days, night.wait)
    return Outcome(amount, np.where(amount > 0, days, 0)), anew


def _no_later(timetable: Timetable, earlier: Earlier, night: Night) -> Timetable:
    """Keep the last date told, unless there is new evidence or it has come with something withheld.

    A gate that stays closed is no new evidence: it took the promise back on the night it closed.
    """
    told, new = earlier.not_later_than, timetable.not_later_than
    moved = night.bounced & (timetable.later_date > earlier.promised_on)
    over = (night.today >= told) & (timetable.withheld > 0)
    renewed = (night.promised & (night.blocked | moved)) | over
    last = np.where(renewed, new, np.minimum(new, told))
    last = np.fmax(np.maximum(last, night.today), timetable.later_date)
    return replace(timetable, not_later_than=last)
