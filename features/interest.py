"""Interest: what was charged and is not settled."""

import numpy as np

from relimit.data.vocabulary import INTEREST, INTEREST_PAYMENT, MICROSECONDS_PER_DAY, PREPAYMENT
from relimit.features.arithmetic import ratio
from relimit.features.history import Floats, History, Ints, Select, Window, pick
from relimit.features.registry import feature
from relimit.features.state import interest_ledger, interest_unsettled

PENALTY = Select(INTEREST, detail="penalty")


@feature("interest_unsettled", unit="fen", risk=1)
def unsettled(h: History) -> Ints:
    """Interest charged less interest settled; never below 0."""
    return interest_unsettled(h)


@feature("interest_unpaid_days", unit="days", risk=1)
def unpaid_days(h: History) -> Floats:
    """Days since the first charge after interest was last settled in full; 0 if nothing is owed."""
    series, settled = interest_ledger(h), h.derive("settled", lambda: _settled(h))
    row, there = h.last_row(settled), h.count(settled) > 0
    first = series.before(np.where(there, row + 1, h.start))
    owed = interest_unsettled(h) > 0
    charged = pick(series.rows, np.where(owed, first, 0), owed, 0)
    since = h.as_of - pick(h.block.ts, charged, owed, 0)
    return np.where(owed, since / MICROSECONDS_PER_DAY, 0.0)


def _settled(h: History) -> tuple[Ints, Ints]:
    """Find the events after which nothing is owed; value: by how much too much was paid."""
    series = interest_ledger(h)
    owed = series.total[1:] - series.total[series.before(h.row_start[series.rows])]
    return series.rows[owed <= 0], -owed[owed <= 0]


@feature("interest_to_prepaid", unit="ratio", risk=0, null="no prepayment yet")
def interest_to_prepaid(h: History) -> Floats:
    """Unsettled interest ÷ last prepayment."""
    return ratio(interest_unsettled(h), h.last_amount(PREPAYMENT))


@feature("interest_paid_{w}d", windows=(90,), unit="fen", risk=0)
def interest_paid(h: History, w: Window) -> Ints:
    """Interest settled in the trailing {w} days."""
    return h.sum(INTEREST_PAYMENT, w)


@feature("penalty_interest_{w}d", windows=(180,), unit="fen", risk=1)
def penalty_interest(h: History, w: Window) -> Ints:
    """Penalty interest charged in the trailing {w} days."""
    return h.sum(PENALTY, w)
