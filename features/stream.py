"""The features of a whole file's accounts: read and computed in threads, block by block."""

from collections.abc import Callable, Generator, Iterator, Sequence
from pathlib import Path
from typing import Final, Self

import numpy as np
import pyarrow as pa

from relimit.data.errors import DataError
from relimit.data.events import blocks_from_table
from relimit.data.overlap import in_order_of, worker_pool
from relimit.data.stream import BLOCK_ROWS, iter_event_tables
from relimit.features.history import Floats, History, Ints
from relimit.features.matrix import empty_block, matrix_of
from relimit.features.registry import Feature, catalogue, find_features
from relimit.features.snapshots import Snapshots

GAP_ROWS: Final = 16_384
"""Rows of accounts without events that are computed at once."""

FEW_FEATURES: Final = 64
"""Up to so many features, a block of twice the rows still fits in the processor's cache; half the
calls then hand the interpreter from one thread to the other."""

Progress = Callable[[int], None]
Parts = Generator[tuple[Ints, Floats], None, None]


class FeatureStream(Iterator[tuple[Ints, Floats]]):
    """What `iter_features` returns: each item is rows of the snapshots, and their features.

    Attributes
    ----------
    in_order
        Whether the snapshots ascend by account; their rows then come in the order of the table.
    """

    def __init__(self, events: Path, points: Snapshots, width: int, parts: Parts) -> None:
        self._events = events
        self._points = points
        self._shape = (len(points.as_of), width)
        self._parts = parts
        self.in_order = points.in_order

    def __next__(self) -> tuple[Ints, Floats]:
        return next(self._parts)

    def __iter__(self) -> Self:
        return self

    def close(self) -> None:
        """Let go of the threads before everything was asked for."""
        self._parts.close()

    def gather(self, into: Floats | None = None) -> Floats:
        """Return what is left, `[snapshots, features]` in the order of the snapshots."""
        result = np.full(self._shape, np.nan) if into is None else into
        for rows, matrix in self:
            result[rows] = matrix
        return result

    def count_without_events(self, *, where: str) -> int:
        """Return, at the end, how many snapshots are of accounts that have no events.

        Parameters
        ----------
        where
            The name of the table of snapshots for messages.

        Raises
        ------
        DataError
            If none of them has events: the two don't belong together.
        """
        missing = len(self._points.without_events())
        if missing and missing == self._shape[0]:
            raise DataError(
                f"none of the {missing} rows is about an account that has events in {self._events}",
                where=where,
                mend="Bring the events and the rows of the same book, with ids written alike",
            )
        return missing


def iter_features(
    events: Path,
    snapshots: pa.Table,
    *,
    workers: int = 1,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> FeatureStream:
    """Yield the features of a file's accounts, block by block, in bounded memory.

    Parameters
    ----------
    events
        `events.parquet`, or a folder of parts.
    snapshots
        Columns `account_id` and `as_of`; any order, repeats allowed.
    workers
        Threads that read and compute.
    names
        Which features, in which order; None takes the catalogue.
    progress
        Called with the number of snapshots done in each step.

    Yields
    ------
    rows
        `[s]` int64, rows of `snapshots`, by account; each comes once.
    features
        `[s, features]` float64, contiguous down the columns; NaN is null.

    Raises
    ------
    DataError
        The events or the snapshots break the contract, or a name is unknown.
    """
    features = catalogue() if names is None else find_features(names)
    points = Snapshots.from_table(snapshots)
    parts = _parts(events, points, features, workers, progress)
    return FeatureStream(events, points, len(features), parts)


def compute_features(
    events: Path,
    snapshots: pa.Table,
    *,
    workers: int = 1,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Floats:
    """Return the features at each snapshot, in the order of the snapshots.

    The parameters are those of `iter_features`; where the matrix is too large for memory, use that.

    Returns
    -------
    Floats
        `[snapshots, features]` float64; NaN is null.

    Raises
    ------
    DataError
        The events or the snapshots break the contract, or a name is unknown.
    """
    return iter_features(
        events, snapshots, workers=workers, names=names, progress=progress
    ).gather()


def _parts(
    events: Path,
    points: Snapshots,
    features: Sequence[Feature],
    workers: int,
    progress: Progress | None,
) -> Parts:
    """Yield one block after another, and in between the accounts that have no events."""
    for rows, matrix in _all_parts(events, points, features, workers):
        if progress is not None:
            progress(len(rows))
        yield rows, matrix


def _all_parts(events: Path, points: Snapshots, features: Sequence[Feature], workers: int) -> Parts:
    done = 0
    for low, high, matrix in _blocks(events, points, features, workers):
        yield from _gap(points, features, done, low)
        yield points.rows_of(low, high), matrix
        done = high
    yield from _gap(points, features, done, len(points.account_ids))


def _blocks(
    events: Path, points: Snapshots, features: Sequence[Feature], workers: int
) -> Iterator[tuple[int, int, Floats]]:
    """Read and compute in the threads of one pool; yield the blocks as they are in the file."""

    def work(table: pa.Table) -> tuple[int, int, Floats]:
        block = blocks_from_table(table)
        low, high, account = points.between(block.account_ids)
        history = History(block, account, points.times_of(low, high))
        return low, high, matrix_of(history, features)

    with worker_pool(workers) as pool:
        without = () if any(known.reads_detail for known in features) else ("detail",)
        tables = iter_event_tables(
            events,
            accounts=points.account_ids,
            rows=BLOCK_ROWS * (2 if len(features) <= FEW_FEATURES else 1),
            pool=pool,
            without=without,
        )
        for low, high, matrix in in_order_of(work, tables, pool, most=2 * workers):
            if high > low:
                yield low, high, matrix


def _gap(
    points: Snapshots, features: Sequence[Feature], low: int, high: int
) -> Iterator[tuple[Ints, Floats]]:
    """Yield the accounts `low:high`, which have no events, a bounded number of rows at once."""
    rows = points.rows_of(low, high)
    for begin in range(0, len(rows), GAP_ROWS):
        mine = rows[begin : begin + GAP_ROWS]
        history = History(empty_block(), np.full(len(mine), -1), points.as_of[mine])
        yield mine, matrix_of(history, features)
