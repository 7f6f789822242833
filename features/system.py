"""System lag: how late the lender's own systems were. Kept out of the risk models.

It says nothing about the borrower: it routes faults, and shifts who is restored when for reasons
that have nothing to do with risk.
"""

import numpy as np

from relimit.data.vocabulary import OUTAGE, PREPAYMENT, RESTORED
from relimit.features.arithmetic import days, ratio
from relimit.features.history import Bools, Floats, History, Ints, Window, pick
from relimit.features.registry import feature
from relimit.features.sequences import preceding
from relimit.features.series import Series

SOURCE = "practice: service levels of the lender's own systems"


@feature(
    "delivery_lag_mean_{w}d_days",
    windows=(30,),
    unit="days",
    risk=0,
    kept_out=True,
    null="no event in the trailing {w} days",
)
def delivery_lag(h: History, w: Window) -> Floats:
    """Mean time from an event to the lender's learning of it, trailing {w} days."""
    return days(h.mean(h.derive("delivery lag", lambda: _lags(h)), w))


def _lags(h: History) -> tuple[Ints, Ints]:
    return np.arange(len(h.block.ts)), h.block.known_at - h.block.ts


@feature(
    "restoration_lag_last_days", unit="days", risk=0, kept_out=True, null="nothing restored yet"
)
def restoration_lag(h: History) -> Floats:
    """Time from a prepayment to the last restoration after it."""

    def lags(restored: Series) -> tuple[Bools, Ints]:
        earlier, there = preceding(h, restored.rows, PREPAYMENT)
        return there, h.block.ts[restored.rows] - pick(h.block.ts, earlier, there, 0)

    return days(h.last_amount(h.part("restoration lag", RESTORED, lags)))


@feature(
    "restored_to_prepaid_{w}d",
    windows=(180,),
    unit="ratio",
    risk=0,
    kept_out=True,
    null="nothing prepaid in the trailing {w} days",
)
def restored_to_prepaid(h: History, w: Window) -> Floats:
    """Limit given back ÷ principal prepaid, both in the trailing {w} days."""
    return ratio(h.sum(RESTORED, w), h.sum(PREPAYMENT, w))


@feature("outage_minutes_{w}d", windows=(30,), unit="minutes", risk=0, kept_out=True)
def outage_minutes(h: History, w: Window) -> Ints:
    """Minutes of outages that touched the account, trailing {w} days."""
    return h.sum(h.values(OUTAGE), w)
