"""Tenure: how long and how much the account has been used."""

import numpy as np

from relimit.data.vocabulary import DRAW, LIMIT
from relimit.features.arithmetic import days, ratio
from relimit.features.history import Floats, History, Ints, Window, pick
from relimit.features.registry import feature
from relimit.features.state import limit_now

SOURCE = "practice: time on books and limit history in behavioural scoring"


@feature("tenure_days", unit="days", risk=0, null="no event known")
def tenure(h: History) -> Floats:
    """Days since the account's first known event."""
    there = h.end() > h.start
    first = pick(h.block.ts, np.where(there, h.start, 0), there, 0)
    return np.where(there, days(h.as_of - first), np.nan)


@feature("draw_count_ever", unit="count", risk=0)
def draw_count_ever(h: History) -> Ints:
    """Draws so far."""
    return h.count(DRAW)


@feature("limit_change_count_{w}d", windows=(365,), unit="count", risk=0)
def limit_change_count(h: History, w: Window) -> Ints:
    """Limits set in the trailing {w} days."""
    return h.count(LIMIT, w)


@feature(
    "limit_to_past_{w}d",
    windows=(365,),
    unit="ratio",
    risk=0,
    null="no limit {w} days ago, or it was 0",
)
def limit_to_past(h: History, w: Window) -> Floats:
    """Limit ÷ the limit {w} days ago."""
    return ratio(limit_now(h), limit_now(h, w.days))


@feature("limit_since_days", unit="days", risk=0, null="no limit known")
def limit_since_days(h: History) -> Floats:
    """Days since a limit was last set."""
    return h.since(LIMIT)
