"""Funding: whose money the prepayment was made with.

What came within 48 hours before a prepayment counts by the day of the prepayment: an inflow or a
card change may lie up to two days before the window.
"""

from relimit.data.vocabulary import (
    INFLOW,
    LENDER,
    OPERATION,
    PREPAYMENT,
    REPAYMENT,
    THIRD_PARTY,
)
from relimit.features.arithmetic import ratio
from relimit.features.history import Floats, History, Ints, Select, Window
from relimit.features.registry import feature
from relimit.features.sequences import soon_after

SOURCE = "practice: loan stacking and payer checks in fraud prevention"

FROM_LENDER = Select(INFLOW, detail=LENDER)
NEW_CARD = Select(OPERATION, detail="card_change")
FOREIGN_REPAYMENT = Select(REPAYMENT, prefix=THIRD_PARTY)
FOREIGN_PREPAYMENT = Select(PREPAYMENT, prefix=THIRD_PARTY)
TOLD_REPAYMENT, TOLD_PREPAYMENT = Select(REPAYMENT, prefix=""), Select(PREPAYMENT, prefix="")
EXTENT = Select(PREPAYMENT, detail=("full", "partial"))
"""Prepayments whose detail tells how much of the loan they settled, and no channel."""

HOURS = 48
NONE = "nothing prepaid in the trailing {w} days"


@feature(
    "lender_funded_share_{w}d",
    windows=(90, 365),
    unit="ratio",
    together=True,
    risk=1,
    null=NONE,
    detail=True,
)
def lender_funded_share(h: History, w: Window) -> Floats:
    """Share of principal prepaid within 48 hours after a lender's inflow, trailing {w} days."""
    return ratio(h.sum(soon_after(h, PREPAYMENT, FROM_LENDER, HOURS), w), h.sum(PREPAYMENT, w))


@feature("new_card_share_{w}d", windows=(365,), unit="ratio", risk=0, null=NONE, detail=True)
def new_card_share(h: History, w: Window) -> Floats:
    """Share of principal prepaid in the trailing {w} days within 48 hours after a card change."""
    return ratio(h.sum(soon_after(h, PREPAYMENT, NEW_CARD, HOURS), w), h.sum(PREPAYMENT, w))


@feature("lender_inflow_{w}d", windows=(30, 180), unit="fen", together=True, risk=1, detail=True)
def lender_inflow(h: History, w: Window) -> Ints:
    """Inflows from other lenders in the trailing {w} days."""
    return h.sum(FROM_LENDER, w)


@feature(
    "third_party_share_{w}d",
    windows=(365,),
    unit="ratio",
    together=True,
    risk=0,
    null="of no payment in the trailing {w} days is it told how it was made",
    detail=True,
)
def third_party_share(h: History, w: Window) -> Floats:
    """Share of payments with a channel that somebody else made, in the trailing {w} days."""
    foreign = h.count(FOREIGN_REPAYMENT, w) + h.count(FOREIGN_PREPAYMENT, w)
    told = h.count(TOLD_REPAYMENT, w) + h.count(TOLD_PREPAYMENT, w) - h.count(EXTENT, w)
    return ratio(foreign, told)
