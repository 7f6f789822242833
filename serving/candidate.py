"""A relimit policy as the lender of a simulated world: its true result, not an estimate."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relimit.data import Prepayments
from relimit.data.simulator import PrepaymentCases
from relimit.policy import Decisions
from relimit.policy.arms import grid_arm
from relimit.serving.scorer import Scorer

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


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
        arm = arms_of(self.scorer.decide_block(block, prepayments))
        return arm, np.ones(len(arm))


def arms_of(decisions: Decisions) -> Ints:
    """Return the place in `ARMS` that comes closest to each decision without being kinder."""
    timetable = decisions.timetable
    days = (timetable.later_date - timetable.decided_on) / np.timedelta64(1, "D")
    days = np.where(timetable.restore_later > 0, days, 0.0)
    freed = decisions.cases.freed
    return grid_arm(freed - timetable.withheld, freed, days)
