"""Histories as they would be had something been paid or done: for remedies, never for labels."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from relimit.data.events import EVENT_COLUMNS, EventBlock
from relimit.data.segments import places_of
from relimit.data.total_order import in_total_order
from relimit.data.vocabulary import KINDS

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


def suppose(
    block: EventBlock,
    account: Ints,
    at: Ints,
    payments: Mapping[str, Ints | Bools],
    details: Mapping[str, str] | None = None,
    *,
    known_by: Ints | None = None,
) -> EventBlock:
    """Return each account's events with some more of them at one instant, an account a row.

    Parameters
    ----------
    block
        Whole accounts.
    account
        `[n]` places in the block's `account_ids`; the same account may come several times.
    at
        `[n]` microseconds UTC, when the supposed events happen and become known.
    payments
        By kind, the `[n]` amounts in fen, or whether it happens where the kind has no amount. Rows
        with an amount of 0 get no such event.
    details
        The `detail` of the supposed events of a kind; null for a kind that is not there.
    known_by
        `[n]` microseconds UTC: of the events, only those known by then are kept; all if absent.

    Returns
    -------
    EventBlock
        `n` accounts, numbered from 0 in the order of the rows.
    """
    details = details or {}
    for kind, word in details.items():
        if np.count_nonzero(payments[kind]):
            block = _with_detail(block, word)
    sizes = block.starts[account + 1] - block.starts[account]
    code, rows = places_of(block.starts[account], sizes)
    if known_by is not None:
        seen = block.known_at[rows] <= known_by[code]
        rows, code = rows[seen], code[seen]
    codes, parts = [code], [{name: getattr(block, name)[rows] for name in EVENT_COLUMNS}]
    for kind, amount in payments.items():
        chosen = (amount > 0).nonzero()[0]
        if len(chosen):
            paid = None if amount.dtype == bool else amount[chosen].astype(np.int64)
            detail = block.details.index(details[kind]) if kind in details else -1
            codes.append(chosen)
            parts.append(_events(kind, at[chosen], paid, detail))
    code = np.concatenate(codes)
    by_account = np.argsort(code, kind="stable")
    columns = {
        name: np.concatenate([part[name] for part in parts])[by_account] for name in EVENT_COLUMNS
    }
    starts = np.searchsorted(code[by_account], np.arange(len(account) + 1)).astype(np.int64)
    columns = in_total_order(starts, columns)
    return EventBlock(np.arange(len(account)), starts, details=block.details, **columns)


def _with_detail(block: EventBlock, word: str) -> EventBlock:
    """Return a block that knows a detail; they are sorted, and the places of later ones move up."""
    if word in block.details:
        return block
    place = bisect_left(block.details, word)
    known = (*block.details[:place], word, *block.details[place:])
    return replace(block, details=known, detail=block.detail + (block.detail >= place))


def _events(
    kind: str, at: Ints, amount: Ints | None, detail: int
) -> dict[str, NDArray[np.generic]]:
    """Return the columns of events of one kind, without a value or a loan."""
    none = np.zeros(len(at), bool)
    return {
        "ts": at,
        "known_at": at,
        "kind": np.full(len(at), KINDS.index(kind), np.int8),
        "amount": np.zeros(len(at), np.int64) if amount is None else amount,
        "has_amount": ~none if amount is not None else none,
        "value": np.zeros(len(at), np.int32),
        "has_value": none,
        "loan_id": np.zeros(len(at), np.int64),
        "has_loan_id": none,
        "detail": np.full(len(at), detail, np.int32),
    }
