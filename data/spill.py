"""Events in no order, parted by account into files small enough to be sorted one by one."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.errors import DataError
from relimit.data.events import Ids, account_places
from relimit.data.overlap import Workers, in_order_of, made_ahead, read_ahead
from relimit.data.row_groups import read_batches
from relimit.data.schema import events_schema
from relimit.data.unusable import conform_read

BUCKET_ROWS: Final = 500_000
"""Rows aimed at in a bucket: what two sorts can hold beside the reader in half a gigabyte."""

MOST_BUCKETS: Final = 256
_COLUMNS: Final = tuple(events_schema().names)
_BATCH_ROWS: Final = 500_000
_SAMPLE: Final = 2_000


def spill(
    files: Sequence[Path],
    folder: Path,
    pool: Workers | None = None,
    *,
    names: Sequence[str] = _COLUMNS,
    lenient: bool = False,
) -> Iterator[pa.Table]:
    """Yield the events of files in buckets of ascending ranges of accounts.

    Within a bucket they are sorted by account and `known_at`, ties in no order.

    Parameters
    ----------
    files
        Parquet files of events, already checked.
    folder
        An empty folder for the buckets; one copy of the events is written to it.
    pool
        Its threads read and part the rows while those before are written, and sort the next
        buckets while one is used.
    names
        The columns to read; the others are null.
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
    borders = _borders(files)
    paths = [folder / f"{number:03}.arrow" for number in range(len(borders) + 1)]
    with _room_needed(folder), ExitStack() as stack:
        writers: dict[int, pa.RecordBatchStreamWriter] = {}
        for parts in _parted(made_ahead(_batches(files, names, lenient), pool), borders, pool):
            for number, part in parts:
                if number not in writers:
                    writers[number] = stack.enter_context(
                        pa.ipc.new_stream(paths[number], part.schema)
                    )
                writers[number].write_table(part)
    there = (partial(_sorted_bucket, path) for path in paths if path.exists())
    yield from read_ahead(there, pool)


@contextmanager
def _room_needed(folder: Path) -> Iterator[None]:
    """Say what was being written, and what spares it, where the system refuses to."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise DataError(
            f"events in no order are parted by account here, which can't be written: {reason}",
            where=str(folder),
            mend="Make room there, set TMPDIR to a disk with room for a copy of the events, or "
            "sort them by account_id and known_at, which needs none",
        ) from error


def _sorted_bucket(path: Path) -> pa.Table:
    """Read a bucket, drop its file, and sort its rows by account and by when they were known."""
    with pa.ipc.open_stream(path) as reader:
        table = reader.read_all().unify_dictionaries().combine_chunks()
    path.unlink()
    known_at = pc.coalesce(table["known_at"], table["ts"]).cast(pa.int64())
    known_at = pc.fill_null(known_at, 0).to_numpy()
    account = table["account_id"]
    place = account.to_numpy() if _is_number(account.type) else account_places(account)[1]
    return table.take(pa.array(_order(place, known_at)))


def _order(account: NDArray[np.int64], known_at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return what sorts rows by account, then time: one key of both sorts fastest where it fits."""
    least, first = int(account.min()), int(known_at.min())
    bits = (int(known_at.max()) - first).bit_length()
    if bits + (int(account.max()) - least).bit_length() > 63:
        return np.lexsort((known_at, account))
    return np.argsort(((account - least) << bits) | (known_at - first))


def _is_number(found: pa.DataType) -> bool:
    return bool(pa.types.is_integer(found))


def _batches(files: Sequence[Path], names: Sequence[str], lenient: bool) -> Iterator[pa.Table]:
    for path in files:
        for batch in read_batches(path, names, _BATCH_ROWS):
            yield conform_read(batch, where=str(path), lenient=lenient)


def _borders(files: Sequence[Path]) -> Ids:
    """Return ascending ids that part the events into buckets of about the same size."""
    samples, rows = [], 0
    batches = (batch for path in files for batch in read_batches(path, ["account_id"], _BATCH_ROWS))
    for batch in batches:
        rows += batch.num_rows
        ids = batch["account_id"].drop_null()
        samples.append(_every(ids, max(1, batch.num_rows // _SAMPLE)))
    if not samples:
        return np.empty(0, np.int64)
    sample: NDArray[Any] = np.sort(np.concatenate(samples))
    buckets = min(MOST_BUCKETS, rows // BUCKET_ROWS + 1)
    return np.unique(sample[np.arange(1, buckets) * len(sample) // buckets])


def _every(ids: pa.ChunkedArray, step: int) -> Ids:
    """Return every `step`-th id."""
    if _is_number(ids.type):
        return np.asarray(ids.to_numpy().astype(np.int64, copy=False)[::step])
    return np.array(ids.take(pa.array(np.arange(0, len(ids), step))).to_pylist(), dtype=object)


def bucket_of(ids: pa.ChunkedArray, borders: Ids) -> NDArray[np.int64]:
    """Return each row's bucket, `[rows]`: how many of the ascending borders its id is at or beyond.

    No id is null.
    """
    number = _is_number(ids.type)
    names, place = (ids.to_numpy(), None) if number else account_places(ids)
    bucket: NDArray[np.int64] = np.searchsorted(borders, names, side="right")
    return bucket if place is None else bucket.take(place)


def _parted(
    batches: Iterator[pa.Table], borders: Ids, pool: Workers | None
) -> Iterator[list[tuple[int, pa.Table]]]:
    part = partial(_parts, borders=borders)
    if pool is None:
        return map(part, batches)
    return in_order_of(part, batches, pool, most=1)


def _parts(batch: pa.Table, borders: Ids) -> list[tuple[int, pa.Table]]:
    """Return the rows of each bucket that has any; numbers this short sort in linear time."""
    return list(by_bucket(batch, bucket_of(batch["account_id"], borders).astype(np.int16)))


def by_bucket(
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
