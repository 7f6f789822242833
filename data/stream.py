"""Events streamed from Parquet in blocks of whole accounts, ascending, in bounded memory."""

import itertools
import tempfile
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa

from relimit.data.accounts import Ids, group_by_account
from relimit.data.choosing import gather, note_due, read_wanted
from relimit.data.errors import DataError
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.files import validate_schema
from relimit.data.overlap import Workers
from relimit.data.row_groups import RowGroup, read_groups, row_groups
from relimit.data.schema import events_schema
from relimit.data.spill import spill
from relimit.data.wanted import Tally, Wanted

BLOCK_ROWS: Final = 120_000
"""Rows a block: smaller ones cost calls, the arrays of larger ones leave the processor's cache.

All features at a snapshot per prepayment then hold 53 MiB. Beyond 62 MiB the C library hands memory
back to the system after each block, and a block takes half as long again (see `worker_pool`).
"""

NEARLY: Final = 0.75
"""Share of its rows from which a block is closed: a table without its last account is enough."""

BLOCKS_READ: Final = 2
"""Blocks read at once, at least: only the first of them is put together from pieces."""

LARGEST_GROUP: Final = 4_000_000
"""Rows of a row group that is still sorted in memory."""

WORTH_LEAVING_OUT: Final = 0.5
"""Accounts that nobody asked for are left out early once they have this share of the rows."""


def iter_event_blocks(
    path: Path, *, accounts: Ids | None = None, rows: int = BLOCK_ROWS
) -> Iterator[EventBlock]:
    """Yield the events of a Parquet file, or of a folder of parts, in blocks of whole accounts.

    Parameters
    ----------
    path
        `events.parquet`, or a folder of parts.
        Row groups whose ids ascend from one to the next (by their statistics) are streamed;
        otherwise the events are first parted by account into a temporary folder.
    accounts
        Ascending ids to keep; None keeps all.
    rows
        A block is closed once it has nearly this many (`NEARLY`); it has less than twice as many,
        unless its last account is larger than that by itself.

    Yields
    ------
    EventBlock
        Accounts ascend within a block and from one block to the next.

    Raises
    ------
    DataError
        A file can't be read, or breaks the contract.
    """
    for table in iter_event_tables(path, accounts=accounts, rows=rows):
        mine = table if accounts is None else only_accounts(table, accounts)
        if mine.num_rows:
            yield blocks_from_table(mine)


def iter_event_tables(
    path: Path,
    *,
    accounts: Ids | None = None,
    rows: int = BLOCK_ROWS,
    pool: Workers | None = None,
    without: Collection[str] = (),
) -> Iterator[pa.Table]:
    """Yield what `iter_event_blocks` does, as tables that are still to be sorted within accounts.

    That leaves the work on each block to whoever takes it, another thread for instance; the threads
    of `pool` also read ahead. Accounts that were not asked for may come along: copying the rest can
    cost more than they do. The columns `without` are not read: they are null, or `detail` absent.
    """
    return EventPlan.of(path, accounts=accounts, without=without).tables(rows, pool)


@dataclass(frozen=True, slots=True)
class EventPlan:
    """Which row groups are to be read for some accounts, known from the footers alone.

    Attributes
    ----------
    schema
        The columns of `events_schema` to read, with `account_id` as the files have it.
    groups
        The row groups that may hold events of these accounts.
    accounts
        Ascending ids to keep; None keeps all.
    after
        Only accounts after this one are read; None reads from the first.
    lenient
        Events without an account are left out, and those without `ts` or `kind` come along: see
        `relimit.data.unusable`. Otherwise any of them is an error.
    """

    schema: pa.Schema
    groups: tuple[RowGroup, ...]
    accounts: Ids | None
    after: Any
    lenient: bool

    @classmethod
    def of(
        cls,
        path: Path,
        *,
        accounts: Ids | None = None,
        without: Collection[str] = (),
        lenient: bool = False,
    ) -> Self:
        """Plan to read a Parquet file or a folder of parts, but for the columns `without`.

        Raises
        ------
        DataError
            A footer can't be read or breaks the contract, or the ids have another type.
        """
        found = validate_schema(path, events_schema(), "events")
        groups = [group for file in found.files for group in row_groups(file)]
        if accounts is not None:
            _check_ids(accounts, found.schema.field("account_id").type, path)
            groups = [group for group in groups if group.may_hold(accounts)]
        schema = pa.schema([field for field in found.schema if field.name not in without])
        return cls(schema, tuple(groups), accounts, None, lenient)

    def following(self, account: Any) -> Self:
        """Return the plan to read only the accounts after one."""
        groups = tuple(group for group in self.groups if group.may_follow(account))
        return replace(self, groups=groups, after=account)

    @property
    def rows(self) -> int:
        """How many events there are to read; some may be of other accounts."""
        return sum(group.rows for group in self.groups)

    def tables(self, rows: int = BLOCK_ROWS, pool: Workers | None = None) -> Iterator[pa.Table]:
        """Yield the tables of `iter_event_tables`."""
        tables = self._ascending_tables(rows, pool)
        return tables if self.after is None else _following(tables, self.after)

    def wanted(
        self, wanted: Wanted, tally: Tally, rows: int = BLOCK_ROWS, pool: Workers | None = None
    ) -> Iterator[pa.Table]:
        """Yield the tables of `tables` without most of the accounts that are not wanted.

        What is read, and who is due, is noted in `tally`.
        """
        ordered = _ascending(self.groups)
        if ordered is not None:
            read = read_wanted(ordered, wanted, tally, pool, lenient=self.lenient)
            tables = _whole_accounts(read, None, rows)
        elif (table := gather(self.groups, wanted, tally, pool, lenient=self.lenient)) is not None:
            tables = _whole_accounts(iter([table]), None, rows)
        else:
            tables = note_due(self._ascending_tables(rows, pool), wanted, tally)
        return tables if self.after is None else _following(tables, self.after)

    def _ascending_tables(self, rows: int, pool: Workers | None) -> Iterator[pa.Table]:
        ordered = _ascending(self.groups)
        if ordered is not None:
            most = BLOCKS_READ * rows
            groups = read_groups(ordered, self.schema, most, pool, lenient=self.lenient)
            yield from _whole_accounts(groups, self.accounts, rows)
            return
        with tempfile.TemporaryDirectory(prefix="relimit-") as folder:
            names = self.schema.names
            buckets = spill(self.groups, Path(folder), pool, names=names, lenient=self.lenient)
            yield from _whole_accounts(buckets, self.accounts, rows)


def _following(tables: Iterator[pa.Table], account: Any) -> Iterator[pa.Table]:
    """Leave out the accounts up to that one, of tables of ascending accounts."""
    for table in tables:
        ids, starts, _ = group_by_account(table["account_id"])
        first = int(np.searchsorted(ids, account, side="right"))
        if first < len(ids):
            yield table.slice(starts[first])


def _check_ids(accounts: Ids, found: pa.DataType, path: Path) -> None:
    asked = "string" if accounts.dtype == object else "int64"
    if asked != str(found):
        raise DataError(
            f"account_id is {found}, but {asked} in the accounts asked for",
            where=str(path),
            mend="Use the same type in both",
        )


def _ascending(groups: Sequence[RowGroup]) -> list[RowGroup] | None:
    """Return the row groups so that their accounts ascend; None if that can't be had or known."""
    if any(group.rows > LARGEST_GROUP for group in groups):
        return None
    if len(groups) < 2:
        return list(groups)
    if any(group.least is None for group in groups):
        return None
    ordered = sorted(groups, key=lambda group: (group.least, group.greatest))
    meets = (a.greatest <= b.least for a, b in itertools.pairwise(ordered))
    return ordered if all(meets) else None


def _whole_accounts(
    tables: Iterator[pa.Table], accounts: Ids | None, rows: int
) -> Iterator[pa.Table]:
    """Cut tables of ascending accounts between accounts, holding back the last, and batch them."""
    held: list[pa.Table] = []
    held_id: Any = None
    batch = _Batch(rows)
    for unsorted in tables:
        ids, starts, table = _runs(unsorted, accounts)
        if len(ids) == 0:
            continue
        begin = 0
        if held and ids[0] == held_id:
            begin = 1
            held.append(table.slice(0, starts[1]))
            if len(ids) == 1:
                continue
        yield from batch.add(held)
        for low, high in _cuts(starts[begin:-1], rows):
            yield from batch.add([table.slice(low, high - low)])
        held, held_id = [table.slice(starts[-2])], ids[-1]
    yield from batch.add(held)
    yield from batch.rest()


def _runs(table: pa.Table, accounts: Ids | None) -> tuple[Ids, np.ndarray[Any, Any], pa.Table]:
    """Sort a table by account if need be, leave out others if many; return where each begins."""
    ids, starts, order = group_by_account(table["account_id"])
    if order is not None:
        table = table.take(pa.array(order))
    if accounts is not None and len(ids):
        keep, length = _among(ids, accounts), np.diff(starts)
        if length[~keep].sum() >= WORTH_LEAVING_OUT * table.num_rows:
            table = table.filter(pa.array(np.repeat(keep, length)))
            ids, starts = ids[keep], np.concatenate(([0], np.cumsum(length[keep])))
    return ids, starts, table


def only_accounts(table: pa.Table, accounts: Ids) -> pa.Table:
    """Return the rows of the accounts asked for, of a table of ascending accounts."""
    ids, starts, _ = group_by_account(table["account_id"])
    keep = _among(ids, accounts)
    return table if keep.all() else table.filter(pa.array(np.repeat(keep, np.diff(starts))))


def _among(ids: Ids, accounts: Ids) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if len(accounts) == 0:
        return np.zeros(len(ids), np.bool_)
    place = np.minimum(np.searchsorted(accounts, ids), len(accounts) - 1)
    return np.asarray(accounts[place] == ids, dtype=np.bool_)


def _cuts(starts: np.ndarray[Any, Any], rows: int) -> Iterator[tuple[int, int]]:
    """Yield `low, high` ranges of at least `rows` rows each (the last: what is left)."""
    if len(starts) < 2:
        return
    low = 0
    while low < len(starts) - 1:
        high = int(np.searchsorted(starts, starts[low] + rows))
        high = min(max(high, low + 1), len(starts) - 1)
        yield int(starts[low]), int(starts[high])
        low = high


class _Batch:
    """Tables put together until they have nearly enough rows."""

    def __init__(self, rows: int) -> None:
        self.rows = rows
        self.tables: list[pa.Table] = []

    def add(self, tables: list[pa.Table]) -> Iterator[pa.Table]:
        """Take in the tables of whole accounts; yield what has come together if it is enough."""
        self.tables += tables
        if sum(table.num_rows for table in self.tables) >= NEARLY * self.rows:
            yield from self.rest()

    def rest(self) -> Iterator[pa.Table]:
        """Yield what has come together."""
        if self.tables:
            yield pa.concat_tables(self.tables, promote_options="permissive")
        self.tables = []
