"""A block of whole accounts' events as flat numpy arrays, in one total order."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.errors import DataError
from relimit.data.schema import TIME
from relimit.data.vocabulary import KINDS

Ids = NDArray[Any]
"""Account ids: an int64 array, or an object array of strings."""

REQUIRED: Final = ("account_id", "ts", "kind")
OPTIONAL: Final = ("known_at", "amount", "value", "loan_id", "detail")
COLUMNS: Final = REQUIRED + OPTIONAL
_PLACE: Final = {kind: place for place, kind in enumerate(KINDS)}


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


def blocks_from_table(events: pa.Table) -> EventBlock:
    """Return the events of a table, whose rows may come in any order, as one block.

    Identical rows stay: whether a log repeats its deliveries is the check's business, not the
    engine's. Columns beyond the contract are left out.

    Parameters
    ----------
    events
        The columns of `events_schema`; `known_at` (null or absent: equal to `ts`), `amount`,
        `value`, `loan_id` and `detail` may be absent or of Arrow type null.

    Raises
    ------
    DataError
        A column is missing or has the wrong type, or an id, `ts` or `kind` is null.
    """
    check_columns(events.schema)
    for name in REQUIRED:
        _refuse_nulls(name, events[name])
    account_ids, code = account_places(events["account_id"])
    columns = _event_columns(events)
    details, columns["detail"] = _details(events)
    order = _total_order(code, columns)
    if order is not None:
        code = code[order]
        columns = {name: column[order] for name, column in columns.items()}
    starts = np.searchsorted(code, np.arange(len(account_ids) + 1))
    return EventBlock(account_ids, starts.astype(np.int64), details=details, **columns)


def check_columns(schema: pa.Schema, where: str = "events") -> None:
    """Raise `DataError` unless a schema has the columns of events, in types that need no guess."""
    for name in REQUIRED:
        if name not in schema.names:
            raise DataError(
                f"column {name} is missing", where=where, mend=f"It has {', '.join(schema.names)}"
            )
    for name in COLUMNS:
        if name in schema.names and not _fits(name, schema.field(name).type):
            raise DataError(
                f"column {name} is {schema.field(name).type}",
                where=where,
                mend=f"It should be {_WANTED[name]}",
            )


_WANTED: Final = {
    "account_id": "int64 or string",
    "ts": "a timestamp with a time zone",
    "known_at": "a timestamp with a time zone",
    "kind": "a string or a dictionary of strings",
    "amount": "int64 fen",
    "value": "int32",
    "loan_id": "int64",
    "detail": "a string or a dictionary of strings",
}


def _fits(name: str, kind: pa.DataType) -> bool:
    if name in OPTIONAL and pa.types.is_null(kind):
        return True
    if name == "account_id":
        return bool(pa.types.is_integer(kind)) or _is_word(kind)
    if name in ("ts", "known_at"):
        return bool(pa.types.is_timestamp(kind)) and kind.tz is not None
    if name in ("kind", "detail"):
        return _is_word(kind)
    return bool(pa.types.is_integer(kind))


def _is_word(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def account_places(ids: pa.ChunkedArray) -> tuple[Ids, NDArray[np.int64]]:
    """Return the distinct ids of a column, ascending, and each row's place among them.

    Raises
    ------
    DataError
        The ids are neither whole numbers nor strings, or some are null.
    """
    if not _fits("account_id", ids.type):
        raise DataError(
            f"column account_id is {ids.type}", mend=f"It should be {_WANTED['account_id']}"
        )
    _refuse_nulls("account_id", ids)
    if pa.types.is_integer(ids.type):
        numbers = ids.to_numpy().astype(np.int64, copy=False)
        step = np.diff(numbers)
        if (step >= 0).all():
            first = np.concatenate(([True], step != 0))[: len(numbers)]
            return numbers[first], np.cumsum(first, dtype=np.int64) - 1
        return np.unique(numbers, return_inverse=True)
    words, code = _encode(ids)
    names = np.array(words, dtype=object)
    used = np.unique(code)
    order = used[np.argsort(names[used])]
    place = np.zeros(len(names), np.int64)
    place[order] = np.arange(len(order))
    return names[order], place[code]


def _refuse_nulls(name: str, column: pa.ChunkedArray) -> None:
    if column.null_count:
        raise DataError(
            f"column {name} is null in {column.null_count:,} of {len(column):,} rows",
            mend="Give each row its account, time and kind",
        )


def _encode(column: pa.ChunkedArray) -> tuple[list[str], NDArray[np.int64]]:
    """Return a string column's dictionary and its codes; −1 for null."""
    whole = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if isinstance(whole, pa.ChunkedArray):
        whole = pa.concat_arrays(whole.chunks) if whole.num_chunks else pa.array([], whole.type)
    if not pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_encode()
    code = whole.indices
    if code.null_count:
        code = pc.fill_null(code.cast(pa.int64()), -1)
    return whole.dictionary.to_pylist(), code.to_numpy().astype(np.int64, copy=False)


def _event_columns(events: pa.Table) -> dict[str, NDArray[Any]]:
    ts = _times(events["ts"])
    columns: dict[str, NDArray[Any]] = {"ts": ts, "known_at": ts}
    if "known_at" in events.column_names:
        columns["known_at"] = _known_at(events["known_at"], ts)
    words, code = _encode(events["kind"])
    places = np.array([_PLACE.get(word, -1) for word in words] or [-1], dtype=np.int8)
    columns["kind"] = places[code]
    for name, kind in (("amount", np.int64), ("value", np.int32), ("loan_id", np.int64)):
        columns[name], columns[f"has_{name}"] = _numbers(events, name, kind)
    return columns


def _times(column: pa.ChunkedArray) -> NDArray[np.int64]:
    if column.type != TIME:
        try:
            column = column.cast(TIME)
        except pa.ArrowInvalid as error:
            raise DataError(
                f"a time of type {column.type} is not in whole microseconds",
                mend="Round the times to microseconds",
            ) from error
    microseconds: NDArray[np.int64] = column.cast(pa.int64()).to_numpy()
    return microseconds


def _known_at(column: pa.ChunkedArray, ts: NDArray[np.int64]) -> NDArray[np.int64]:
    if column.null_count == len(column):
        return ts
    valid = column.is_valid().to_numpy()
    return np.where(valid, _times(pc.fill_null(column, pa.scalar(0, column.type))), ts)


def _numbers(events: pa.Table, name: str, kind: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a nullable integer column as numbers, 0 where null, and where it is not null."""
    size = events.num_rows
    column = events[name] if name in events.column_names else None
    if column is None or column.null_count == size:
        return np.zeros(size, kind), np.zeros(size, np.bool_)
    if column.null_count == 0:
        return column.to_numpy().astype(kind, copy=False), np.ones(size, np.bool_)
    filled = pc.fill_null(column, 0).to_numpy().astype(kind, copy=False)
    return filled, column.is_valid().to_numpy()


def _details(events: pa.Table) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """Return the distinct details, sorted, and each row's place among them; −1 for null."""
    if "detail" not in events.column_names or pa.types.is_null(events["detail"].type):
        return (), np.full(events.num_rows, -1, np.int32)
    words, code = _encode(events["detail"])
    used = np.bincount(code + 1, minlength=len(words) + 1)[1:] > 0
    ordered = sorted({words[number] for number in np.flatnonzero(used)})
    place = {word: number for number, word in enumerate(ordered)}
    places = np.array([*(place.get(word, -1) for word in words), -1], dtype=np.int32)
    return tuple(ordered), places[code]


def _total_order(
    code: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> NDArray[np.int64] | None:
    """Return the permutation that sorts the rows; None if they are sorted already."""
    known_at = columns["known_at"]
    order = None
    if not _ascending(code, known_at):
        order = np.lexsort((known_at, code))
        code, known_at = code[order], known_at[order]
    tie = (code[1:] == code[:-1]) & (known_at[1:] == known_at[:-1])
    if not tie.any():
        return order
    rows = np.flatnonzero(np.append(tie, False) | np.insert(tie, 0, False))
    group = np.cumsum(np.insert(~tie, 0, False))[rows]
    source = rows if order is None else order[rows]
    if _ties_in_order(group, columns["ts"][source], columns["kind"][source]):
        return order
    if order is None:
        order = np.arange(len(code))
    content = ("detail", "value", "has_value", "amount", "has_amount", "loan_id", "has_loan_id")
    keys = [columns[name][source] for name in (*content, "kind", "ts")]
    order[rows] = source[np.lexsort((*keys, group))]
    return order


def _ascending(code: NDArray[np.int64], known_at: NDArray[np.int64]) -> bool:
    step = np.diff(code)
    return bool(((step > 0) | ((step == 0) & (np.diff(known_at) >= 0))).all())


def _ties_in_order(group: NDArray[np.int64], ts: NDArray[np.int64], kind: NDArray[np.int8]) -> bool:
    """Return whether time and kind alone already order the rows of each group."""
    step, later = np.diff(group), np.diff(ts)
    return bool(((step > 0) | (later > 0) | ((later == 0) & (kind[1:] > kind[:-1]))).all())
