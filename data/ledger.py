"""What a block's ledger says: outstanding principal, the limit, and what a prepayment frees."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.events import EventBlock
from relimit.data.segments import first_after
from relimit.data.vocabulary import CHARGE_OFF, DRAW, KINDS, LIMIT, PREPAYMENT, REPAYMENT


def account_of(block: EventBlock) -> NDArray[np.int64]:
    """Return each event's place in the block's `account_ids`."""
    return np.repeat(np.arange(len(block.account_ids)), np.diff(block.starts))


def freed_limit(
    block: EventBlock,
    account: NDArray[np.int64],
    as_of: NDArray[np.int64],
    prepaid: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Return how much limit a prepayment frees, by what the lender knows at `as_of`.

    It is `min(prepaid, owed, max(0, limit - outstanding))`: `owed` is the principal before the
    prepayment, left out where the events show none (a history cut short), and the limit is the
    latest known, left out where none is. Outstanding is
    `max(0, draws - repayments - prepayments - charge-offs)`. Never below 0.

    Parameters
    ----------
    account
        `[n]`, the place in the block's `account_ids`.
    as_of, prepaid
        `[n]` int64, microseconds UTC and fen.

    Returns
    -------
    `[n]` int64 fen.
    """
    low, high = block.starts[account], block.starts[account + 1]
    visible = first_after(block.known_at, low, high, as_of)
    balance = np.concatenate(([0], np.cumsum(principal_movements(block))))
    left = balance[visible] - balance[low]
    owed = left + prepaid
    freed = np.maximum(np.where(owed > 0, np.minimum(prepaid, owed), prepaid), 0)
    limit, known = latest_limit(block, low, visible)
    room = np.maximum(0, limit - np.maximum(0, left))
    return np.where(known, np.minimum(freed, room), freed)


def principal_movements(block: EventBlock) -> NDArray[np.int64]:
    """Return what each event adds to the outstanding principal, `[events]` fen."""
    signs: NDArray[np.int64] = _SIGNS.take(block.kind)
    return block.amount * signs


def _signs() -> NDArray[np.int64]:
    """Return the sign of each kind's amount; the last is of kinds unknown, whose place is -1."""
    signs = np.zeros(len(KINDS) + 1, np.int64)
    signs[KINDS.index(DRAW)] = 1
    signs[[KINDS.index(kind) for kind in (REPAYMENT, PREPAYMENT, CHARGE_OFF)]] = -1
    return signs


_SIGNS: Final = _signs()


def latest_limit(
    block: EventBlock, low: NDArray[np.int64], high: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return the last limit among the events `low:high`, fen, and whether there is one."""
    limits = ((block.kind == KINDS.index(LIMIT)) & block.has_amount).nonzero()[0]
    before = np.searchsorted(limits, high) - 1
    place = np.append(limits, -1)[before]
    known = place >= low
    return np.where(known, block.amount[place], 0), known
