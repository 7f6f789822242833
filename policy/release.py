"""Later nights: an earlier decision is finished, or bettered, and never taken back by a score."""

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relimit.data.errors import DataError
from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.policy.cases import Bools, Cases, Dates, Ints, check_cases
from relimit.policy.config import Policy
from relimit.policy.decide import explained
from relimit.policy.decisions import Decisions
from relimit.policy.outcome import Outcome, Ruling, Situation, outcome_of, situation_of
from relimit.policy.remedies import Rescore
from relimit.policy.timetable import Timetable, local_dates, timetable_of


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier nights decided about the same prepayments, `[n]` each.

    Attributes
    ----------
    decision_id
        Strings.
    decided_at
        int64 microseconds UTC: when the prepayment was first decided.
    freed, restored
        int64 fen freed by the prepayment, and what of it is back already.
    promised, promised_on
        int64 fen still to come, and datetime64[D] when; 0 and NaT where nothing is.
    not_later_than
        datetime64[D], as told to the borrower.
    """

    decision_id: list[str]
    decided_at: Ints
    freed: Ints
    restored: Ints
    promised: Ints
    promised_on: Dates
    not_later_than: Dates

    @classmethod
    def from_decisions(cls, table: pa.Table) -> Self:
        """Read a first night's decisions, whose `restore_now` has been given back since."""
        later = table["restore_later"].combine_chunks()
        row = pc.list_parent_indices(later).to_numpy(zero_copy_only=False)
        stages: Any = later.flatten()
        promised = np.zeros(table.num_rows, np.int64)
        promised[row] = stages.field("amount").to_numpy(zero_copy_only=False)
        promised_on = np.full(table.num_rows, np.datetime64("NaT", "D"), "datetime64[D]")
        promised_on[row] = stages.field("date").to_numpy(zero_copy_only=False)
        return cls(
            decision_id=table["decision_id"].to_pylist(),
            decided_at=table["as_of"].cast(pa.int64()).to_numpy(),
            freed=table["freed"].to_numpy(),
            restored=table["restore_now"].to_numpy(),
            promised=promised,
            promised_on=promised_on,
            not_later_than=table["not_later_than"].to_numpy(),
        )

    def then(self, decisions: Decisions) -> Self:
        """Return what stands after a later night whose `restore_now` has been given back too."""
        night = decisions.timetable
        return replace(
            self,
            restored=self.restored + night.restore_now,
            promised=night.restore_later,
            promised_on=night.later_date,
            not_later_than=night.not_later_than,
        )


def decide_again(
    policy: Policy, cases: Cases, earlier: Earlier, rescore: Rescore | None = None
) -> Decisions:
    """Decide on a later night what earlier nights left open.

    A promise stands: what comes back tonight or later is never less nor later than promised, and
    `not_later_than` only moves earlier, unless a gate has closed since (new evidence). It is
    bettered where the scores and facts of tonight give as much or more, and no later: the payment
    has cleared, the score has improved, the fault is over. A worse score alone takes nothing back,
    so that a limit does not swing on noise. What stays withheld on its last date gets a new one.

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
    today = local_dates(policy, cases.as_of)
    situation = _tonight(policy, cases, earlier, today)
    blocked = np.asarray(situation.closed.any(axis=1))
    to_come = _to_come(outcome_of(policy, situation), earlier, today, blocked)
    left = replace(cases, freed=cases.freed - earlier.restored)
    open_now = replace(situation, freed=left.freed)
    timetable = timetable_of(policy, open_now, to_come, cases.as_of, cases.facts.next_due)
    whole = Outcome(earlier.restored + to_come.amount, to_come.days)
    ruling = Ruling(cases, situation, whole)
    return explained(policy, ruling, _no_later(timetable, earlier, blocked), left, rescore)


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


def _tonight(policy: Policy, cases: Cases, earlier: Earlier, today: Dates) -> Situation:
    """Return the situation with the waits shortened by the time since the decision.

    The prepayment is at least as old as its decision, however new the account's last one is.
    """
    elapsed = (cases.as_of - earlier.decided_at) / MICROSECONDS_PER_DAY
    age = np.fmax(cases.facts.prepayment_age_days, elapsed)
    aged = replace(cases, facts=replace(cases.facts, prepayment_age_days=age))
    days = (today - local_dates(policy, earlier.decided_at)).astype(np.int64)
    return replace(situation_of(policy, aged), elapsed_days=days)


def _to_come(fresh: Outcome, earlier: Earlier, today: Dates, blocked: Bools) -> Outcome:
    """Return what comes back from now on: tonight's ruling where it is no worse, or the promise."""
    promised = earlier.promised > 0
    wait = np.where(promised, np.maximum((earlier.promised_on - today).astype(np.int64), 0), 0)
    more = np.maximum(fresh.amount - earlier.restored, 0)
    no_worse = (more >= earlier.promised) & (fresh.days <= wait)
    chosen = blocked | ~promised | no_worse
    amount = np.where(chosen, more, earlier.promised)
    return Outcome(amount, np.where(amount > 0, np.where(chosen, fresh.days, wait), 0))


def _no_later(timetable: Timetable, earlier: Earlier, blocked: Bools) -> Timetable:
    """Keep the last date told, unless a gate has closed or it has come with something withheld."""
    today, new = timetable.decided_on, timetable.not_later_than
    renewed = blocked | ((today >= earlier.not_later_than) & (timetable.withheld > 0))
    last = np.where(renewed, new, np.minimum(new, earlier.not_later_than))
    last = np.fmax(np.maximum(last, today), timetable.later_date)
    return replace(timetable, not_later_than=last)
