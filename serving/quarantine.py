"""Prepayments that can't be decided: kept with their reason, counted, never dropped."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import DataError, Prepayments
from relimit.data.events import EventBlock
from relimit.data.rules import LEDGER
from relimit.data.schema import TIME
from relimit.data.times import microseconds
from relimit.data.vocabulary import DRAW, KINDS, PREPAYMENT, REPAYMENT

MOST_FEN: Final = 10**15
"""Ten trillion yuan: an amount beyond it is a fault, and sums of many such would overflow."""

EARLIEST: Final = microseconds(datetime(2, 1, 1, tzinfo=UTC))
LATEST: Final = microseconds(datetime(9000, 1, 1, tzinfo=UTC))
"""A time beyond these is a fault, such as nanoseconds taken for microseconds."""

NO_EVENTS: Final = "the account has no events"
NO_AMOUNT: Final = "an event of the account's ledger has no amount"
NEGATIVE_AMOUNT: Final = "an event of the account's ledger has a negative amount"
ABSURD_AMOUNT: Final = "an event of the account's ledger has an amount above ten trillion yuan"
REPEATED: Final = "an event of the account's ledger was delivered twice"
NO_DATE: Final = "the prepayment's time is not in the years 2 to 8999"


def _among(kinds: Iterable[str]) -> NDArray[np.bool_]:
    """Return by place which kinds are meant; the last is of kinds unknown, whose place is -1."""
    chosen = np.zeros(len(KINDS) + 1, np.bool_)
    chosen[[KINDS.index(kind) for kind in kinds]] = True
    return chosen


_IN_LEDGER: Final = _among(LEDGER)
_REPEATS_WITH_LOAN: Final = _among((DRAW, REPAYMENT))


def quarantine_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of the quarantine, money in fen, `account_id` int64 unless said.

    Of an event that lacks its account, time or kind, what isn't known is null.
    """
    return pa.schema(
        [
            pa.field("decision_id", pa.string()),
            pa.field("account_id", account_id or pa.int64()),
            pa.field("as_of", TIME),
            pa.field("prepaid", pa.int64()),
            pa.field("reason", pa.string(), nullable=False),
        ]
    )


def undecidable(block: EventBlock, prepayments: Prepayments) -> NDArray[np.object_]:
    """Return `[n]` reasons why a prepayment can't be decided; None where it can.

    Only what was known at the prepayment counts, so that a later fault changes nothing.
    """
    reasons = np.full(len(prepayments.account), None, dtype=object)
    for fault, reason in _faults(block):
        rows = fault.nonzero()[0]
        if rows.size:
            account = np.searchsorted(block.starts, rows, side="right") - 1
            reasons[known_by_then(account, block.known_at[rows], prepayments)] = reason
    reasons[(prepayments.as_of < EARLIEST) | (prepayments.as_of >= LATEST)] = NO_DATE
    return reasons


def _faults(block: EventBlock) -> Iterator[tuple[NDArray[np.bool_], str]]:
    """Yield which events have each fault, a fault that outweighs the others last."""
    yield _repeated(block), REPEATED
    amount = block.amount
    wrong = (amount > MOST_FEN) | (amount < 0) | ~block.has_amount
    wrong &= _IN_LEDGER.take(block.kind)
    if wrong.any():
        yield wrong & (amount > MOST_FEN), ABSURD_AMOUNT
        yield wrong & (amount < 0), NEGATIVE_AMOUNT
        yield wrong & ~block.has_amount, NO_AMOUNT


def known_by_then(
    account: NDArray[np.int64], known_at: NDArray[np.int64], prepayments: Prepayments
) -> NDArray[np.bool_]:
    """Return `[n]` which prepayments were made once one of some events of the account was known.

    Parameters
    ----------
    account, known_at
        `[events]`: the place of each one's account, as in `prepayments`, and microseconds UTC.
    """
    accounts = int(max(account.max(initial=-1), prepayments.account.max(initial=-1))) + 1
    first = np.full(accounts, np.iinfo(np.int64).max)
    np.minimum.at(first, account, known_at)
    known: NDArray[np.bool_] = first[prepayments.account] <= prepayments.as_of
    return known


def _repeated(block: EventBlock) -> NDArray[np.bool_]:
    """Return which events are the same as the one before, to the last column.

    Two prepayments of one instant, or two events of one loan, are a delivery that came twice; two
    purchases of one day may be just that where a log has neither times nor loans.
    """
    suspects = _REPEATS_WITH_LOAN.take(block.kind) & block.has_loan_id
    suspects |= block.kind == KINDS.index(PREPAYMENT)
    same = suspects[1:] & suspects[:-1]
    columns: tuple[NDArray[Any], ...] = (
        block.known_at,
        block.ts,
        block.kind,
        block.loan_id,
        block.has_loan_id,
        block.amount,
        block.has_amount,
        block.value,
        block.has_value,
        block.detail,
    )
    for column in columns:
        if not same.any():
            return np.zeros(len(suspects), np.bool_)
        same &= column[1:] == column[:-1]
    repeated = np.append(False, same)
    starts = block.starts[:-1]
    repeated[starts[starts < len(repeated)]] = False
    return repeated


def require_bearable(
    reasons: Mapping[str, int], prepayments: int, share: float, keep: Callable[[], Path]
) -> None:
    """Raise DataError if more than a share of the prepayments is quarantined.

    The share is rounded up to a whole prepayment, so that one fault doesn't stop a small night,
    but 0 allows none.

    Parameters
    ----------
    reasons
        How many are quarantined for each reason.
    prepayments
        How many there are.
    share
        From 0 to 1.
    keep
        Saves the quarantine of the run that fails, and returns where it is.
    """
    count = sum(reasons.values())
    allowed = math.ceil(Fraction(str(share)) * prepayments)
    if count <= allowed:
        return
    told = "; ".join(f"{reason} ({reasons[reason]:,})" for reason in sorted(reasons))
    raise DataError(
        f"{count:,} of {prepayments:,} prepayments ({count / prepayments:.2%}) can't be decided, "
        f"{allowed:,} are allowed: {told}",
        where=str(keep()),
        mend="Mend these accounts' events, or allow more with --max-quarantine",
    )
