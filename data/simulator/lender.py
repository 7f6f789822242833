"""Who decides about freed limits: the protocol, and the older rule that wrote the book's log."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from relimit.data.events import EventBlock
from relimit.data.simulator.settings import LenderSettings
from relimit.data.simulator.streams import Floats, Ints
from relimit.data.vocabulary import ARMS


@dataclass(frozen=True, slots=True)
class PrepaymentCases:
    """One day's prepayments of a block, `[cases]` each, as the lender sees them.

    Attributes
    ----------
    account_id, decision_id, decided_at
        Which prepayment; `decided_at` in microseconds UTC.
    first_decided_at
        Before `decided_at` where it is decided again on a later night.
    prepaid, freed, limit, outstanding
        Fen.
    withheld
        Fen of the freed limit that is neither back nor promised; all of it the first time.
    score
        The last external score; 0 before the first.
    cycles
        Cycles of the last months, older ones fading.
    days_since_overdue
        Days since the account was last in arrears; infinite if never.
    unlogged
        Something that the lender sees and no table holds.
    explore, explore_arm
        Uniforms for policies that randomise, the same in every world of a seed.
    history
        Builds the accounts' events known by now, one account id a place of `account_ids`.
    """

    account_id: Ints
    decision_id: list[str]
    decided_at: Ints
    first_decided_at: Ints
    prepaid: Ints
    freed: Ints
    withheld: Ints
    limit: Ints
    outstanding: Ints
    score: Ints
    cycles: Floats
    days_since_overdue: Floats
    unlogged: Floats
    explore: Floats
    explore_arm: Floats
    history: Callable[[], EventBlock]


class LenderPolicy(Protocol):
    """A policy that a world can run under; it is pickled to the workers."""

    @property
    def name(self) -> str:
        """Return what the log's column `policy` says."""

    @property
    def nights(self) -> tuple[int, ...]:
        """Return how many days after a decision that kept everything it is taken again."""

    def choose(self, cases: PrepaymentCases) -> tuple[Ints, Floats]:
        """Return the place in `ARMS` of each case's arm, and the probability of choosing it."""


@dataclass(frozen=True, slots=True)
class CoolingOffRule:
    """The older rule: the more a borrower cycles, the less comes back, and the later."""

    settings: LenderSettings

    @property
    def name(self) -> str:
        """Return the rule's name."""
        return self.settings.name

    @property
    def nights(self) -> tuple[int, ...]:
        """Return none: what the rule kept waits for the half-yearly review."""
        return ()

    def choose(self, cases: PrepaymentCases) -> tuple[Ints, Floats]:
        """Return the rule's arm, or a random one near a threshold more often than far from it."""
        rule, distance = self._rule(self._suspicion(cases))
        epsilon = self._epsilon(distance)
        random = np.minimum((cases.explore_arm * len(ARMS)).astype(np.int64), len(ARMS) - 1)
        arm = np.where(cases.explore < epsilon, random, rule)
        propensity = epsilon / len(ARMS) + np.where(arm == rule, 1.0 - epsilon, 0.0)
        if not self.settings.logs_propensity:
            propensity = np.full(len(arm), np.nan)
        return arm, propensity

    def _suspicion(self, cases: PrepaymentCases) -> Floats:
        s = self.settings
        low = np.maximum(s.score_floor - cases.score, 0.0) / s.score_step
        recent = cases.days_since_overdue <= s.overdue_memory_days
        suspicion: Floats = (
            s.suspicion_per_cycle * cases.cycles
            + s.suspicion_low_score * low
            + s.suspicion_overdue * recent
            + s.hidden * cases.unlogged
        )
        return suspicion

    def _rule(self, suspicion: Floats) -> tuple[Ints, Floats]:
        thresholds = np.asarray(self.settings.thresholds)
        places = np.array([ARMS.index((share, delay)) for share, delay in self.settings.arms])
        distance = np.abs(suspicion[:, None] - thresholds).min(axis=1)
        return places[np.searchsorted(thresholds, suspicion, side="right")], distance

    def _epsilon(self, distance: Floats) -> Floats:
        s = self.settings
        return np.where(distance < s.near, s.exploration * s.exploration_near, s.exploration)
