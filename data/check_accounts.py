"""Checks of whole accounts: repeated rows, repayments of more than is owed, no limit."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relimit.data.events import EventBlock
from relimit.data.findings import WARNING, Finding, Tally
from relimit.data.ledger import account_of, principal_movements
from relimit.data.stream import iter_event_blocks
from relimit.data.vocabulary import DRAW, KINDS, LIMIT, PREPAYMENT

Mask = NDArray[np.bool_]


def check_accounts(events: Path, tally: Tally) -> None:
    """Stream whole accounts past and count what is strange in them; all of it is a warning.

    Raises
    ------
    DataError
        The events can't be streamed: mend the rows first.
    """
    for block in iter_event_blocks(events):
        _count(tally, block, events)


def _count(tally: Tally, block: EventBlock, events: Path) -> None:
    """Add what is strange in one block."""
    account = account_of(block)
    for code, column, message, mend, mask in (
        (
            "repeated_rows",
            "",
            "{count} of {rows} rows repeat another in every column",
            "Deliver each event once, or tell repeated ones apart by loan_id or detail",
            repeated(block, account),
        ),
        (
            "prepaid_more_than_owed",
            "amount",
            "{count} prepayments are larger than what the draws before them left to repay",
            "Check that draws are complete; nothing to do where histories were cut off",
            more_than_owed(block, account),
        ),
        (
            "no_limit",
            "kind",
            "{count} accounts have no limit event: all that they prepay counts as freed",
            "Add a limit event at the opening of each account",
            without_limit(block, account),
        ),
    ):
        count = int(np.count_nonzero(mask))
        tally.add(Finding(WARNING, code, column, count, str(events), None, message, mend))


def repeated(block: EventBlock, account: NDArray[np.int64]) -> Mask:
    """Return which events equal the one before in every column, kinds unknown to us left out.

    The block's order is total, so rows that are equal stand together.
    """
    columns = (account, block.ts, block.known_at, block.kind, block.amount, block.value)
    masks = (block.has_amount, block.has_value, block.has_loan_id, block.loan_id, block.detail)
    same = block.kind >= 0
    same[:1] = False
    for column in (*columns, *masks):
        same[1:] &= column[1:] == column[:-1]
    return same


def more_than_owed(block: EventBlock, account: NDArray[np.int64]) -> Mask:
    """Return which prepayments exceed the principal outstanding before them, in the order of `ts`.

    Draws of the same instant come first: lenders book them before what repays them.
    """
    draw, prepayment = (block.kind == KINDS.index(kind) for kind in (DRAW, PREPAYMENT))
    order = np.lexsort((~draw, block.ts, account))
    moved = principal_movements(block)[order]
    balance = np.cumsum(moved) - moved
    opening = balance[block.starts[:-1]]
    owed = np.maximum(0, balance - np.repeat(opening, np.diff(block.starts)))
    over = np.empty(len(order), bool)
    over[order] = owed < block.amount[order]
    found: Mask = over & prepayment
    return found


def without_limit(block: EventBlock, account: NDArray[np.int64]) -> Mask:
    """Return which accounts of the block never have a limit event."""
    limits = account[block.kind == KINDS.index(LIMIT)]
    return np.equal(np.bincount(limits, minlength=len(block.account_ids)), 0)
