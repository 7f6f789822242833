"""Fault check, hard gates, payment finality and the regulatory cap, read from the facts."""

from typing import Final

import numpy as np

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy.cases import Bools, Facts, Ints, Standing
from relimit.policy.config import Policy

GATES = ("overdue", "unsettled_interest", "identity_lock")
"""The hard gates in the order in which they bind; each is a reason code too."""
MOST_CAPPED: Final = 0.5
"""A cap that holds back more of the decisions than this is hardly that of their lender."""


def closed_gates(policy: Policy, facts: Standing) -> Bools:
    """Return `[n, 3]`: which of `GATES` are closed.

    Overdue: arrears above the tolerance, or too many days past due (a book may carry arrears with
    a negative or missing amount). Identity lock: several identity changes within the window, or one
    together with failed log-ins.
    """
    gates = policy.gates
    overdue = (facts.overdue > gates.overdue) | (facts.days_past_due >= gates.days_past_due)
    interest = facts.unsettled_interest > gates.unsettled_interest
    taken_over = (facts.identity_changes > 0) & (facts.login_failures >= gates.login_failures)
    identity = (facts.identity_changes >= gates.identity_changes) | taken_over
    return np.array([overdue, interest, identity]).T


def clearing_days(policy: Policy, facts: Facts) -> Ints:
    """Return `[n]` whole days until the prepayment has cleared, 0 if it need not.

    Only an account whose payments bounced before has to wait (payment finality). Where one has
    bounced since the prepayment, the days count from when the lender learned of that.
    """
    doubtful = is_doubtful(policy, facts)
    if not np.count_nonzero(doubtful):
        return np.zeros(len(facts), np.int64)
    age = np.fmin(np.nan_to_num(facts.prepayment_age_days, nan=0.0), facts.days_since_returned)
    left = np.ceil(np.maximum(policy.finality.clearing_days - age, 0.0))
    return np.where(doubtful, left, 0.0).astype(np.int64)


def is_doubtful(policy: Policy, facts: Facts) -> Bools:
    """Return `[n]`: whether so many payments bounced that a prepayment has to clear first."""
    return facts.returned_payments >= policy.finality.returned_payments


def fault_days(policy: Policy, facts: Facts) -> Ints:
    """Return `[n]` days within which operations mend a system fault, 0 where there is none."""
    fault = facts.outage_minutes >= policy.fault.outage_minutes
    return np.where(fault, policy.service.fault_days, 0).astype(np.int64)


def room_under_cap(policy: Policy, facts: Facts, freed: Ints) -> Ints:
    """Return `[n]` fen that may return before the limit passes the regulatory cap.

    Until it returns, the limit is the approved one less what was freed; without an approved limit
    it is what is owed.
    """
    standing = np.where(facts.has_limit, facts.limit - freed, facts.outstanding)
    return np.asarray(np.maximum(policy.caps.limit - standing, 0))


def cap_caution(policy: Policy, capped: int, decisions: int) -> str | None:
    """Return what to say where the regulatory cap holds back most decisions, else None.

    Such a cap is another country's, or the amounts are in another unit.
    """
    if capped <= MOST_CAPPED * decisions:
        return None
    cap = policy.caps.limit // FEN_PER_YUAN
    return (
        f"the regulatory cap of {policy.wording.currency}{cap:,} holds back limit in {capped:,} of "
        f"{decisions:,} decisions. Set limit_yuan under [caps] in the policy file to the cap on "
        "these borrowers, in their currency, and check that amounts are in its hundredths"
    )
