"""A block of whole accounts' events as flat numpy arrays, in one total order."""

from collections.abc import Sized
from dataclasses import dataclass, fields
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.accounts import Ids, group_by_account
from relimit.data.columns import encode, numbers, plain_words
from relimit.data.event_tables import conform_events
from relimit.data.total_order import in_total_order
from relimit.data.vocabulary import PLACE

_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class EventBlock:
    """The events of whole accounts, sorted by account and `known_at`, ties by content.

    The order within an account is (known_at, ts, kind's place in `KINDS`, loan_id, amount, value,
    detail), nulls first, so that it doesn't depend on the order in which the rows came.

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


EVENT_COLUMNS: Final = tuple(
    field.name
    for field in fields(EventBlock)
    if field.name not in {"account_ids", "starts", "details"}
)
"""The attributes of a block that have a value for each event."""


def blocks_from_table(events: pa.Table) -> EventBlock:
    """Return the events of a table, whose rows may come in any order, as one block.

    Identical rows stay: whether a log repeats its deliveries is the check's business, not the
    engine's. Columns beyond the contract are left out.

    Parameters
    ----------
    events
        The columns of `events_schema`; `known_at` (null or absent: equal to `ts`), `value`,
        `loan_id` and `detail` may be absent, and those and `amount` of Arrow type null.

    Raises
    ------
    DataError
        A column is missing or can't be cast losslessly, or an id, `ts` or `kind` is null.
    """
    detail = "detail" in events.column_names
    events = conform_events(events, where="events", detail=detail)
    account_ids, starts, by_account = group_by_account(events["account_id"])
    if by_account is not None:
        events = events.take(pa.array(by_account))
    columns = _event_columns(events)
    details, columns["detail"] = _details(events["detail"]) if detail else _no_details(events)
    return EventBlock(account_ids, starts, details=details, **in_total_order(starts, columns))


def _event_columns(events: pa.Table) -> dict[str, NDArray[Any]]:
    ts = _times(events["ts"])
    columns: dict[str, NDArray[Any]] = {"ts": ts, "known_at": _known_at(events["known_at"], ts)}
    words, code = encode(events["kind"])
    places = np.array([PLACE.get(word, -1) for word in plain_words(words)] or [-1], dtype=np.int8)
    columns["kind"] = _translated(places, code)
    for name, kind in (("amount", np.int64), ("value", np.int32), ("loan_id", np.int64)):
        columns[name], columns[f"has_{name}"] = numbers(events[name], kind)
    return columns


def _translated(places: NDArray[np.int8], code: NDArray[Any]) -> NDArray[np.int8]:
    """Return `places[code]`; as bytes, if there are few, in two thirds of the time."""
    if len(places) >= _BYTES:
        return places.take(code)
    table = places.tobytes().ljust(_BYTES, b"\xff")  # a code of -1 stays one
    return np.frombuffer(bytearray(code.astype(np.uint8)).translate(table), np.int8)


def _times(column: pa.ChunkedArray) -> NDArray[np.int64]:
    microseconds: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return microseconds


def _known_at(column: pa.ChunkedArray, ts: NDArray[np.int64]) -> NDArray[np.int64]:
    if column.null_count == 0:
        return _times(column)
    if column.null_count == len(column):
        return ts
    valid = column.is_valid().to_numpy()
    return np.where(valid, _times(pc.fill_null(column, pa.scalar(0, column.type))), ts)


def _no_details(rows: Sized) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    return (), np.full(len(rows), -1, np.int32)


def _details(column: pa.ChunkedArray) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the distinct details, sorted, and each row's place among them; −1 for null.

    A slice of a row group brings the dictionary of the whole group: only its own words are read.
    """
    if column.null_count == len(column):
        return _no_details(column)
    words, code = encode(column)
    seen = np.zeros(len(words) + 1, np.bool_)
    seen[code] = True
    used = np.flatnonzero(seen[:-1])
    mine = plain_words(words.take(pa.array(used)))
    ordered = sorted(set(mine))
    place = {word: number for number, word in enumerate(ordered)}
    places = np.full(len(words) + 1, -1, dtype=np.int32)
    places[used] = [place[word] for word in mine]
    return tuple(ordered), places.take(code)
