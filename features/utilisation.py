"""Utilisation: how much of the limit is drawn, now and before."""

import numpy as np

from relimit.features.arithmetic import mean_of_recent, ratio, slope_of_recent
from relimit.features.history import Floats, History, Ints, Window
from relimit.features.registry import feature
from relimit.features.state import ledger, limit_now, outstanding

SOURCE = "line usage before default, Norden and Weber (2010), Review of Financial Studies 23(10)"

MONTHS_AGO = tuple(30 * month for month in range(6))
HIGH = 0.9


def utilisation(h: History, ago: int | tuple[int, ...] = 0) -> Floats:
    """Return principal out ÷ limit, both as known `ago` days before; NaN if no limit was known.

    Several numbers of days give `[ends, snapshots]`.
    """
    found: Floats = h.at(
        "utilisation", lambda ago: ratio(outstanding(h, ago), limit_now(h, ago)), ago
    )
    return found


def _by_month(h: History) -> Floats:
    return utilisation(h, MONTHS_AGO)


@feature("limit_amount", unit="fen", risk=0, null="no limit known")
def limit_amount(h: History) -> Floats:
    """Limit that holds now."""
    return limit_now(h)


@feature("outstanding", unit="fen", risk=0)
def outstanding_principal(h: History) -> Ints:
    """Draws less repayments, prepayments and charge-offs; never below 0."""
    return outstanding(h)


@feature("utilisation_now", unit="ratio", risk=1, null="no limit known, or it is 0")
def utilisation_now(h: History) -> Floats:
    """Principal out ÷ limit."""
    return utilisation(h)


@feature(
    "utilisation_mean_6m",
    unit="ratio",
    risk=1,
    window=150,
    null="no limit above 0 at any of the six",
)
def utilisation_mean(h: History) -> Floats:
    """Mean utilisation now and 30, 60, 90, 120 and 150 days ago, where a limit was known."""
    return mean_of_recent(_by_month(h))


@feature("utilisation_high_months", unit="count", risk=1, window=150)
def utilisation_high_months(h: History) -> Ints:
    """How many of now and 30, 60, 90, 120 and 150 days ago had a utilisation of 0.9 or more."""
    high = _by_month(h) >= HIGH
    months: Ints = np.add.reduce(high, axis=0, dtype=np.int64)
    return months


@feature(
    "utilisation_change_90d",
    unit="ratio",
    risk=1,
    window=90,
    null="no limit known, now or 90 days ago, or it is 0",
)
def utilisation_change(h: History) -> Floats:
    """Utilisation now less utilisation 90 days ago."""
    return utilisation(h) - utilisation(h, 90)


@feature(
    "utilisation_slope_6m",
    unit="ratio",
    risk=1,
    window=150,
    null="a limit above 0 at fewer than two of the six",
)
def utilisation_slope(h: History) -> Floats:
    """Least-squares rise in 30 days of utilisation now and 30, 60, 90, 120 and 150 days ago."""
    return slope_of_recent(_by_month(h))


@feature(
    "utilisation_peak_{w}d",
    windows=(90, 365),
    unit="ratio",
    together=True,
    risk=1,
    null="no limit known, or it is 0",
)
def utilisation_peak(h: History, w: Window) -> Floats:
    """Most principal out at any time in the trailing {w} days ÷ limit that holds now."""
    series = ledger(h)
    first, last = h.span(series, w)
    total = series.total
    opening = total[h.span(series)[0]]
    peak = series.peak(first, last) - opening
    return ratio(np.maximum(peak, 0.0), limit_now(h))
