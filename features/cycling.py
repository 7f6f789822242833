"""Cycling: borrowing, repaying at once, borrowing again."""

from relimit.data.vocabulary import COUPON_PREFIX, DRAW, INTEREST, MICROSECONDS_PER_DAY, PREPAYMENT
from relimit.features.arithmetic import days, median_of_recent, ratio
from relimit.features.history import Floats, History, Ints, Select, Window
from relimit.features.registry import feature
from relimit.features.sequences import cycles, holds, soon_after
from relimit.features.series import Series

SOURCE = "practice: early-warning rules for cash cycled through revolving lines"

RECENT = 5
SHORT = 7 * MICROSECONDS_PER_DAY
REDRAW_HOURS = 72
COUPON = Select(DRAW, prefix=COUPON_PREFIX)


@feature("cycle_count_{w}d", windows=(90, 365), unit="count", together=True, risk=0)
def cycle_count(h: History, w: Window) -> Ints:
    """Draws that closed a borrow, prepay, borrow cycle of at most 14 days, trailing {w} days."""
    return h.count(cycles(h), w)


@feature("hold_median_days", unit="days", risk=0, null="no prepaid loan yet")
def hold_median(h: History) -> Floats:
    """Median time from draw to prepayment over the last five prepayments."""
    return days(median_of_recent(h.recent(holds(h), RECENT)))


@feature(
    "hold_min_{w}d_days",
    windows=(365,),
    unit="days",
    risk=0,
    null="no prepaid loan in the trailing {w} days",
)
def hold_min(h: History, w: Window) -> Floats:
    """Shortest time from draw to prepayment, of prepayments in the trailing {w} days."""
    return days(h.smallest(holds(h), w))


@feature(
    "hold_short_share_{w}d",
    windows=(180, 365),
    unit="ratio",
    together=True,
    risk=0,
    null="no prepaid loan in the trailing {w} days",
)
def hold_short_share(h: History, w: Window) -> Floats:
    """Share of prepayments in the trailing {w} days of loans that were held under 7 days."""
    return ratio(h.count(h.found(_short_holds), w), h.count(holds(h), w))


def _short_holds(h: History) -> Series:
    return h.part("short holds", holds(h), lambda held: (held.value < SHORT, held.value))


@feature(
    "redrawn_to_prepaid_{w}d",
    windows=(90, 365),
    unit="ratio",
    together=True,
    risk=0,
    null="nothing prepaid in the trailing {w} days",
)
def redrawn_to_prepaid(h: History, w: Window) -> Floats:
    """Principal drawn within 72 hours after a prepayment ÷ principal prepaid, trailing {w} days."""
    return ratio(h.sum(soon_after(h, DRAW, PREPAYMENT, REDRAW_HOURS), w), h.sum(PREPAYMENT, w))


@feature(
    "coupon_share_{w}d",
    windows=(365,),
    unit="ratio",
    risk=0,
    null="nothing drawn in the trailing {w} days",
    detail=True,
)
def coupon_share(h: History, w: Window) -> Floats:
    """Share of principal drawn in the trailing {w} days that a coupon funded."""
    return ratio(h.sum(COUPON, w), h.sum(DRAW, w))


@feature(
    "interest_to_drawn_{w}d",
    windows=(365,),
    unit="ratio",
    risk=0,
    null="nothing drawn in the trailing {w} days",
)
def interest_to_drawn(h: History, w: Window) -> Floats:
    """Interest charged ÷ principal drawn, trailing {w} days: what the turnover earns."""
    return ratio(h.sum(INTEREST, w), h.sum(DRAW, w))
