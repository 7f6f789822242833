"""The row groups of a table of events: which accounts each may hold, read a few at a time."""

import itertools
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from relimit.data.events import Ids, conform_events
from relimit.data.files import unreadable


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


def read_groups(groups: Sequence[RowGroup], schema: pa.Schema, rows: int) -> Iterator[pa.Table]:
    """Read row groups one after another, small ones of a file together until they make `rows`."""
    for path, mine in itertools.groupby(groups, key=lambda group: group.path):
        with _open(path) as file:
            for lot in _lots(mine, rows):
                yield _read(file, lot, schema)


def _lots(groups: Iterable[RowGroup], rows: int) -> Iterator[list[RowGroup]]:
    lot: list[RowGroup] = []
    for group in groups:
        lot.append(group)
        if sum(member.rows for member in lot) >= rows:
            yield lot
            lot = []
    if lot:
        yield lot


def _open(path: Path) -> pq.ParquetFile:
    try:
        footer = pq.read_metadata(path)
        words = [name for name in ("kind", "detail") if name in footer.schema.names]
        return pq.ParquetFile(
            path, metadata=footer, page_checksum_verification=True, read_dictionary=words
        )
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from error


def _read(file: pq.ParquetFile, lot: list[RowGroup], schema: pa.Schema) -> pa.Table:
    names = [name for name in schema.names if name in file.schema_arrow.names]
    try:
        table = file.read_row_groups([group.number for group in lot], columns=names)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(lot[0].path, error) from error
    return conform_events(table, where=str(lot[0].path))


def read_batches(path: Path, names: Sequence[str], rows: int) -> Iterator[pa.Table]:
    """Read a file in pieces of at most `rows`, however large its row groups are."""
    with _open(path) as file:
        wanted = [name for name in names if name in file.schema_arrow.names]
        try:
            for batch in file.iter_batches(rows, columns=wanted):
                yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException) as error:
            raise unreadable(path, error) from error
