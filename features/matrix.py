"""Features at snapshots: one block, or a whole file with reading and computing overlapped."""

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.overlap import in_order_of, worker_pool
from relimit.data.schema import events_schema
from relimit.data.stream import iter_event_tables
from relimit.features.history import Floats, History, Ints
from relimit.features.registry import Feature, catalogue, find_features
from relimit.features.select import Windows
from relimit.features.snapshots import Snapshots

Progress = Callable[[int], None]


def feature_matrix(history: History, names: Sequence[str] | None = None) -> Floats:
    """Return the features at a history's snapshots.

    Parameters
    ----------
    history
        A block with its snapshots.
    names
        Which features, in which order; None takes the catalogue.

    Returns
    -------
    Floats
        `[snapshots, features]`, C-contiguous; NaN is null.

    Raises
    ------
    DataError
        A name is unknown.
    """
    features = catalogue() if names is None else find_features(names)
    return np.ascontiguousarray(_matrix(history, features))


def _matrix(history: History, features: Sequence[Feature]) -> Floats:
    """Return `[snapshots, features]`, column after column in memory: so they are written."""
    columns = np.empty((len(features), history.size))
    if history.few:
        for place, compute in _calls(tuple(features)):
            columns[place] = compute(history)
        return columns.T
    for column, known in zip(columns, features, strict=True):
        column[:] = known.compute(history)
    return columns.T


@lru_cache(16)
def _calls(
    features: tuple[Feature, ...],
) -> tuple[tuple[int | list[int], Callable[[History], Floats | Ints]], ...]:
    """Return which columns to compute by which calls: those that can be had together, together."""
    groups: dict[Any, list[int]] = {}
    for place, known in enumerate(features):
        groups.setdefault(known.together or known.name, []).append(place)
    return tuple(_call(features, places) for places in groups.values())


def _call(
    features: Sequence[Feature], places: list[int]
) -> tuple[int | list[int], Callable[[History], Floats | Ints]]:
    first = features[places[0]]
    together = first.together
    if together is None or len(places) == 1:
        return places[0], first.compute
    windows = Windows(tuple(features[place].window or 0 for place in places))
    return places, lambda history: together(history, windows)


def iter_features(
    events: Path,
    snapshots: pa.Table,
    *,
    workers: int = 1,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Iterator[tuple[Ints, Floats]]:
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
        `[s]` int64, rows of `snapshots`; each comes once.
    features
        `[s, features]` float64, contiguous down the columns; NaN is null.

    Raises
    ------
    DataError
        The events or the snapshots break the contract, or a name is unknown.
    """
    features = catalogue() if names is None else find_features(names)
    points = Snapshots.from_table(snapshots)
    for rows, matrix in _in_order(events, points, features, workers):
        if progress is not None:
            progress(len(rows))
        yield rows, matrix


def compute_features(
    events: Path,
    snapshots: pa.Table,
    *,
    workers: int = 1,
    names: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> Floats:
    """Return the features at each snapshot, `[snapshots, features]`, in the order of the snapshots.

    The parameters are those of `iter_features`.
    """
    width = len(catalogue() if names is None else names)
    result = np.full((snapshots.num_rows, width), np.nan)
    blocks = iter_features(events, snapshots, workers=workers, names=names, progress=progress)
    for rows, matrix in blocks:
        result[rows] = matrix
    return result


def _in_order(
    events: Path, points: Snapshots, features: Sequence[Feature], workers: int
) -> Iterator[tuple[Ints, Floats]]:
    """Read and compute in the threads of one pool; yield the blocks as they are in the file."""

    def work(table: pa.Table) -> tuple[Ints, Floats]:
        block = blocks_from_table(table)
        rows, account = points.of_block(block.account_ids)
        if len(rows) == 0:
            return rows, np.empty((0, len(features)))
        return rows, _matrix(History(block, account, points.as_of[rows]), features)

    with worker_pool(workers) as pool:
        tables = iter_event_tables(events, accounts=points.account_ids, pool=pool)
        yield from in_order_of(work, tables, pool, most=2 * workers)
    rows = points.without_events()
    if len(rows):
        yield rows, _matrix(_empty_history(points, rows), features)


def _empty_history(points: Snapshots, rows: NDArray[np.int64]) -> History:
    return History(empty_block(), np.full(len(rows), -1), points.as_of[rows])


def empty_block() -> EventBlock:
    """Return a block without accounts."""
    return blocks_from_table(events_schema().empty_table())
