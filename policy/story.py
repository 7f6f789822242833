"""What the texts of decisions can show: of each decision, and of the policy itself."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final, NamedTuple

import numpy as np

from relimit.policy.arms import tier_of
from relimit.policy.cases import Cases, Dates, Floats, Ints
from relimit.policy.config import Policy
from relimit.policy.outcome import Situation
from relimit.policy.phrases import COUNT, DATE, MONEY, PERCENTAGE, POINTS, SPAN, Phrase
from relimit.policy.remedies import Remedies
from relimit.policy.timetable import Timetable, days_after


@dataclass(frozen=True, slots=True)
class Story:
    """What the texts of some decisions tell, a row each."""

    policy: Policy
    cases: Cases
    situation: Situation
    timetable: Timetable
    reasons: Any
    remedies: Remedies

    def __len__(self) -> int:
        return len(self.cases)

    @property
    def expected_loss(self) -> Ints:
        """`[n]` whole fen."""
        return np.rint(self.cases.expected_loss).astype(np.int64)

    @property
    def loss_ratio(self) -> Floats:
        """`[n]`: the expected loss over the freed limit, as the tiers read it."""
        return self.situation.tier_ratio

    @property
    def tier_bound(self) -> Floats:
        """`[n]`: the largest loss ratio of each case's tier."""
        tier = tier_of(self.policy, self.loss_ratio)
        return np.asarray(self.policy.tier_columns.up_to[tier])

    @property
    def returns_by(self) -> Dates:
        """`[n]`: the day that lies as many days after the decision as a remedy says."""
        return days_after(self.timetable.decided_on, self.remedies.days.astype(np.int64))


class Field(NamedTuple):
    """What a template's field shows of each decision: `[n]` values, and how they are written."""

    values: Callable[[Story], Any]
    phrase: Phrase


def _fields(phrase: Phrase, *paths: str) -> dict[str, Field]:
    """Return by the last name of each path its field."""
    return {path.rpartition(".")[2]: Field(attrgetter(path), phrase) for path in paths}


FIELDS: Final[Mapping[str, Field]] = {
    **_fields(
        DATE,
        "timetable.decided_on",
        "timetable.later_date",
        "timetable.not_later_than",
        "timetable.signal_on",
        "cases.facts.next_due",
        "cases.facts.cycles_until",
        "returns_by",
    ),
    **_fields(
        MONEY,
        "timetable.restore_now",
        "timetable.restore_later",
        "timetable.withheld",
        "cases.facts.overdue",
        "cases.facts.unsettled_interest",
        "cases.facts.lender_inflow",
        "cases.freed",
        "expected_loss",
        "remedies.restores",
    ),
    **_fields(PERCENTAGE, "loss_ratio", "tier_bound", "cases.risk"),
    **_fields(
        COUNT,
        "cases.facts.cycles",
        "cases.facts.days_past_due",
        "cases.facts.identity_changes",
        "cases.facts.login_failures",
        "cases.facts.outage_minutes",
        "cases.facts.overdues",
        "cases.facts.returned_payments",
    ),
    **_fields(POINTS, "cases.facts.score_drop"),
    **_fields(SPAN, "remedies.days"),
}


def _amount(policy: Policy, fen: int) -> str:
    return MONEY.write(fen, policy.wording.currency)


SETTINGS: Final[Mapping[str, Callable[[Policy], str]]] = {
    "cap": lambda policy: _amount(policy, policy.caps.limit),
    "overdue_bound": lambda policy: _amount(policy, policy.gates.overdue),
    "interest_bound": lambda policy: _amount(policy, policy.gates.unsettled_interest),
    "days_past_due_bound": lambda policy: str(policy.gates.days_past_due),
    "identity_bound": lambda policy: str(policy.gates.identity_changes),
    "login_bound": lambda policy: str(policy.gates.login_failures),
    "outage_bound": lambda policy: str(policy.fault.outage_minutes),
    "returned_bound": lambda policy: str(policy.finality.returned_payments),
    "clearing_days": lambda policy: str(policy.finality.clearing_days),
    "returned_window_days": lambda policy: str(policy.finality.returned_window_days),
    "evidence_window_days": lambda policy: str(policy.evidence.window_days),
    "overdues_bound": lambda policy: str(policy.evidence.overdues),
    "score_drop_bound": lambda policy: str(policy.evidence.score_drop),
    "lender_inflow_bound": lambda policy: f"{policy.evidence.lender_inflow_share:.0%}",
}
"""What a template's field shows of the policy."""
