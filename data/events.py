"""A block of whole accounts' events as flat numpy arrays, in one total order."""

from collections.abc import Sequence, Sized
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.contract import check_columns
from relimit.data.errors import DataError
from relimit.data.schema import events_schema
from relimit.data.tables import conform
from relimit.data.vocabulary import PLACE

Ids = NDArray[Any]
"""Account ids: an int64 array, or an object array of strings."""

_CONTENT: Final = (
    "detail",
    "value",
    "has_value",
    "amount",
    "has_amount",
    "loan_id",
    "has_loan_id",
)
"""What sorts events of one kind at one time, the last first."""

_BYTES: Final = 256

FEW_ROWS: Final = 256
"""Up to so many rows are sorted by every column at once."""


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


def conform_events(
    events: pa.Table, *, where: str, lenient: bool = False, detail: bool = True
) -> pa.Table:
    """Return the columns of events in the types that blocks are made from.

    They are those of `events_schema`, but with room for as many words as a file may have.

    Parameters
    ----------
    lenient
        Let events without `ts` or `kind` pass, for `split_unusable`.
    detail
        False leaves `detail` out, for whoever doesn't look at it: to write nulls costs time.

    Raises
    ------
    DataError
        As in `blocks_from_table`.
    """
    contract, known = events_schema(), _BLOCK_SCHEMAS[lenient, detail]
    if any(events.schema.equals(schema) for schema in known.values()):
        return events
    check_columns(events.schema, contract, table="events", where=where, rows=events.num_rows)
    words = not pa.types.is_integer(events.schema.field("account_id").type)
    return conform(events, known[words], where=where)


def conform_columns(
    events: pa.Table, names: Sequence[str], *, where: str, lenient: bool = False
) -> pa.Table:
    """Return some columns of events as `conform_events` has them; one that is absent is null.

    Raises
    ------
    DataError
        As in `blocks_from_table`.
    """
    words = not pa.types.is_integer(events.schema.field("account_id").type)
    fields = [_BLOCK_SCHEMAS[lenient, True][words].field(name) for name in names]
    return conform(events, pa.schema(fields), where=where)


def block_schema(*, text_ids: bool, lenient: bool, detail: bool = True) -> pa.Schema:
    """Return the schema of what `conform_events` returns."""
    return _BLOCK_SCHEMAS[lenient, detail][text_ids]


def _block_schema(account_id: pa.DataType, *, lenient: bool, detail: bool) -> pa.Schema:
    schema = events_schema(account_id)
    for name in ("ts", "kind") if lenient else ():
        place = schema.get_field_index(name)
        schema = schema.set(place, schema.field(place).with_nullable(True))
    for name in ("kind", "detail"):
        place = schema.get_field_index(name)
        wide = pa.dictionary(pa.int32(), pa.string())
        schema = schema.set(place, schema.field(place).with_type(wide))
    return schema if detail else schema.remove(schema.get_field_index("detail"))


_BLOCK_SCHEMAS: Final = {
    (lenient, detail): {
        words: _block_schema(pa.string() if words else pa.int64(), lenient=lenient, detail=detail)
        for words in (False, True)
    }
    for lenient in (False, True)
    for detail in (False, True)
}
"""By whether events without `ts` or `kind` pass, whether `detail` does, and whether ids are words.
"""


def group_by_account(
    ids: pa.ChunkedArray,
) -> tuple[Ids, NDArray[np.int64], NDArray[np.int64] | None]:
    """Return the distinct ids, ascending, where each begins once sorted, and what sorts the rows.

    The first `[accounts]`, the second `[accounts + 1]`, the last a stable order of the rows, None
    if they ascend already.
    """
    if (runs := _runs(ids)) is not None:
        return *runs, None
    distinct, place = account_places(ids)
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place, minlength=len(distinct))
    return distinct, np.concatenate(([0], np.cumsum(counts))), order


def _runs(ids: pa.ChunkedArray) -> tuple[Ids, NDArray[np.int64]] | None:
    """Return the distinct ids of an ascending column and `[accounts + 1]` where each begins.

    None if the column does not ascend.
    """
    words = None if pa.types.is_integer(ids.type) else encode(ids)
    code = ids.to_numpy() if words is None else words[1]
    starts = np.concatenate(([0], np.flatnonzero(code[1:] != code[:-1]) + 1, [len(code)]))
    if len(code) == 0:
        starts = starts[:1]
    heads: Ids = code[starts[:-1]]
    if words is not None:
        heads = np.array(_text(words[0].take(pa.array(heads))), dtype=object)
    if not np.all(heads[1:] > heads[:-1]):
        return None
    return heads, starts.astype(np.int64)


def account_places(ids: pa.ChunkedArray) -> tuple[Ids, NDArray[np.int64]]:
    """Return the distinct ids of a column, ascending, and each row's place among them."""
    if pa.types.is_integer(ids.type):
        numbers = ids.to_numpy().astype(np.int64, copy=False)
        return np.unique(numbers, return_inverse=True)
    words, code = encode(ids)
    used = np.unique(code)
    names = np.array(_text(words.take(pa.array(used))), dtype=object)
    order = np.argsort(names)
    place = np.zeros(len(words), np.int64)
    place[used[order]] = np.arange(len(order))
    return names[order], place.take(code)


def encode(column: pa.ChunkedArray) -> tuple[pa.Array, NDArray[np.signedinteger[Any]]]:
    """Return a string column's dictionary and its codes, as narrow as they came; −1 for null."""
    whole = one_chunk(column)
    if not pa.types.is_dictionary(whole.type):
        whole = whole.dictionary_encode()
    code = whole.indices
    if code.null_count:
        code = pc.fill_null(code, -1)
    return whole.dictionary, code.to_numpy()


def _text(words: pa.Array) -> list[str]:
    """Return words as Python has them.

    Raises
    ------
    DataError
        They are not UTF-8: Arrow doesn't look as it reads them.
    """
    try:
        found: list[str] = words.to_pylist()
    except UnicodeDecodeError as error:
        mend = "Write account_id, kind and detail as UTF-8"
        raise DataError(f"text that is not UTF-8 ({error})", where="events", mend=mend) from error
    return found


def _event_columns(events: pa.Table) -> dict[str, NDArray[Any]]:
    ts = _times(events["ts"])
    columns: dict[str, NDArray[Any]] = {"ts": ts, "known_at": _known_at(events["known_at"], ts)}
    words, code = encode(events["kind"])
    places = np.array([PLACE.get(word, -1) for word in _text(words)] or [-1], dtype=np.int8)
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


def numbers(column: pa.ChunkedArray, kind: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return a nullable integer column as numbers, 0 where null, and where it is not null."""
    size = len(column)
    if column.null_count == size:
        return np.zeros(size, kind), np.zeros(size, np.bool_)
    if column.null_count == 0:
        return column.to_numpy(), np.ones(size, np.bool_)
    whole = one_chunk(column)
    flags, numbers = (np.frombuffer(buffer, np.uint8) for buffer in whole.buffers())
    end = whole.offset + size
    there = np.unpackbits(flags, count=end, bitorder="little").view(np.bool_)[whole.offset :]
    return numbers.view(kind)[whole.offset : end] * there, there


def one_chunk(column: pa.ChunkedArray) -> pa.Array:
    """Return a column as one array, copied only if it comes in several."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


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
    mine = _text(words.take(pa.array(used)))
    ordered = sorted(set(mine))
    place = {word: number for number, word in enumerate(ordered)}
    places = np.full(len(words) + 1, -1, dtype=np.int32)
    places[used] = [place[word] for word in mine]
    return tuple(ordered), places.take(code)


def in_total_order(
    starts: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return the columns of whole accounts with each account's rows in the total order."""
    order = _total_order(starts, columns)
    if order is None:
        return columns
    return {name: column.take(order) for name, column in columns.items()}


def _total_order(
    starts: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> NDArray[np.int64] | None:
    """Return the permutation that sorts each account's rows; None if they are sorted already."""
    known_at = columns["known_at"]
    if len(known_at) <= FEW_ROWS:
        return _order_of_few(starts, columns)
    order = None
    inner = starts[1:-1] - 1
    later = known_at[1:] > known_at[:-1]
    later[inner] = True
    if later.all():
        return None
    alike = np.flatnonzero(~later)
    if (known_at[alike + 1] < known_at[alike]).any():
        order = np.lexsort((known_at, np.repeat(np.arange(len(starts) - 1), np.diff(starts))))
        known_at = known_at[order]
    tie = known_at[1:] == known_at[:-1]
    tie[inner] = False
    if not tie.any():
        return order
    rows = np.flatnonzero(np.append(tie, False) | np.insert(tie, 0, False))
    group = np.cumsum(np.insert(~tie, 0, False))[rows]
    source = rows if order is None else order[rows]
    sorted_ = _ties_sorted(group, source, columns)
    if np.array_equal(sorted_, source):
        return order
    if order is None:
        order = np.arange(len(known_at))
    order[rows] = sorted_
    return order


def _order_of_few(
    starts: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> NDArray[np.int64] | None:
    """Return the same by every column at once: for few rows, calls cost more than their work."""
    account = np.repeat(np.arange(len(starts) - 1), starts[1:] - starts[:-1])
    keys = (columns[name] for name in (*_CONTENT, "kind", "ts", "known_at"))
    order = np.lexsort((*keys, account))
    return None if (order[1:] > order[:-1]).all() else order


def _ties_sorted(
    group: NDArray[np.int64], source: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> NDArray[np.int64]:
    """Return the rows `source` with each group sorted by time and kind, and then by all else.

    Few rows are alike in time and kind: the other columns, which cost ten times as much, are
    sorted for those alone.
    """
    source = source[np.lexsort((columns["kind"][source], columns["ts"][source], group))]
    alike = np.diff(group) == 0
    for name in ("ts", "kind"):
        alike &= np.diff(columns[name][source]) == 0
    twins = np.flatnonzero(np.append(alike, False) | np.insert(alike, 0, False))
    run = np.cumsum(np.insert(~alike, 0, False))[twins]
    mine = source[twins]
    source[twins] = mine[np.lexsort((*(columns[name][mine] for name in _CONTENT), run))]
    return source
