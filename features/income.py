"""Income: how much, how evenly, and how near the next payday is."""

import numpy as np

from relimit.data.vocabulary import DUE, INCOME, INFLOW
from relimit.features.arithmetic import days, mean_of_recent, ratio
from relimit.features.history import Floats, History, Ints, Window
from relimit.features.registry import feature
from relimit.features.sequences import gaps_between

SOURCE = "practice: salary regularity in affordability checks on account data"

RECENT = 6


@feature("income_count_{w}d", windows=(90, 180), unit="count", together=True, risk=0)
def income_count(h: History, w: Window) -> Ints:
    """Salary-like inflows in the trailing {w} days."""
    return h.count(INCOME, w)


@feature(
    "income_mean_{w}d", windows=(180,), unit="fen", risk=0, null="no income in {w} days", revision=2
)
def income_mean(h: History, w: Window) -> Floats:
    """Mean salary-like inflow in the trailing {w} days, in whole fen."""
    return np.rint(h.mean(INCOME, w))


@feature(
    "income_variation", unit="ratio", risk=0, null="fewer than two incomes, or a mean of 0 or less"
)
def income_variation(h: History) -> Floats:
    """Coefficient of variation of the last six salary-like inflows."""
    return h.variation(INCOME, RECENT)


@feature("payday_variation", unit="ratio", risk=0, null="fewer than three incomes, or all at once")
def payday_variation(h: History) -> Floats:
    """Coefficient of variation of the last six gaps between salary-like inflows."""
    return h.variation(gaps_between(h, INCOME), RECENT)


@feature("payday_in_days", unit="days", risk=0, null="fewer than two incomes")
def payday_in_days(h: History) -> Floats:
    """Days to the next payday if it keeps the mean of the last six gaps; below 0 if it is late."""
    return days(mean_of_recent(h.recent(gaps_between(h, INCOME), RECENT))) - h.since(INCOME)


@feature("income_since_days", unit="days", risk=0, null="no income yet")
def income_since_days(h: History) -> Floats:
    """Days since the last salary-like inflow."""
    return h.since(INCOME)


@feature("inflow_to_due_{w}d", windows=(90,), unit="ratio", risk=-1, null="nothing due in {w} days")
def inflow_to_due(h: History, w: Window) -> Floats:
    """All inflows ÷ amounts that fell due, both in the trailing {w} days."""
    return ratio(h.sum(INCOME, w) + h.sum(INFLOW, w), h.sum(DUE, w))
