"""Loans by their number: which draw a payment belongs to, and which loans ran to their end."""

from typing import NamedTuple

import numpy as np

from relimit.data.vocabulary import DRAW, REPAYMENT
from relimit.features.history import Bools, History, Ints, pick
from relimit.features.series import Series
from relimit.features.state import ledger


class _Draws(NamedTuple):
    """The draws that have a loan's number, by loan: `[m]` each."""

    rows: Ints
    loan: Ints
    begin: Ints
    """What the keys of its loan begin at."""
    key: Ints
    """That and the row: ascending."""


def draws_of_loans(h: History, rows: Ints) -> tuple[Ints, Bools]:
    """Return each row's last earlier draw of the same loan, and if there is one."""
    draws: _Draws = h.cached("draws by loan", lambda: _draws_by_loan(h))
    if len(draws.rows) == 0:
        return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
    loan = _loan_keys(h)[rows]
    first = draws.loan.searchsorted(loan)
    first[first == len(draws.loan)] -= 1
    place = draws.key.searchsorted(draws.begin[first] + rows) - 1
    there = (draws.loan[first] == loan) & (place >= first)
    return draws.rows[np.maximum(place, 0)], there


def _draws_by_loan(h: History) -> _Draws:
    rows = h.series(DRAW).rows
    rows = rows[h.block.has_loan_id[rows]]
    loan = _loan_keys(h)[rows]
    order = loan.argsort(kind="stable")
    rows, loan = rows[order], loan[order]
    place = np.zeros(len(rows), np.int64)
    np.add.accumulate(loan[1:] != loan[:-1], dtype=np.int64, out=place[1:])
    place *= len(h.block.kind)
    return _Draws(rows, loan, place, place + rows)


def _loan_keys(h: History) -> Ints:
    """Return `[events]` a number for each event's account and loan, -1 for those without a loan."""
    found: Ints = h.cached("loan keys", lambda: _find_loan_keys(h))
    return found


def _find_loan_keys(h: History) -> Ints:
    """Return the same, made of the ids, or of their ranks if they are too far apart."""
    keys = np.full(len(h.block.kind), -1)
    rows = h.block.has_loan_id.nonzero()[0]
    if len(rows):
        loan = h.block.loan_id[rows]
        low = int(loan.min())
        span = int(loan.max()) - low + 1
        if span * (len(keys) + 1) >= 2**62:
            distinct, loan = np.unique(loan, return_inverse=True)
            low, span = 0, len(distinct)
        keys[rows] = h.row_start[rows] * span + (loan - low)
    return keys


class _Ends(NamedTuple):
    """The events that paid off a loan: `[l]` loans, ascending, and `[m]` keys of loan and row."""

    loan: Ints
    key: Ints


def ends_of_loans(h: History, rows: Ints) -> Ints:
    """Return the row that pays off the loan of each row, after it.

    Parameters
    ----------
    rows
        `[n]` rows of the block.

    Returns
    -------
    `[n]` rows; the number of the block's rows where nothing pays it off, or no loan is named.
    """
    size = len(h.block.kind)
    over = np.full(len(rows), size)
    ends: _Ends = h.cached("ends of loans", lambda: _find_ends(h))
    if len(ends.loan) == 0:
        return over
    loan = _loan_keys(h)[rows]
    place = np.minimum(ends.loan.searchsorted(loan), len(ends.loan) - 1)
    following = ends.key.searchsorted(place * size + rows, side="right")
    key = ends.key[np.minimum(following, len(ends.key) - 1)]
    there = (ends.loan[place] == loan) & (following < len(ends.key)) & (key // size == place)
    return np.where(there, key % size, over)


def _find_ends(h: History) -> _Ends:
    rows = _paid_off(h).nonzero()[0]
    loan, place = np.unique(_loan_keys(h)[rows], return_inverse=True)
    return _Ends(loan, np.sort(place * len(h.block.kind) + rows))


def terms(h: History) -> Series:
    """Return repayments that paid off a loan, with the time since its draw in µs; never below 0.

    A loan that is paid off by a scheduled repayment ran to its end, and so tells its term; the
    events tell of no term before.
    """

    def paid_off(repayments: Series) -> tuple[Bools, Ints]:
        paid = _paid_off(h)[repayments.rows]
        if not np.count_nonzero(paid):
            return paid, repayments.value
        draws, there = draws_of_loans(h, repayments.rows)
        there &= paid
        ts = h.block.ts
        return there, np.maximum(ts[repayments.rows] - pick(ts, draws, there, 0), 0)

    return h.part("terms", REPAYMENT, paid_off)


def _paid_off(h: History) -> Bools:
    """Return `[events]` whether an event brought what its loan owes from above 0 to 0 or less."""
    paid_off = np.zeros(len(h.block.kind), np.bool_)
    moves = ledger(h)
    loan = _loan_keys(h)[moves.rows]
    order = loan.argsort(kind="stable")
    order = order[loan[order].searchsorted(0) :]  # those without a loan come first
    if len(order) == 0:
        return paid_off
    rows, moved, loan = moves.rows[order], moves.value[order], loan[order]
    total = moved.cumsum()
    first = np.arange(len(loan))
    first[1:] *= loan[1:] != loan[:-1]
    owed = total - (total - moved)[np.maximum.accumulate(first)]
    paid_off[rows] = (owed <= 0) & (owed - moved > 0)
    return paid_off
