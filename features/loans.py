"""Loans by their number: which draw a payment belongs to, and which loans ran to their end."""

import numpy as np

from relimit.data.vocabulary import DRAW, REPAYMENT
from relimit.features.history import Bools, History, Ints, pick
from relimit.features.series import Series
from relimit.features.state import ledger


def draws_of_loans(h: History, rows: Ints) -> tuple[Ints, Bools]:
    """Return each row's last earlier draw of the same loan, and if there is one."""
    draws = h.series(DRAW).rows
    draws = draws[h.block.has_loan_id[draws]]
    if len(draws) == 0:
        return np.zeros(len(rows), np.int64), np.zeros(len(rows), np.bool_)
    loan = _loan_keys(h, np.concatenate((draws, rows)))
    ours, theirs = loan[: len(draws)], loan[len(draws) :]
    order = np.argsort(ours, kind="stable")
    ours, draws = ours[order], draws[order]
    rank = np.cumsum(np.diff(ours, prepend=ours[:1]) != 0)
    size = len(h.block.kind)
    first = np.minimum(np.searchsorted(ours, theirs), len(ours) - 1)
    key = rank * size + draws
    place = np.searchsorted(key, rank[first] * size + rows) - 1
    there = (ours[first] == theirs) & (place >= first)
    return draws[np.maximum(place, 0)], there


def _loan_keys(h: History, rows: Ints) -> Ints:
    """Return a number for each row's account and loan; ranks if the ids are too far apart."""
    loan = h.block.loan_id[rows]
    start = h.row_start[rows]
    span = int(loan.max()) - int(loan.min()) + 1
    if span * (len(h.block.kind) + 1) >= 2**62:
        distinct, loan = np.unique(loan, return_inverse=True)
        span = len(distinct)
    keys: Ints = start * span + (loan - loan.min())
    return keys


def terms(h: History) -> Series:
    """Return repayments that paid off a loan, with the time since its draw in µs; never below 0.

    A loan that is paid off by a scheduled repayment ran to its end, and so tells its term; the
    events tell of no term before.
    """

    def paid_off(repayments: Series) -> tuple[Bools, Ints]:
        draws, there = draws_of_loans(h, repayments.rows)
        there &= _paid_off(h)[repayments.rows] & h.block.has_loan_id[repayments.rows]
        ts = h.block.ts
        return there, np.maximum(ts[repayments.rows] - pick(ts, draws, there, 0), 0)

    return h.part("terms", REPAYMENT, paid_off)


def _paid_off(h: History) -> Bools:
    """Return `[events]` whether an event brought what its loan owes from above 0 to 0 or less."""
    paid_off = np.zeros(len(h.block.kind), np.bool_)
    moves = ledger(h)
    mine = h.block.has_loan_id[moves.rows]
    rows, moved = moves.rows[mine], moves.value[mine]
    if len(rows) == 0:
        return paid_off
    loan = _loan_keys(h, rows)
    order = np.argsort(loan, kind="stable")
    rows, moved, loan = rows[order], moved[order], loan[order]
    first = np.flatnonzero(np.diff(loan, prepend=loan[0] - 1))
    total = np.cumsum(moved)
    owed = total - np.repeat((total - moved)[first], np.diff(first, append=len(loan)))
    paid_off[rows] = (owed <= 0) & (owed - moved > 0)
    return paid_off
