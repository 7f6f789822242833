"""Events in no order, parted by account into files small enough to be sorted one by one."""

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.accounts import account_places
from relimit.data.borders import Borders
from relimit.data.buckets import Buckets, Content, Parted
from relimit.data.errors import unless_refused
from relimit.data.event_numbers import (
    Vocabulary,
    events_of,
    has,
    numbers_of,
    text_of,
    texts_of,
)
from relimit.data.event_tables import block_schema
from relimit.data.layout import Layout, Layouts, Words
from relimit.data.overlap import Workers, in_order_of, made_ahead, read_ahead
from relimit.data.row_groups import Lot, RowGroup, lots_of
from relimit.data.schema import events_schema
from relimit.data.unusable import conform_read

BUCKET_ROWS: Final = 500_000
"""Rows aimed at in a bucket: what two sorts can hold beside the reader in half a gigabyte."""

_COLUMNS: Final = tuple(events_schema().names)
_BATCH_ROWS: Final = 131_072
_ROOM: Final = (
    "Make room there, set TMPDIR to a disk with room for a copy of the events, or "
    "sort them by account_id and known_at, which needs none"
)
_ACCOUNT_BITS: Final = 24
"""Ids of a bucket that lie further apart are numbered first."""


def spill(
    groups: Sequence[RowGroup],
    folder: Path,
    pool: Workers | None = None,
    *,
    names: Sequence[str] = _COLUMNS,
    lenient: bool = False,
) -> Iterator[pa.Table]:
    """Yield the events of row groups in buckets of ascending ranges of accounts.

    Within a bucket they are sorted by account and `known_at`, ties in no order.

    Parameters
    ----------
    groups
        Row groups of files that have been checked, file after file.
    folder
        An empty folder for the buckets; one copy of the events is written to it.
    pool
        Its threads read and part the rows while those before are written, and sort the next
        buckets while one is used.
    names
        The columns to read; the others are null, or `detail` absent.
    lenient
        See `EventPlan`.

    Yields
    ------
    pa.Table
        A bucket; none is empty.

    Raises
    ------
    DataError
        There is no room for the copy.
    """
    lots = list(lots_of(groups, sys.maxsize))
    borders = Borders.of(lots, BUCKET_ROWS, pool)
    copy = _Copy(borders, Buckets(folder), lenient, "detail" in names)
    parts = _parted(copy, made_ahead(_batches(lots, names), pool), pool)
    what = "events in no order are parted by account here, which can't be written"
    with unless_refused(what, where=str(folder), mend=_ROOM), copy.buckets.opened():
        for part in parts:
            if part is not None:
                copy.buckets.write(part)
    there = (partial(_sorted_bucket, copy, number) for number in copy.buckets.filled())
    yield from read_ahead(there, pool)


@dataclass(frozen=True, slots=True)
class _Copy:
    """By what a copy of the events is written and read."""

    borders: Borders
    buckets: Buckets
    lenient: bool
    detail: bool
    kinds: Vocabulary = field(default_factory=Vocabulary)
    layouts: Layouts = field(default_factory=Layouts)


_Batch = tuple[Path, pa.Table]


def _batches(lots: Sequence[Lot], names: Sequence[str]) -> Iterator[_Batch]:
    for lot in lots:
        there = [name for name in names if name in lot.names]
        yield from ((lot.path, batch) for batch in lot.pieces(there, _BATCH_ROWS, threads=True))


def _parted(
    copy: _Copy, batches: Iterator[_Batch], pool: Workers | None
) -> Iterator[Parted | None]:
    part = partial(_part, copy)
    return map(part, batches) if pool is None else in_order_of(part, batches, pool, most=2)


def _part(copy: _Copy, batch: _Batch) -> Parted | None:
    """Return a batch of events parted by account; None if none is anybody's."""
    path, rows = batch
    events = conform_read(rows, where=str(path), lenient=copy.lenient, detail=copy.detail)
    if not events.num_rows:
        return None
    numbers, texts = numbers_of(events, copy.kinds)
    layout, words = copy.layouts.packed(numbers)
    bucket = copy.borders.bucket(events["account_id"])
    return Parted.of(layout, words, texts, bucket, copy.borders.buckets)


def _sorted_bucket(copy: _Copy, number: int) -> pa.Table:
    """Read a bucket, and sort its rows by account and by when they were known."""
    layout = copy.layouts.widest
    rows, content = copy.buckets.take(number, layout)
    words = copy.borders.of_text
    schema = block_schema(text_ids=words, lenient=copy.lenient, detail=copy.detail)
    texts = {name: _text(layout, rows, name, content) for name in texts_of(schema)}
    account, ids = layout.column(rows, "account_id"), None
    if "account_id" in texts:
        ids, account = account_places(pa.chunked_array([texts.pop("account_id")]))
    known_at = layout.column(rows, "ts") + layout.column(rows, "known_at")
    order = _order(account, known_at)
    places = pa.array(order)
    texts = {name: text.take(places) for name, text in texts.items() if text is not None}
    if ids is not None:
        texts["account_id"] = pa.array(ids, pa.string()).take(pa.array(account.take(order)))
    return events_of(layout, rows.take(order, axis=1), texts, schema, copy.kinds)


def _text(layout: Layout, rows: Words, name: str, content: Content) -> pa.Array | None:
    """Return a column of text of a bucket's rows; None if all is null."""
    there = layout.flags(rows, has(name))
    if not there.any():
        return None
    return text_of(layout.column(rows, name), there, content.get(name, np.empty(0, np.uint8)))


def _order(account: NDArray[np.int64], known_at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what sorts rows by account, then time.

    Both and the row's number make one number, for sorting numbers costs a third of sorting rows by
    them. Where it has too few bits for the time, the last are left out, and the few rows that are
    then alike are sorted again.
    """
    rows = len(account)
    row_bits = (rows - 1).bit_length()
    account_bits = (int(account.max()) - int(account.min())).bit_length()
    if account_bits > _ACCOUNT_BITS:
        account = np.unique(account, return_inverse=True)[1]
        account_bits = row_bits
    least = known_at.min()
    time_bits = (int(known_at.max()) - int(least)).bit_length()
    left_out = max(account_bits + time_bits + row_bits - 63, 0)
    time = ((known_at - least).view(np.uint64) >> np.uint64(left_out)).view(np.int64)
    key = (((account - account.min()) << (time_bits - left_out)) | time) << row_bits
    key |= np.arange(rows)
    key.sort()
    order = key & ((1 << row_bits) - 1)
    return _alike_sorted(order, key >> row_bits, known_at) if left_out else order


def _alike_sorted(
    order: NDArray[np.int64], key: NDArray[np.int64], known_at: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Return the order with the rows of each key sorted by time."""
    alike = key[1:] == key[:-1]
    pairs = np.flatnonzero(alike)
    if (known_at[order[pairs]] <= known_at[order[pairs + 1]]).all():
        return order
    places = np.flatnonzero(np.append(alike, False) | np.insert(alike, 0, False))
    mine = order[places]
    order[places] = mine[np.lexsort((known_at[mine], key[places]))]
    return order
