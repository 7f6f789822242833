"""Gaps: how long after a prepayment the account borrows again."""

from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.features.arithmetic import days, ratio
from relimit.features.history import Floats, History, Window
from relimit.features.registry import feature
from relimit.features.sequences import redraws
from relimit.features.series import Series

SOURCE = "practice: time between uses of a line, as in inter-purchase times of marketing"

DAY = MICROSECONDS_PER_DAY
NONE = "no draw after a prepayment in the trailing {w} days"


@feature("redraw_gap_last_days", unit="days", risk=0, null="no draw after a prepayment yet")
def redraw_gap_last(h: History) -> Floats:
    """Last gap from a prepayment to the next draw, outages left out."""
    return days(h.last_amount(redraws(h)))


@feature("redraw_gap_min_{w}d_days", windows=(365,), unit="days", risk=0, null=NONE)
def redraw_gap_min(h: History, w: Window) -> Floats:
    """Shortest gap from a prepayment to the next draw, outages left out, trailing {w} days."""
    return days(h.smallest(redraws(h), w))


@feature("redraw_gap_mean_{w}d_days", windows=(365,), unit="days", risk=0, null=NONE)
def redraw_gap_mean(h: History, w: Window) -> Floats:
    """Mean gap from a prepayment to the next draw, outages left out, trailing {w} days."""
    return days(h.mean(redraws(h), w))


@feature("redraw_gap_trend_{w}d", windows=(365,), unit="ratio", risk=0, null=NONE + ", or all 0")
def redraw_gap_trend(h: History, w: Window) -> Floats:
    """Last gap from a prepayment to the next draw ÷ the mean of the trailing {w} days."""
    return ratio(h.last_amount(redraws(h)), h.mean(redraws(h), w))


@feature("redraw_day_share_{w}d", windows=(365,), unit="ratio", risk=0, null=NONE)
def redraw_day_share(h: History, w: Window) -> Floats:
    """Share of gaps from a prepayment to the next draw under 24 hours, trailing {w} days."""
    return ratio(h.count(h.found(_quick_redraws), w), h.count(redraws(h), w))


def _quick_redraws(h: History) -> Series:
    return h.part("redraws in a day", redraws(h), lambda gap: (gap.value < DAY, gap.value))
