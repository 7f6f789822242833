"""Events in no order, parted by account into files small enough to be sorted one by one."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.events import Ids, account_places, conform_events
from relimit.data.row_groups import read_batches
from relimit.data.schema import events_schema

BUCKET_ROWS: Final = 800_000
"""Rows aimed at in a bucket: what a sort can hold beside the reader in half a gigabyte."""

MOST_BUCKETS: Final = 256
_BATCH_ROWS: Final = 1_000_000
_SAMPLE: Final = 2_000


def spill(files: Sequence[Path], folder: Path) -> Iterator[pa.Table]:
    """Yield the events of files in buckets of ascending ranges of accounts, unsorted within.

    Parameters
    ----------
    files
        Parquet files of events, already checked.
    folder
        An empty folder for the buckets; one copy of the events is written to it.

    Yields
    ------
    pa.Table
        A bucket; none is empty.
    """
    borders = _borders(files)
    paths = [folder / f"{number:03}.arrow" for number in range(len(borders) + 1)]
    with ExitStack() as stack:
        writers: dict[int, pa.RecordBatchStreamWriter] = {}
        for batch in _batches(files):
            for number, part in _parts(batch, borders):
                if number not in writers:
                    writers[number] = stack.enter_context(
                        pa.ipc.new_stream(paths[number], part.schema)
                    )
                writers[number].write_table(part)
    for path in paths:
        if path.exists():
            with pa.ipc.open_stream(path) as reader:
                yield reader.read_all().unify_dictionaries()
            path.unlink()


def _batches(files: Sequence[Path]) -> Iterator[pa.Table]:
    for path in files:
        for batch in read_batches(path, events_schema().names, _BATCH_ROWS):
            yield conform_events(batch, where=str(path))


def _borders(files: Sequence[Path]) -> Ids:
    """Return ascending ids that part the events into buckets of about the same size."""
    samples, rows = [], 0
    batches = (batch for path in files for batch in read_batches(path, ["account_id"], _BATCH_ROWS))
    for batch in batches:
        ids, place = account_places(batch["account_id"])
        rows += batch.num_rows
        samples.append(ids[place[:: max(1, batch.num_rows // _SAMPLE)]])
    if not samples:
        return np.empty(0, np.int64)
    sample: NDArray[Any] = np.sort(np.concatenate(samples))
    buckets = min(MOST_BUCKETS, rows // BUCKET_ROWS + 1)
    return np.unique(sample[np.arange(1, buckets) * len(sample) // buckets])


def _parts(batch: pa.Table, borders: Ids) -> Iterator[tuple[int, pa.Table]]:
    ids, place = account_places(batch["account_id"])
    bucket = np.searchsorted(borders, ids, side="right").astype(np.int16)[place]
    parted = batch.take(pa.array(np.argsort(bucket, kind="stable")))
    edges = np.concatenate(([0], np.cumsum(np.bincount(bucket, minlength=len(borders) + 1))))
    for number in np.flatnonzero(np.diff(edges)):
        yield int(number), parted.slice(edges[number], edges[number + 1] - edges[number])
