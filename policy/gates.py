"""Fault check, hard gates, payment finality and the regulatory cap, read from the facts."""

import numpy as np

from relimit.policy.cases import Bools, Facts, Ints
from relimit.policy.config import Policy

GATES = ("overdue", "unsettled_interest", "identity_lock")
"""The hard gates in the order in which they bind; each is a reason code too."""


def closed_gates(policy: Policy, facts: Facts) -> Bools:
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
    return np.stack([overdue, interest, identity], axis=1)


def clearing_days(policy: Policy, facts: Facts) -> Ints:
    """Return `[n]` whole days until the prepayment has cleared, 0 if it need not.

    Only an account whose payments bounced before has to wait (payment finality). Where one has
    bounced since the prepayment, the days count from when the lender learned of that.
    """
    age = np.fmin(np.nan_to_num(facts.prepayment_age_days, nan=0.0), facts.days_since_returned)
    left = np.ceil(np.maximum(policy.finality.clearing_days - age, 0.0))
    return np.where(is_doubtful(policy, facts), left, 0.0).astype(np.int64)


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
