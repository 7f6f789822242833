"""Tables as bytes: Spark then moves few large rows, and not one for each event or decision."""

from collections.abc import Iterable, Iterator
from operator import attrgetter
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.accounts import Ids, account_places
from relimit.data.event_tables import conform_columns
from relimit.data.row_groups import bunched

BUCKET: Final = "bucket"
EVENTS: Final = "events"
PARTED: Final = pa.schema([pa.field(BUCKET, pa.int32()), pa.field(EVENTS, pa.binary())])
"""What `parted` yields."""

GATHERED_ROWS: Final = 500_000
"""Events that are parted together: of fewer come more rows, and more take more than some 100 MB."""


def pack(table: pa.Table) -> bytes:
    """Return a table as bytes."""
    sink = pa.BufferOutputStream()
    options = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.ipc.new_stream(sink, table.schema, options=options) as writer:
        writer.write_table(table.combine_chunks())
    content: bytes = sink.getvalue().to_pybytes()
    return content


def unpack(content: pa.BinaryScalar) -> pa.Table:
    """Return the table that was packed."""
    with pa.ipc.open_stream(content.as_buffer()) as reader:
        return reader.read_all()


def numbered(tables: Iterable[pa.Table], borders: Ids) -> Iterator[pa.Table]:
    """Yield tables of events with their bucket's number: how many borders they are at or beyond.

    Raises
    ------
    DataError
        An `account_id` is null.
    """
    for table in tables:
        ids = conform_columns(table, ["account_id"], where="events")["account_id"]
        yield table.append_column(BUCKET, pa.array(_bucket_of(ids, borders)))


def parted(tables: Iterable[pa.Table]) -> Iterator[pa.RecordBatch]:
    """Yield a row of packed events for each bucket that many events, gathered together, are of.

    Parameters
    ----------
    tables
        Columns of events, and `bucket`.

    Yields
    ------
    pa.RecordBatch
        `PARTED`: of about `GATHERED_ROWS` events, those of each bucket.
    """
    for held in bunched(tables, GATHERED_ROWS, attrgetter("num_rows")):
        events = pa.concat_tables(held)
        if not events.num_rows:
            continue
        parts = _by_bucket(events.drop_columns(BUCKET), events[BUCKET].to_numpy())
        numbers, mine = zip(*parts, strict=True)
        rows: list[Any] = [list(numbers), [pack(_encoded(part)) for part in mine]]
        yield pa.record_batch(rows, schema=PARTED)


def _bucket_of(ids: pa.ChunkedArray, borders: Ids) -> NDArray[np.int64]:
    """Return each row's bucket, `[rows]`: how many of the ascending borders its id is at or beyond.

    No id is null.
    """
    number = pa.types.is_integer(ids.type)
    names, place = (ids.to_numpy(), None) if number else account_places(ids)
    bucket: NDArray[np.int64] = np.searchsorted(borders, names, side="right")
    return bucket if place is None else bucket.take(place)


def _by_bucket(
    table: pa.Table, bucket: NDArray[np.signedinteger[Any]]
) -> Iterator[tuple[int, pa.Table]]:
    """Yield the number and the rows of each bucket that has any, ascending.

    `bucket` is each row's, `[rows]`, from 0; rows of a bucket stay in their order.
    """
    if np.any(bucket[1:] < bucket[:-1]):
        table = table.take(pa.array(np.argsort(bucket, kind="stable")))
    edges = np.concatenate(([0], np.cumsum(np.bincount(bucket))))
    for number in np.flatnonzero(np.diff(edges)):
        yield int(number), table.slice(edges[number], edges[number + 1] - edges[number])


def _encoded(events: pa.Table) -> pa.Table:
    """Return events with each word of `kind` and `detail` once, as the engine wants them."""
    for place, name in enumerate(events.column_names):
        if name in ("kind", "detail"):
            events = events.set_column(place, name, _words_once(events[name]))
    return events


def _words_once(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column of words with a dictionary that is no longer than itself.

    That of a whole row group would otherwise go with every few rows of it.
    """
    if pa.types.is_dictionary(column.type):
        if all(len(chunk.dictionary) <= len(chunk) for chunk in column.chunks):
            return column
        column = column.cast(pa.string())
    return column.dictionary_encode()
