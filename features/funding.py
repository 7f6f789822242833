"""Funding: whose money the prepayment was made with.

There is no "payer is not the owner": no event tells who paid; `detail` is the channel of a
repayment and, of a prepayment, whether it was full.
"""

from relimit.data.vocabulary import INFLOW, LENDER, OPERATION, PREPAYMENT
from relimit.features.arithmetic import ratio
from relimit.features.history import Floats, History, Ints, Select, Window
from relimit.features.registry import feature
from relimit.features.sequences import soon_after

FROM_LENDER = Select(INFLOW, detail=LENDER)
NEW_CARD = Select(OPERATION, detail="card_change")
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
