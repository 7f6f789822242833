"""Payment: what falls due, what of it is paid, and how much is borrowed meanwhile."""

import numpy as np

from relimit.data.vocabulary import DRAW, DUE, REPAYMENT
from relimit.features.arithmetic import ratio
from relimit.features.history import Floats, History, Ints, Window
from relimit.features.registry import feature
from relimit.features.select import Windows
from relimit.features.state import limit_now

MONTHS = 6
BY_MONTH = Windows(tuple(30 * month for month in range(1, MONTHS + 1)))
SOURCE = "practice: dues, repayments and draws in behavioural scoring"
PAYMENT_RATIO = "payment ratio, Thomas, Crook and Edelman (2017), Credit Scoring, ch. 4"


@feature("due_last", unit="fen", risk=0, null="nothing due yet")
def due_last(h: History) -> Floats:
    """Amount that fell due last."""
    return h.last_amount(DUE)


@feature(
    "due_last_to_limit",
    unit="ratio",
    risk=0,
    null="nothing due or no limit known yet, or a limit of 0",
)
def due_last_to_limit(h: History) -> Floats:
    """Amount that fell due last ÷ limit."""
    return ratio(h.last_amount(DUE), limit_now(h))


@feature(
    "due_to_limit_{w}d", windows=(180,), unit="ratio", risk=0, null="no limit known, or it is 0"
)
def due_to_limit(h: History, w: Window) -> Floats:
    """Amounts that fell due in the trailing {w} days ÷ limit."""
    return ratio(h.sum(DUE, w), limit_now(h))


@feature("due_trend", unit="ratio", risk=0, window=180, null="nothing due 90 to 180 days ago")
def due_trend(h: History) -> Floats:
    """Amounts due in the trailing 90 days ÷ those due in the 90 days before."""
    return ratio(h.sum(DUE, Window(90)), h.sum(DUE, Window(90, ago=90)))


@feature(
    "due_step", unit="ratio", risk=0, null="fewer than two dues, or no limit known, or it is 0"
)
def due_step(h: History) -> Floats:
    """Amount that fell due last less the one before ÷ limit."""
    return ratio(h.last_amount(DUE) - h.last_amount(DUE, back=1), limit_now(h))


@feature("due_variation", unit="ratio", risk=0, null="fewer than two dues, or a mean of 0 or less")
def due_variation(h: History) -> Floats:
    """Coefficient of variation of the last six amounts that fell due."""
    return h.variation(DUE, MONTHS)


@feature(
    "repaid_to_due_{w}d",
    windows=(30, 90, 180),
    unit="ratio",
    together=True,
    risk=-1,
    source=PAYMENT_RATIO,
    null="nothing due in the trailing {w} days",
)
def repaid_to_due(h: History, w: Window) -> Floats:
    """Scheduled repayments ÷ amounts that fell due, both in the trailing {w} days."""
    return ratio(h.sum(REPAYMENT, w), h.sum(DUE, w))


@feature(
    "repaid_last_to_due",
    unit="ratio",
    risk=-1,
    source=PAYMENT_RATIO,
    null="no repayment, or fewer than two dues yet, or a due of 0",
)
def repaid_last_to_due(h: History) -> Floats:
    """Last repayment ÷ the amount due before the latest: the bill that it answers."""
    return ratio(h.last_amount(REPAYMENT), h.last_amount(DUE, back=1))


@feature(
    "repaid_last_to_limit",
    unit="ratio",
    risk=0,
    null="no repayment or no limit known yet, or a limit of 0",
)
def repaid_last_to_limit(h: History) -> Floats:
    """Last repayment ÷ limit."""
    return ratio(h.last_amount(REPAYMENT), limit_now(h))


@feature("repaid_sum_{w}d", windows=(30, 90, 180), unit="fen", together=True, risk=0)
def repaid_sum(h: History, w: Window) -> Ints:
    """Scheduled repayments in the trailing {w} days."""
    return h.sum(REPAYMENT, w)


@feature(
    "repaid_month_{c}",
    choices=(1, 2, 3),
    window=lambda month: 30 * month + 30,
    unit="fen",
    risk=0,
)
def repaid_month(h: History, month: int) -> Ints:
    """Scheduled repayments in the 30 days that ended {c} x 30 days ago."""
    return h.sum(REPAYMENT, Window(30, ago=30 * month))


@feature("repaid_smallest_{w}d", windows=(180,), unit="fen", risk=0, null="none in {w} days")
def repaid_smallest(h: History, w: Window) -> Floats:
    """Smallest scheduled repayment in the trailing {w} days."""
    return h.smallest(REPAYMENT, w)


@feature("months_unpaid_6m", unit="count", risk=1, window=180, source=PAYMENT_RATIO)
def months_unpaid(h: History) -> Ints:
    """How many of the last six spans of 30 days had an amount due and no repayment."""
    due, repaid = _by_month(h, DUE), _by_month(h, REPAYMENT)
    missed: Ints = np.add.reduce((due > 0) & (repaid == 0), axis=0, dtype=np.int64)
    return missed


def _by_month(h: History, kind: str) -> Ints:
    """Return `[months, snapshots]` how many events there were in each of the last spans."""
    found = h.count(kind, BY_MONTH).copy()
    found[1:] -= h.count(kind, BY_MONTH)[:-1]
    return found


@feature("repaid_since_days", unit="days", risk=0, null="no repayment yet")
def repaid_since_days(h: History) -> Floats:
    """Days since the last scheduled repayment."""
    return h.since(REPAYMENT)


@feature("due_since_days", unit="days", risk=0, null="nothing due yet")
def due_since_days(h: History) -> Floats:
    """Days since an amount last fell due."""
    return h.since(DUE)


@feature("due_count_{w}d", windows=(180,), unit="count", risk=0)
def due_count(h: History, w: Window) -> Ints:
    """Amounts that fell due in the trailing {w} days."""
    return h.count(DUE, w)


@feature("draw_count_{w}d", windows=(30, 90, 180), unit="count", together=True, risk=0)
def draw_count(h: History, w: Window) -> Ints:
    """Draws in the trailing {w} days."""
    return h.count(DRAW, w)


@feature(
    "drawn_to_limit_{w}d",
    windows=(30, 90, 180),
    unit="ratio",
    together=True,
    risk=0,
    null="no limit known, or it is 0",
)
def drawn_to_limit(h: History, w: Window) -> Floats:
    """Principal drawn in the trailing {w} days ÷ limit."""
    return ratio(h.sum(DRAW, w), limit_now(h))


@feature("draw_since_days", unit="days", risk=0, null="no draw yet")
def draw_since_days(h: History) -> Floats:
    """Days since the last draw."""
    return h.since(DRAW)
