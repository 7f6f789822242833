"""Prepayments that can't be decided: kept with their reason, counted, never dropped."""

from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import Prepayments
from relimit.data.events import EventBlock
from relimit.data.schema import TIME
from relimit.data.vocabulary import (
    CHARGE_OFF,
    DRAW,
    INTEREST,
    INTEREST_PAYMENT,
    KINDS,
    LIMIT,
    PREPAYMENT,
    REPAYMENT,
)

LEDGER_KINDS: Final = (
    LIMIT,
    DRAW,
    REPAYMENT,
    PREPAYMENT,
    INTEREST,
    INTEREST_PAYMENT,
    CHARGE_OFF,
)
"""The events without whose amounts an account's balance is a guess."""

NO_EVENTS: Final = "the account has no events"
NO_AMOUNT: Final = "an event of the account's ledger has no amount"
NEGATIVE_AMOUNT: Final = "an event of the account's ledger has a negative amount"


def quarantine_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of the quarantine, money in fen, `account_id` int64 unless said."""
    return pa.schema(
        [
            pa.field("decision_id", pa.string(), nullable=False),
            pa.field("account_id", account_id or pa.int64(), nullable=False),
            pa.field("as_of", TIME, nullable=False),
            pa.field("prepaid", pa.int64(), nullable=False),
            pa.field("reason", pa.string(), nullable=False),
        ]
    )


def undecidable(block: EventBlock, prepayments: Prepayments) -> NDArray[np.object_]:
    """Return `[n]` reasons why a prepayment can't be decided; None where it can.

    Only what was known at the prepayment counts, so that a later fault changes nothing.
    """
    ledger = np.isin(block.kind, [KINDS.index(kind) for kind in LEDGER_KINDS])
    reasons = np.full(len(prepayments.account), None, dtype=object)
    for fault, reason in (
        (ledger & (block.amount < 0), NEGATIVE_AMOUNT),
        (ledger & ~block.has_amount, NO_AMOUNT),
    ):
        rows = np.flatnonzero(fault)
        if rows.size:
            first = np.full(len(block.account_ids), np.iinfo(np.int64).max)
            account = np.searchsorted(block.starts, rows, side="right") - 1
            np.minimum.at(first, account, block.known_at[rows])
            reasons[first[prepayments.account] <= prepayments.as_of] = reason
    return reasons
