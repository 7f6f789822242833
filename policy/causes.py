"""Four causes kept apart: how far each raises the risk, and whether the history shows it."""

from fnmatch import fnmatchcase
from functools import lru_cache

import numpy as np

from relimit.features.registry import families_of
from relimit.policy.cases import Bools, Cases, Floats, Ints
from relimit.policy.config import Policy
from relimit.policy.settings import CauseSettings

CAUSES = ("payment_return", "distress", "cycling", "low_need")
"""The causes that a model's contributions are grouped into; each is a reason code too."""

SIGNS = ("overdues", "lender_inflow", "score_drop")
"""The facts of which each by itself shows distress."""


@lru_cache(maxsize=4096)  # patterns take longer than the rest of a live decision's reasons
def cause_of(causes: CauseSettings, name: str, family: str | None) -> str | None:
    """Return the cause that a feature speaks for; a pattern of its name goes before its family.

    Examples
    --------
    >>> from relimit.policy import load_policy
    >>> causes = load_policy().causes
    >>> cause_of(causes, "returned_count_90d", "delinquency")
    'payment_return'
    >>> cause_of(causes, "overdue_count_90d", "delinquency")
    'distress'
    """
    for cause in CAUSES:
        if any(fnmatchcase(name, entry) for entry in getattr(causes, cause)):
            return cause
    for cause in CAUSES:
        if family in getattr(causes, cause):
            return cause
    return None


def cause_contributions(policy: Policy, cases: Cases, rows: Ints) -> Floats:
    """Return `[rows, 4]` the log-odds that the features of each of `CAUSES` add in some rows.

    0 where they are unknown, or the history does not show the cause.
    """
    total = np.zeros((len(rows), len(CAUSES)))
    if cases.contributions is None or not cases.contributions.any():
        return total
    shown, families = evidence(policy, cases)[rows], families_of(cases.feature_names)
    for place, columns in enumerate(_columns_of(policy.causes, cases.feature_names, families)):
        its = shown[:, place].nonzero()[0]
        if columns and len(its):  # added in a fixed order: a row must not depend on its neighbours
            added = cases.contributions[rows[its][:, np.newaxis], columns]
            total[its, place] = np.add.accumulate(added, axis=1)[:, -1]
    return total


@lru_cache(maxsize=16)
def _columns_of(
    causes: CauseSettings, names: tuple[str, ...], families: tuple[str | None, ...]
) -> tuple[list[int], ...]:
    """Return the columns of the features that speak for each of `CAUSES`."""
    its = [cause_of(causes, *feature) for feature in zip(names, families, strict=True)]
    return tuple([column for column, one in enumerate(its) if one == cause] for cause in CAUSES)


def evidence(policy: Policy, cases: Cases) -> Bools:
    """Return `[n, 4]`: whether the account's own history shows each of `CAUSES`.

    A cause that only the model sees is not named: a healthy prepayer is never called risky.
    """
    facts, shown = cases.facts, policy.evidence
    used = facts.outstanding + cases.prepaid
    idle = facts.days_since_draw >= shown.idle_days
    return np.array(
        [
            facts.returned_payments >= shown.returned_payments,
            signs_of_distress(policy, cases).any(axis=1),
            facts.cycles >= shown.cycles,
            facts.has_limit & (used < shown.low_use * facts.limit) & idle,
        ]
    ).T


def signs_of_distress(policy: Policy, cases: Cases) -> Bools:
    """Return `[n, 3]`: which of `SIGNS` the account's own history shows."""
    facts, shown = cases.facts, policy.evidence
    lent = facts.lender_inflow >= np.maximum(shown.lender_inflow_share * cases.prepaid, 1)
    late, fell = facts.overdues >= shown.overdues, facts.score_drop >= shown.score_drop
    return np.array([late, lent, fell]).T


def loss_without(risk: Floats, contribution: Floats) -> Floats:
    """Return `[n]` by what the expected loss shrinks if a contribution to the log-odds is undone.

    The loss goes with the probability: sigmoid(logit(risk) - contribution) / risk.
    """
    odds = risk / np.maximum(1.0 - risk, np.finfo(float).tiny)
    without = odds * np.exp(-contribution)
    lowered = without / (1.0 + without)
    return np.divide(lowered, risk, out=np.ones(len(risk)), where=risk > 0)
