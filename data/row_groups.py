"""The row groups of a table of events: which accounts each may hold, read a few at a time."""

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from relimit.data.events import Ids, conform_events
from relimit.data.files import unreadable

AHEAD: Final = 2
"""Lots that a pool reads before they are asked for."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a file, and the least and the greatest account that its statistics tell.

    Attributes
    ----------
    least, greatest
        None if there are no statistics.
    """

    path: Path
    number: int
    rows: int
    least: Any
    greatest: Any

    def may_hold(self, accounts: Ids) -> bool:
        """Return whether any of the accounts (ascending) may have events here."""
        if self.least is None:
            return len(accounts) > 0
        place = int(np.searchsorted(accounts, self.least))
        return place < len(accounts) and bool(accounts[place] <= self.greatest)

    def may_follow(self, account: Any) -> bool:
        """Return whether an account after that one may have events here."""
        return self.greatest is None or bool(self.greatest > account)


def row_groups(path: Path) -> Iterator[RowGroup]:
    """Yield the row groups of a file that have rows, from its footer alone."""
    metadata = pq.read_metadata(path)
    names = [metadata.schema.column(place).path for place in range(metadata.num_columns)]
    place = names.index("account_id")
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if group.num_rows:
            told = group.column(place).statistics
            known = told is not None and told.has_min_max
            bounds = (told.min, told.max) if known else (None, None)
            yield RowGroup(path, number, group.num_rows, *bounds)


def read_groups(
    groups: Sequence[RowGroup], schema: pa.Schema, rows: int, pool: Executor | None = None
) -> Iterator[pa.Table]:
    """Read row groups one after another, small ones of a file together until they make `rows`.

    With a pool its threads read `AHEAD` lots before they are asked for, one thread a lot.
    """
    reads = _reads(groups, schema, rows, threads=pool is None)
    if pool is None:
        yield from (read() for read in reads)
        return
    begun = deque(pool.submit(read) for read in itertools.islice(reads, AHEAD))
    while begun:
        table = begun.popleft().result()
        begun.extend(pool.submit(read) for read in itertools.islice(reads, 1))
        yield table


def _reads(
    groups: Sequence[RowGroup], schema: pa.Schema, rows: int, *, threads: bool
) -> Iterator[Callable[[], pa.Table]]:
    for path, mine in itertools.groupby(groups, key=lambda group: group.path):
        footer = _footer(path)
        for lot in _lots(mine, rows):
            yield partial(_read, path, footer, lot, schema, threads=threads)


def _lots(groups: Iterable[RowGroup], rows: int) -> Iterator[list[RowGroup]]:
    lot: list[RowGroup] = []
    for group in groups:
        lot.append(group)
        if sum(member.rows for member in lot) >= rows:
            yield lot
            lot = []
    if lot:
        yield lot


def _footer(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from error


def _open(path: Path, footer: pq.FileMetaData) -> pq.ParquetFile:
    words = [name for name in ("kind", "detail") if name in footer.schema.names]
    return pq.ParquetFile(
        path, metadata=footer, page_checksum_verification=True, read_dictionary=words
    )


def _read(
    path: Path,
    footer: pq.FileMetaData,
    lot: list[RowGroup],
    schema: pa.Schema,
    *,
    threads: bool,
) -> pa.Table:
    names = [name for name in schema.names if name in footer.schema.names]
    try:
        with _open(path, footer) as file:
            numbers = [group.number for group in lot]
            table = file.read_row_groups(numbers, columns=names, use_threads=threads)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from error
    return conform_events(table, where=str(path))


def read_batches(path: Path, names: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """Read a file in pieces of at most `rows`, however large its row groups are."""
    footer = _footer(path)
    wanted = [name for name in names if name in footer.schema.names]
    try:
        with _open(path, footer) as file:
            for batch in file.iter_batches(rows, columns=wanted):
                yield pa.Table.from_batches([batch])
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from error
