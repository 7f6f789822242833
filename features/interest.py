"""Interest: what was charged and is not settled."""

from collections.abc import Callable

import numpy as np

from relimit.data.vocabulary import INTEREST, INTEREST_PAYMENT, MICROSECONDS_PER_DAY, PREPAYMENT
from relimit.features.arithmetic import ratio
from relimit.features.history import Bools, Floats, History, Ints, Select, Window, pick
from relimit.features.registry import feature
from relimit.features.series import Series
from relimit.features.state import interest_ledger, interest_unsettled, outstanding

SOURCE = "practice: interest arrears in collections"
PRICE = (
    "the price of a loan as its lender's view of the borrower, Serrano-Cinca, Gutiérrez-Nieto and "
    "López-Palacios (2015), PLoS ONE 10(10)"
)
PRICED_ON = (30, 60, 90)

PENALTY = Select(INTEREST, detail="penalty")


@feature("interest_unsettled", unit="fen", risk=1)
def unsettled(h: History) -> Ints:
    """Interest charged less interest settled; never below 0."""
    return interest_unsettled(h)


@feature("interest_unpaid_days", unit="days", risk=1)
def unpaid_days(h: History) -> Floats:
    """Days since the first charge after interest was last settled in full; 0 if nothing is owed."""
    series, settled = interest_ledger(h), h.part("settled", interest_ledger(h), _settled(h))
    row, there = h.last_row(settled), h.count(settled) > 0
    owed = interest_unsettled(h) > 0
    first = np.where(there, series.before(row + 1), h.span(series)[0])
    charged = pick(series.rows, np.where(owed, first, 0), owed, 0)
    since = h.as_of - pick(h.block.ts, charged, owed, 0)
    return np.where(owed, since / MICROSECONDS_PER_DAY, 0.0)


def _settled(h: History) -> Callable[[Series], tuple[Bools, Ints]]:
    """Find the events after which nothing is owed; value: what was owed, 0 or less."""

    def settled(ledger: Series) -> tuple[Bools, Ints]:
        owed = ledger.total[1:] - ledger.total[ledger.before(h.row_start[ledger.rows])]
        return owed <= 0, owed

    return settled


@feature("interest_to_prepaid", unit="ratio", risk=1, null="no prepayment yet, or one of 0")
def interest_to_prepaid(h: History) -> Floats:
    """Unsettled interest ÷ last prepayment."""
    return ratio(interest_unsettled(h), h.last_amount(PREPAYMENT))


@feature("interest_paid_{w}d", windows=(90,), unit="fen", risk=-1)
def interest_paid(h: History, w: Window) -> Ints:
    """Interest settled in the trailing {w} days."""
    return h.sum(INTEREST_PAYMENT, w)


@feature(
    "interest_to_balance_{w}d",
    windows=(90,),
    unit="ratio",
    risk=0,
    null="nothing out 30, 60 and 90 days ago",
    source=PRICE,
)
def interest_to_balance(h: History, w: Window) -> Floats:
    """Interest charged in the trailing {w} days ÷ mean principal out 30, 60 and 90 days ago."""
    balances = outstanding(h, PRICED_ON)
    return ratio(h.sum(INTEREST, w) * len(balances), balances.sum(axis=0))


@feature("penalty_interest_{w}d", windows=(180,), unit="fen", risk=1, detail=True)
def penalty_interest(h: History, w: Window) -> Ints:
    """Penalty interest charged in the trailing {w} days."""
    return h.sum(PENALTY, w)
