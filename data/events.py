"""A block of whole accounts' events as flat numpy arrays, in one total order."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ids = NDArray[Any]
"""Account ids: an int64 array, or an object array of strings."""


@dataclass(frozen=True, slots=True)
class EventBlock:
    """The events of whole accounts, sorted by account and `known_at`, ties by content.

    The order within an account is (known_at, ts, kind's place in `KINDS`, loan_id, amount, value,
    detail), so that it doesn't depend on the order in which the rows came.

    Attributes
    ----------
    account_ids
        `[accounts]`, ascending and unique.
    starts
        `[accounts + 1]` int64: account `i` has the events `starts[i]:starts[i + 1]`.
    ts, known_at
        `[events]` int64, microseconds since 1970 in UTC.
    kind
        `[events]` int8, the place in `KINDS`; −1 for a kind that the vocabulary doesn't have.
    amount
        `[events]` int64 fen; 0 where `has_amount` is false.
    value
        `[events]` int32; 0 where `has_value` is false.
    loan_id
        `[events]` int64; 0 where `has_loan_id` is false.
    detail
        `[events]` int32, the place in `details`; −1 where null.
    details
        The distinct details of the block, sorted.
    """

    account_ids: Ids
    starts: NDArray[np.int64]
    ts: NDArray[np.int64]
    known_at: NDArray[np.int64]
    kind: NDArray[np.int8]
    amount: NDArray[np.int64]
    has_amount: NDArray[np.bool_]
    value: NDArray[np.int32]
    has_value: NDArray[np.bool_]
    loan_id: NDArray[np.int64]
    has_loan_id: NDArray[np.bool_]
    detail: NDArray[np.int32]
    details: tuple[str, ...]
