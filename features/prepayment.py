"""Prepayment: how often, how much, how evenly principal comes back early.

There is no "days early ÷ term": the events tell no schedule before its instalments fall due, so the
term could only be had by looking ahead.
"""

from relimit.data.vocabulary import DRAW, PREPAYMENT
from relimit.features.arithmetic import ratio, variation_of_recent
from relimit.features.history import Floats, History, Ints, Select, Window
from relimit.features.registry import feature
from relimit.features.state import limit_now, outstanding

FULL = Select(PREPAYMENT, detail="full")
RECENT = 6
"""How many of the latest prepayments tell how much their size varies."""


@feature("prepay_count_{w}d", windows=(7, 30, 90, 180, 365), unit="count", together=True, risk=0)
def prepay_count(h: History, w: Window) -> Ints:
    """Early principal repayments in the trailing {w} days."""
    return h.count(PREPAYMENT, w)


@feature("prepay_sum_{w}d", windows=(7, 30, 90, 180, 365), unit="fen", together=True, risk=0)
def prepay_sum(h: History, w: Window) -> Ints:
    """Principal repaid early in the trailing {w} days."""
    return h.sum(PREPAYMENT, w)


@feature(
    "prepaid_to_drawn_{w}d",
    windows=(90, 365),
    unit="ratio",
    together=True,
    risk=0,
    null="nothing drawn in the trailing {w} days",
)
def prepaid_to_drawn(h: History, w: Window) -> Floats:
    """Principal repaid early ÷ principal drawn, both in the trailing {w} days."""
    return ratio(h.sum(PREPAYMENT, w), h.sum(DRAW, w))


@feature(
    "prepaid_to_outstanding",
    unit="ratio",
    risk=0,
    null="no prepayment yet",
    source="partial against full prepayment, LaCour-Little (2008)",
)
def prepaid_to_outstanding(h: History) -> Floats:
    """Last prepayment ÷ (itself + principal that is still out)."""
    last = h.last_amount(PREPAYMENT)
    return ratio(last, last + outstanding(h))


@feature("freed_to_limit", unit="ratio", risk=0, null="no prepayment or no limit known yet")
def freed_to_limit(h: History) -> Floats:
    """Last prepayment ÷ limit."""
    return ratio(h.last_amount(PREPAYMENT), limit_now(h))


@feature(
    "full_settlement_share_{w}d",
    windows=(180, 365),
    unit="ratio",
    together=True,
    risk=0,
    null="no prepayment in the trailing {w} days",
    detail=True,
)
def full_settlement_share(h: History, w: Window) -> Floats:
    """Share of prepayments that settled a loan in full, in the trailing {w} days."""
    return ratio(h.count(FULL, w), h.count(PREPAYMENT, w))


@feature("prepay_variation", unit="ratio", risk=0, null="fewer than two prepayments")
def prepay_variation(h: History) -> Floats:
    """Coefficient of variation of the last six prepayments' sizes."""
    return variation_of_recent(h.recent(PREPAYMENT, RECENT))


@feature("prepay_since_days", unit="days", risk=0, null="no prepayment yet")
def prepay_since_days(h: History) -> Floats:
    """Days since the last prepayment."""
    return h.since(PREPAYMENT)
