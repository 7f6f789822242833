"""The policies that are valued: a candidate, replayed on the log, and the plain ones beside it."""

from dataclasses import dataclass
from typing import Final, Self

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS, DELAYS_DAYS, FEN_PER_YUAN, FULL_ARM
from relimit.models import RiskModel
from relimit.policy import REASONS, Policy
from relimit.policy.arms import grid_arm
from relimit.training.policy_rows import LogRows
from relimit.training.replay import facts_at, replay

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CANDIDATE: Final = "candidate"
INCUMBENT: Final = "incumbent"
ALL: Final = "restore all"
NOTHING: Final = "restore nothing"
IN_FULL: Final = "none: all at once"
"""What stands in for a reason where nothing is held back."""
SOON_DAYS: Final = {"24h": 0, "7d": 7, "30d": 30}
"""Within 24 hours is at once: what returns the next day may take two."""


@dataclass(frozen=True, slots=True)
class Target:
    """What a policy does with `[n]` logged decisions.

    Attributes
    ----------
    name
        The policy's.
    arm
        Place in `ARMS` of the arm that its decision comes closest to without being kinder.
    returned, days
        Fen that return, and after how many days; on the policy's own terms, not the grid's.
    reason
        The first reason that it gives, in code.
    """

    name: str
    arm: Ints
    returned: Floats
    days: Floats
    reason: NDArray[np.str_]

    def take(self, rows: NDArray[np.bool_]) -> Self:
        """Return the decisions of a mask."""
        return type(self)(
            self.name, self.arm[rows], self.returned[rows], self.days[rows], self.reason[rows]
        )

    def probabilities(self, logged_arm: Ints) -> Floats:
        """Return `[n, 25]` the probabilities of the arms.

        To return nothing after one delay or another is the same, so those arms share it as the log
        took them: what the log tried under one of them then counts for all.
        """
        chosen: Floats = np.eye(len(ARMS))[self.arm]
        nothing = np.arange(len(ARMS)) < len(DELAYS_DAYS)
        taken = np.bincount(logged_arm, minlength=len(ARMS)) * nothing
        if taken.any():
            chosen[nothing[self.arm]] = taken / taken.sum()
        return chosen

    def schedule(self, freed: Floats) -> dict[str, float]:
        """Return yuan restored, its share of what was freed in time, and mean days by amount."""
        total, back = freed.sum(), self.returned.sum()
        on_time = {
            f"share_{name}": float(self.returned[self.days <= most].sum() / total)
            for name, most in SOON_DAYS.items()
        }
        return {
            "freed_yuan": float(total) / FEN_PER_YUAN,
            "restored_yuan": float(back) / FEN_PER_YUAN,
            "share_restored": float(back / total),
            **on_time,
            "mean_days": float(self.returned @ self.days / back) if back else float("nan"),
        }


def candidate(rows: LogRows, model: RiskModel, policy: Policy, name: str = CANDIDATE) -> Target:
    """Replay a policy on the accounts as they were known at each decision."""
    X = rows.X[:, [rows.names.index(feature) for feature in model.feature_names]]
    X = np.ascontiguousarray(X)
    found = replay(
        policy,
        rows.labelled,
        facts_at(rows.events, rows.labelled, policy),
        risk=model.restoration_risk(X),
        expected_loss=model.expected_loss(X, rows.labelled.freed),
        explain=lambda asked: model.contributions(X[asked]),
        feature_names=model.feature_names,
    )
    first = found.reasons[:, 0].astype(np.int64)
    reason = np.where(first >= 0, np.array(REASONS)[first], IN_FULL)
    days = np.where(found.restored_later > 0, found.days, 0.0)
    arm = grid_arm(found.restored, found.freed, np.ceil(days))
    return Target(name, arm, found.restored.astype(np.float64), days, reason)


def incumbent(rows: LogRows) -> Target:
    """Return what the log says was decided."""
    given = rows.labelled
    reason = np.full(len(rows), "as logged")
    return Target(INCUMBENT, rows.logged.arm, given.freed * given.share, given.delay_days, reason)


def fixed(rows: LogRows, arm: tuple[float, int], name: str) -> Target:
    """Return the policy that always takes one arm."""
    share, delay = arm
    n = len(rows)
    place = np.full(n, ARMS.index(arm))
    reason = np.full(n, "one arm for all")
    return Target(name, place, rows.labelled.freed * share, np.full(n, float(delay)), reason)


def plain_targets(rows: LogRows) -> tuple[Target, Target]:
    """Return the policies that restore everything at once, and nothing."""
    return fixed(rows, FULL_ARM, ALL), fixed(rows, ARMS[0], NOTHING)
