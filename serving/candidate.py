"""A relimit policy as the lender of a simulated world: its true result, not an estimate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relimit.data import Prepayments
from relimit.data.events import EventBlock
from relimit.data.simulator import PrepaymentCases
from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.features import History
from relimit.policy import Decisions, Earlier
from relimit.policy.arms import grid_arm
from relimit.policy.facts import gather_standing
from relimit.policy.gates import closed_gates
from relimit.policy.timetable import days_after, local_dates
from relimit.serving.scorer import Scorer

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Dates = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class CandidatePolicy:
    """Decides a simulated world's prepayments as `relimit score` would.

    Attributes
    ----------
    scorer
        The model and the policy under trial.
    nights
        Days after a decision on which what it withheld is decided again, as `relimit score
        --earlier` does every night; none to play each decision's first arm alone, whose rest then
        waits for the world's half-yearly review.
    """

    scorer: Scorer
    nights: tuple[int, ...] = ()

    @property
    def name(self) -> str:
        """Return what the log's column `policy` says."""
        return f"relimit-{self.scorer.policy.version}"

    def choose(self, cases: PrepaymentCases) -> tuple[Ints, Floats]:
        """Return the place in `ARMS` of each case's arm; the policy never draws lots."""
        block = cases.history()
        prepayments = Prepayments(
            account=np.searchsorted(block.account_ids, cases.account_id),
            as_of=cases.decided_at,
            prepaid=cases.prepaid,
            freed=cases.freed,
            closed=np.ones(len(cases.freed), bool),
            decision_id=np.array(cases.decision_id, dtype=object),
        )
        first = local_dates(self.scorer.policy, cases.first_decided_at)
        if (cases.decided_at > cases.first_decided_at).any():
            earlier = self._earlier(cases, block, prepayments.account, first)
            decisions = self.scorer.decide_again(block, prepayments, earlier)
        else:
            decisions = self.scorer.decide_block(block, prepayments)
        arm = arms_of(decisions, cases.freed, first)
        return arm, np.ones(len(arm))

    def _earlier(
        self, cases: PrepaymentCases, block: EventBlock, account: Ints, first: Dates
    ) -> Earlier:
        """Return what stands of the cases' decisions.

        What a world has scheduled counts as back: it comes, whatever is decided of the rest.
        """
        policy, size = self.scorer.policy, len(cases.freed)
        last = History(block, account, self._last_asked(cases, first))
        return Earlier(
            decision_id=cases.decision_id,
            decided_at=cases.first_decided_at,
            freed=cases.freed,
            restored=cases.freed - cases.withheld,
            promised=np.zeros(size, np.int64),
            promised_on=np.full(size, np.datetime64("NaT", "D")),
            not_later_than=days_after(first, np.full(size, policy.service.review_days)),
            gate_closed=np.asarray(closed_gates(policy, gather_standing(last, policy)).any(axis=1)),
        )

    def _last_asked(self, cases: PrepaymentCases, first: Dates) -> Ints:
        """Return when each case was last decided: on the night before this one, or at first."""
        nights = np.array([0, *self.nights])
        tonight = local_dates(self.scorer.policy, cases.decided_at)
        elapsed = (tonight - first).astype(np.int64)
        before = nights[nights.searchsorted(elapsed) - 1]
        ago = (elapsed - before) * MICROSECONDS_PER_DAY
        return np.where(before > 0, cases.decided_at - ago, cases.first_decided_at)


def arms_of(decisions: Decisions, freed: Ints, first: Dates) -> Ints:
    """Return the place in `ARMS` that comes closest to each decision without being kinder.

    `freed` is what the prepayments freed at first, and `first` the day on which that was decided:
    an arm's delay counts from it.
    """
    timetable = decisions.timetable
    days = (timetable.later_date - first) / np.timedelta64(1, "D")
    days = np.where(timetable.restore_later > 0, days, 0.0)
    return grid_arm(freed - timetable.withheld, freed, days)
