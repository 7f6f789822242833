"""Delinquency: how late, how often, how recently, and whether it was cured."""

import numpy as np

from relimit.data.vocabulary import CURED, OVERDUE, PAYMENT_RETURNED
from relimit.features.arithmetic import ratio
from relimit.features.history import Floats, History, Ints, Select, Window
from relimit.features.registry import feature
from relimit.features.state import in_arrears, limit_now

SOURCE = "days-past-due history, Thomas, Crook and Edelman (2017), Credit Scoring, ch. 4"


def _worst(h: History, w: Window | None) -> Floats:
    return np.fmax(h.largest(h.values(OVERDUE), w), 0.0)


@feature("dpd_now", unit="days", risk=1)
def dpd_now(h: History) -> Floats:
    """Days past due of the last overdue event; 0 if it was cured since."""
    late = h.last_value(OVERDUE)
    return np.where(in_arrears(h) & (late > 0), late, 0.0)


@feature("overdue_amount_to_limit", unit="ratio", risk=0, null="no limit known, or it is 0")
def overdue_amount_to_limit(h: History) -> Floats:
    """Past-due amount of the last overdue event that is not cured ÷ limit."""
    amount = np.where(in_arrears(h), h.last_amount(OVERDUE), 0.0)
    return ratio(amount, limit_now(h))


@feature(
    "dpd_worst_{w}d",
    windows=(30, 60, 90, 180, 365),
    unit="days",
    together=True,
    risk=1,
)
def dpd_worst(h: History, w: Window) -> Floats:
    """Most days past due in the trailing {w} days; 0 if none."""
    return _worst(h, w)


@feature("dpd_worst_ever", unit="days", risk=1)
def dpd_worst_ever(h: History) -> Floats:
    """Most days past due ever; 0 if none."""
    return _worst(h, None)


@feature(
    "dpd_month_{c}",
    choices=(1, 2, 3, 4, 5),
    window=lambda month: 30 * month + 30,
    unit="days",
    risk=1,
)
def dpd_month(h: History, month: int) -> Floats:
    """Most days past due in the 30 days that ended {c} x 30 days ago; 0 if none."""
    return _worst(h, Window(30, ago=30 * month))


@feature("overdue_count_{w}d", windows=(90, 365), unit="count", together=True, risk=1)
def overdue_count(h: History, w: Window) -> Ints:
    """Overdue events in the trailing {w} days, whatever their days past due."""
    return h.count(OVERDUE, w)


@feature(
    "overdue_30_count_{w}d",
    windows=(90, 180, 365),
    unit="count",
    together=True,
    risk=1,
)
def overdue_30_count(h: History, w: Window) -> Ints:
    """Overdue events of at least 30 days past due in the trailing {w} days."""
    return h.count(Select(OVERDUE, at_least=30), w)


@feature("overdue_60_count_{w}d", windows=(180,), unit="count", risk=1)
def overdue_60_count(h: History, w: Window) -> Ints:
    """Overdue events of at least 60 days past due in the trailing {w} days."""
    return h.count(Select(OVERDUE, at_least=60), w)


@feature("overdue_since_days", unit="days", risk=-1, null="never overdue")
def overdue_since_days(h: History) -> Floats:
    """Days since the last overdue event."""
    return h.since(OVERDUE)


@feature("cured_count_{w}d", windows=(365,), unit="count", risk=0)
def cured_count(h: History, w: Window) -> Ints:
    """Arrears cleared in the trailing {w} days."""
    return h.count(CURED, w)


@feature("payment_returned_count_{w}d", windows=(30, 180), unit="count", together=True, risk=1)
def payment_returned_count(h: History, w: Window) -> Ints:
    """Payments that bounced in the trailing {w} days."""
    return h.count(PAYMENT_RETURNED, w)
