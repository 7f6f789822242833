"""Where an account stands at a moment: its balance, its limit, its arrears, its unpaid interest."""

from functools import cache

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import (
    CHARGE_OFF,
    CURED,
    DRAW,
    INTEREST,
    INTEREST_PAYMENT,
    KINDS,
    LIMIT,
    OVERDUE,
    PLACE,
    PREPAYMENT,
    REPAYMENT,
)
from relimit.features.history import Bools, Floats, History, Ints
from relimit.features.series import Series

SIGNS = {DRAW: 1, REPAYMENT: -1, PREPAYMENT: -1, CHARGE_OFF: -1}
"""How each kind moves the principal that is out; the first adds to it."""

INTEREST_SIGNS = {INTEREST: 1, INTEREST_PAYMENT: -1}
"""How each kind moves the interest that is owed; the first adds to it."""


def ledger(h: History) -> Series:
    """Return every event that moves the principal, with the signed fen."""
    return h.derive("ledger", lambda: _merged(h, SIGNS))


def interest_ledger(h: History) -> Series:
    """Return interest charged (+) and interest settled (−), fen."""
    return h.derive("interest ledger", lambda: _merged(h, INTEREST_SIGNS))


def _merged(h: History, signs: dict[str, int]) -> tuple[Ints, Ints]:
    moved = _by_place(*signs.items()).take(h.block.kind)
    rows = moved.nonzero()[0]
    return rows, h.block.amount.take(rows) * moved.take(rows)


@cache
def _by_place(*signs: tuple[str, int]) -> NDArray[np.int8]:
    """Return the sign of each kind; the last is of kinds unknown, whose place is -1."""
    sign = np.zeros(len(KINDS) + 1, np.int8)
    for kind, direction in signs:
        sign[PLACE[kind]] = direction
    return sign


def outstanding(h: History, ago: int | tuple[int, ...] = 0) -> Ints:
    """Return the principal that was out, as known `ago` days before, fen; never below 0."""
    found: Ints = h.at("outstanding", lambda ago: _balance(h, SIGNS, ago), ago)
    return found


def _balance(h: History, signs: dict[str, int], ago: int | tuple[int, ...] = 0) -> Ints:
    """Return what the kinds add up to; never below 0.

    Kind by kind, since other features ask for the same sums, and only few for the ledger.
    """
    first, *others = signs
    left: Ints = h.sum_before(first, ago)
    for kind in others:
        change = h.sum_before(kind, ago)
        left = left + change if signs[kind] > 0 else left - change
    return np.maximum(left, 0)


def limit_now(h: History, ago: int | tuple[int, ...] = 0) -> Floats:
    """Return the limit as known `ago` days before, fen; NaN if none was known."""
    found: Floats = h.at("limit", lambda ago: h.amount_before(LIMIT, ago), ago)
    return found


def interest_unsettled(h: History) -> Ints:
    """Return the interest charged and not yet settled, fen; never below 0."""
    return _balance(h, INTEREST_SIGNS)


def in_arrears(h: History) -> Bools:
    """Return whether the last `overdue` event has no `cured` event after it."""
    overdue: Bools = h.last_row(OVERDUE) > h.last_row(CURED)
    return overdue
