"""Made-up borrowers, each with one thing amiss as far as the policy lets it be: worked examples."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from datetime import UTC, date, datetime, time
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy.cases import Cases, Facts
from relimit.policy.config import Policy

FREED: Final = 10_000 * FEN_PER_YUAN
WHEN: Final = date(2026, 3, 2)
"""An ordinary Monday."""

_ABOVE: Final = {"overdue": 200_00, "interest": 12_40, "cap": 4_000_00}
"""Fen by which an example lies above the policy's bound."""


@dataclass(frozen=True, slots=True)
class Example:
    """A borrower: what is amiss, in fen or by count, and the facts that say so.

    `name` is a template of the card; `facts` are those that differ from an untroubled account's.
    """

    name: str
    when: int
    loss_ratio: float = 0.0
    amount: int = 0
    count: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


def examples_of(policy: Policy) -> list[Example]:
    """Return the worked examples of a policy, all decided at noon of `WHEN` in its calendar."""
    noon = datetime.combine(WHEN, time(12), ZoneInfo(policy.timetable.calendar))
    when = int(noon.astimezone(UTC).timestamp()) * 1_000_000
    gates, returned = policy.gates, policy.finality.returned_payments
    overdue = gates.overdue + _ABOVE["overdue"]
    interest = gates.unsettled_interest + _ABOVE["interest"]
    changes, minutes = gates.identity_changes, policy.fault.outage_minutes
    arrears = {"overdue": overdue, "days_past_due": gates.days_past_due}
    return [
        Example("safe", when),
        Example("overdue", when, amount=overdue, facts=arrears),
        Example("interest", when, amount=interest, facts={"unsettled_interest": interest}),
        Example("identity", when, count=changes, facts={"identity_changes": changes}),
        Example("clearing", when, count=returned, facts={"returned_payments": returned}),
        Example("fault", when, count=minutes, facts={"outage_minutes": minutes}),
        Example("cap", when, amount=_ABOVE["cap"], facts={
            "limit": policy.caps.limit + _ABOVE["cap"]
        }),
        Example("riskiest", when, loss_ratio=policy.tiers[-1].up_to),
    ]  # fmt: skip


def tier_cases(policy: Policy) -> Cases:
    """Return a case at the upper end of each tier, with nothing else amiss."""
    when = examples_of(policy)[0].when
    return cases_of([Example("tier", when, loss_ratio=tier.up_to) for tier in policy.tiers])


def cases_of(examples: Sequence[Example]) -> Cases:
    """Return the cases of examples, a row each."""
    n = len(examples)
    freed = np.full(n, FREED, np.int64)
    ratio = np.array([one.loss_ratio for one in examples])
    return Cases(
        decision_id=[f"{place}" for place in range(n)],
        account_id=np.arange(n),
        as_of=np.array([one.when for one in examples], np.int64),
        prepaid=freed,
        freed=freed,
        risk=ratio,
        expected_loss=ratio * freed,
        facts=_facts(examples),
    )


def _facts(examples: Sequence[Example]) -> Facts:
    """Return the facts of accounts that nothing troubles but what the examples say."""
    never = np.datetime64("NaT", "D")
    untroubled: dict[str, Any] = {f.name: 0 for f in fields(Facts)} | {
        "limit": 2 * FREED,
        "has_limit": True,
        "days_since_returned": np.nan,
        "prepayment_age_days": 0.0,
        "days_since_draw": 30.0,
        "score_drop": 0.0,
        "last_due": never,
        "next_due": never,
        "cycles_until": never,
    }
    rows = [untroubled | one.facts for one in examples]
    return Facts(**{name: np.array([row[name] for row in rows]) for name in untroubled})
