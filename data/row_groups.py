"""The row groups of a table of events: which accounts each may hold, read a few at a time."""

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from relimit.data.accounts import Ids, group_by_account
from relimit.data.event_tables import conform_columns
from relimit.data.files import unreadable
from relimit.data.overlap import Workers, made_ahead, read_ahead
from relimit.data.times import microseconds
from relimit.data.unusable import conform_read, with_account

Item = TypeVar("Item")

WHOLE: Final = 1_500_000
"""Rows up to which row groups are read at once: the events of a writer's usual million."""


@dataclass(frozen=True, slots=True)
class RowGroup:
    """A row group of a file, and the least and the greatest account that its statistics tell.

    Attributes
    ----------
    least, greatest
        None if there are no statistics.
    latest
        When its last event became known, microseconds UTC; None if the statistics don't tell.
    """

    path: Path
    number: int
    rows: int
    least: Any
    greatest: Any
    latest: int | None = None

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
    account = names.index("account_id")
    known = names.index("known_at") if "known_at" in names else None
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        if group.num_rows:
            least, greatest = _range(group.column(account).statistics)
            latest = None if known is None else _latest(group.column(known).statistics)
            yield RowGroup(path, number, group.num_rows, least, greatest, latest)


def _latest(told: pq.Statistics | None) -> int | None:
    if told is None or not told.has_min_max or told.null_count != 0:
        return None
    try:
        return microseconds(told.max)
    except OverflowError:  # beyond the year 9999, where Python's calendar ends
        return None


def _range(told: pq.Statistics | None) -> tuple[Any, Any]:
    """Return the least and the greatest id, both None if they aren't told."""
    if told is None or not told.has_min_max:
        return None, None
    try:
        return told.min, told.max
    except UnicodeDecodeError:  # said of the rows themselves, once they are read
        return None, None


@dataclass(frozen=True, slots=True)
class Lot:
    """Neighbouring row groups of one file, which are read together."""

    path: Path
    footer: pq.FileMetaData
    groups: tuple[RowGroup, ...]

    @property
    def rows(self) -> int:
        """How many there are."""
        return sum(group.rows for group in self.groups)

    @property
    def names(self) -> list[str]:
        """The columns of the file."""
        return list(self.footer.schema.names)

    def read(
        self,
        names: Sequence[str],
        groups: Sequence[RowGroup] | None = None,
        *,
        threads: bool = False,
    ) -> pa.Table:
        """Read some columns of the row groups, or of some of them, as the file has them.

        Raises
        ------
        DataError
            A page is damaged.
        """
        numbers = [group.number for group in (self.groups if groups is None else groups)]
        try:
            with _open(self.path, self.footer) as file:
                return file.read_row_groups(numbers, columns=list(names), use_threads=threads)
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error

    def pieces(
        self, names: Sequence[str], rows: int, *, threads: bool = False
    ) -> Iterator[pa.Table]:
        """Read some columns in tables of at most `rows`: the processor's cache can hold these.

        Raises
        ------
        DataError
            A page is damaged.
        """
        numbers = [group.number for group in self.groups]
        try:
            with _open(self.path, self.footer) as file:
                for batch in file.iter_batches(
                    rows, row_groups=numbers, columns=list(names), use_threads=threads
                ):
                    yield pa.Table.from_batches([batch])
        except (OSError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error


def read_groups(
    groups: Sequence[RowGroup],
    schema: pa.Schema,
    rows: int,
    pool: Workers | None = None,
    *,
    lenient: bool = False,
) -> Iterator[pa.Table]:
    """Read row groups one after another; small ones of a file together, until they have `rows`.

    With a pool its threads read the next tables before they are asked for. One beyond `WHOLE` is
    read in pieces of `rows` if its accounts ascend, which they tell first; else it is read at once,
    for it is still to be sorted. See `EventPlan` for `lenient`.
    """
    lots = lots_of(groups, rows)
    # Reading takes about half of the time, so that half of the threads are enough for it.
    most = None if pool is None else max(pool.count // 2, 1)
    for large, mine in itertools.groupby(lots, key=lambda lot: lot.rows > WHOLE):
        if large:
            pieces = _pieces(mine, schema, rows, threads=pool is None)
            conformed = (_conform(piece, schema, where, lenient) for where, piece in pieces)
            tables = made_ahead(conformed, pool)
        else:
            reads = (partial(_read, lot, schema, lenient, threads=pool is None) for lot in mine)
            tables = read_ahead(reads, pool, most=most)
        yield from tables


def _read(lot: Lot, schema: pa.Schema, lenient: bool, *, threads: bool) -> pa.Table:
    names = [name for name in schema.names if name in lot.names]
    return _conform(lot.read(names, threads=threads), schema, str(lot.path), lenient)


def _conform(events: pa.Table, schema: pa.Schema, where: str, lenient: bool) -> pa.Table:
    return conform_read(events, where=where, lenient=lenient, detail="detail" in schema.names)


def _pieces(
    lots: Iterable[Lot], schema: pa.Schema, rows: int, *, threads: bool
) -> Iterator[tuple[str, pa.Table]]:
    """Yield where each piece is from, and the piece."""
    for lot in lots:
        where = str(lot.path)
        names = [name for name in schema.names if name in lot.names]
        told = lot.read(["account_id"], threads=threads)
        if not _ascends(told, lot):
            yield where, lot.read(names, threads=threads)
            continue
        names.remove("account_id")
        begin = 0
        for piece in lot.pieces(names, rows, threads=threads):
            mine = told["account_id"].slice(begin, piece.num_rows)
            yield where, piece.add_column(0, told.schema.field(0), mine)
            begin += piece.num_rows


def _ascends(told: pa.Table, lot: Lot) -> bool:
    told = conform_columns(with_account(told), ["account_id"], where=str(lot.path))
    return group_by_account(told["account_id"])[2] is None


def lots_of(groups: Iterable[RowGroup], rows: int) -> Iterator[Lot]:
    """Put neighbouring row groups of a file together until they have so many rows."""
    for path, mine in itertools.groupby(groups, key=lambda group: group.path):
        footer = _footer(path)
        for held in bunched(mine, rows, attrgetter("rows")):
            yield Lot(path, footer, held)


def bunched(
    items: Iterable[Item], rows: int, size: Callable[[Item], int]
) -> Iterator[tuple[Item, ...]]:
    """Yield neighbouring items together until they have so many rows; the last may have fewer."""
    held: list[Item] = []
    count = 0
    for item in items:
        held.append(item)
        count += size(item)
        if count >= rows:
            yield tuple(held)
            held, count = [], 0
    if held:
        yield tuple(held)


def _footer(path: Path) -> pq.FileMetaData:
    try:
        return pq.read_metadata(path)
    except (OSError, pa.ArrowException) as error:
        raise unreadable(path, error) from error


def _open(path: Path, footer: pq.FileMetaData) -> pq.ParquetFile:
    words = [name for name in ("kind", "detail") if name in footer.schema.names]
    return pq.ParquetFile(
        path,
        metadata=footer,
        page_checksum_verification=True,
        read_dictionary=words,
        pre_buffer=False,  # it costs a tenth of the time, and gains on remote disks alone
    )
