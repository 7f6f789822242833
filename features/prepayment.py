"""Prepayment: how often, how much, how evenly principal comes back early, and how early.

The events tell no schedule before its instalments fall due: a loan's own term could only be had by
looking ahead. The account's earlier loans that ran to their end tell the term that is usual to it.
"""

from collections.abc import Callable

import numpy as np

from relimit.data.vocabulary import DRAW, PREPAYMENT
from relimit.features.arithmetic import ratio
from relimit.features.history import Bools, Floats, History, Ints, Select, Window, pick
from relimit.features.loans import terms
from relimit.features.registry import feature
from relimit.features.sequences import holds, preceding
from relimit.features.series import Series
from relimit.features.state import limit_now, outstanding

SOURCE = "recency, frequency and amount, Bult and Wansbeek (1995), Marketing Science 14(4)"

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
    null="no prepayment yet, or one of 0 with nothing out",
    source="partial against full prepayment, LaCour-Little (2008)",
)
def prepaid_to_outstanding(h: History) -> Floats:
    """Last prepayment ÷ (itself + principal that is still out)."""
    last = h.last_amount(PREPAYMENT)
    return ratio(last, last + outstanding(h))


@feature(
    "freed_to_limit",
    unit="ratio",
    risk=0,
    null="no prepayment or no limit known yet, or a limit of 0",
)
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


@feature(
    "early_to_term_{w}d",
    windows=(365,),
    unit="ratio",
    together=True,
    risk=0,
    null="no loan ran to its end yet, or none was settled in full in the trailing {w} days since",
    detail=True,
)
def early_to_term(h: History, w: Window) -> Floats:
    """Time by which full settlements came before the usual term ÷ that term, trailing {w} days."""
    return ratio(h.sum(h.found(_early), w), h.sum(h.found(_usual_terms), w))


def _usual_terms(h: History) -> Series:
    return h.part("usual terms", FULL, _before_settlements(h))


def _before_settlements(h: History) -> Callable[[Series], tuple[Bools, Ints]]:
    """Tell whether a loan ran to its end before each settlement, and the last such loan's term.

    The draw of the settled loan must be known too.
    """

    def usual(full: Series) -> tuple[Bools, Ints]:
        ended = terms(h)
        if len(ended.rows) == 0:
            return np.zeros(len(full.rows), np.bool_), full.value
        held = holds(h)
        row, there = preceding(h, full.rows, ended)
        there &= held.before(full.rows + 1) > held.before(full.rows)
        return there, pick(ended.value, np.where(there, ended.before(row), 0), there, 0)

    return usual


def _early(h: History) -> Series:
    """Return those terms with the time that was left of each, in µs; never below 0."""

    def early(term: Series) -> tuple[Bools, Ints]:
        held = holds(h)
        left = term.value - held.value[held.before(term.rows)]
        return np.ones(len(term.rows), np.bool_), np.maximum(left, 0)

    return h.part("early", _usual_terms(h), early)


@feature(
    "prepay_variation",
    unit="ratio",
    risk=0,
    null="fewer than two prepayments, or a mean of 0 or less",
)
def prepay_variation(h: History) -> Floats:
    """Coefficient of variation of the last six prepayments' sizes."""
    return h.variation(PREPAYMENT, RECENT)


@feature("prepay_since_days", unit="days", risk=0, null="no prepayment yet")
def prepay_since_days(h: History) -> Floats:
    """Days since the last prepayment."""
    return h.since(PREPAYMENT)
