"""Row groups of which only some accounts are wanted: the rest is left out as they are read.

The few columns that tell who is wanted are decoded first, and the others only in the row groups
that hold somebody who is.
"""

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.accounts import Ids, group_by_account
from relimit.data.errors import DataError
from relimit.data.event_tables import conform_columns, conform_events
from relimit.data.overlap import Workers, read_ahead
from relimit.data.row_groups import Lot, RowGroup, lots_of
from relimit.data.schema import events_schema
from relimit.data.unusable import conform_read
from relimit.data.wanted import Tally, Wanted, rows_of

LOT_ROWS: Final = 1_000_000
"""Rows that are looked through together; what is kept of them is little, or cut into blocks."""

LONG: Final = LOT_ROWS // 2
"""Rows of wanted accounts of which to decide takes much longer than to read the next."""

MOSTLY: Final = 0.5
"""Share of a lot's rows from which all are kept: copying what is wanted would cost more."""

_NAMES: Final = tuple(events_schema().names)

MOST_GATHERED: Final = 2_000_000
"""Events of wanted accounts that are put in order in memory."""


def read_wanted(
    groups: Sequence[RowGroup],
    wanted: Wanted,
    tally: Tally,
    pool: Workers | None = None,
    *,
    lenient: bool = False,
) -> Iterator[pa.Table]:
    """Read row groups whose accounts ascend, and leave out most of those that are not wanted.

    The first and the last account of each table are always there, as they may go on in the next.
    The pool's threads read ahead. See `EventPlan` for `lenient`.
    """

    def read(lot: Lot) -> pa.Table:
        # A group alone is needed for its first and last account, so that all is read at once.
        told = _telling(lot, wanted, lenient) if len(lot.groups) > 1 else _whole(lot, lenient)
        ids, starts, order = group_by_account(told["account_id"])
        rows = wanted.rows(told)
        if order is None:
            keep = wanted.among(ids, starts, rows)
            keep[:1] = keep[-1:] = True
            kept = rows_of(keep, starts)
        else:
            kept = np.arange(told.num_rows)
        table = _kept(lot, told, kept, lenient)
        _require_all(len(rows), _note(table, wanted, tally, lot.rows))
        return table

    reads = (partial(read, lot) for lot in lots_of(groups, LOT_ROWS))
    yield from read_ahead(reads, pool, lasts=lambda table: table.num_rows >= LONG)


def gather(
    groups: Sequence[RowGroup],
    wanted: Wanted,
    tally: Tally,
    pool: Workers | None = None,
    *,
    lenient: bool = False,
) -> pa.Table | None:
    """Return the events of the wanted accounts from row groups in no order; None if too many.

    Who is wanted is found first, without the row groups that became known too early to tell.
    """
    named, asking = _all_wanted(groups, wanted, pool, lenient)

    def read(lot: Lot) -> tuple[pa.Table, int]:
        ids = _of_accounts(lot, lot.read(["account_id"]), lenient)
        distinct, starts, order = group_by_account(ids["account_id"])
        rows = rows_of(named.among(distinct, starts, _NO_ROWS), starts)
        table = _kept(lot, ids, rows if order is None else np.sort(order[rows]), lenient)
        return table, _note(table, wanted, tally, lot.rows)

    held, count, rows = [], 0, 0
    for table, found in read_ahead((partial(read, lot) for lot in lots_of(groups, LOT_ROWS)), pool):
        held.append(table)
        count, rows = count + found, rows + table.num_rows
        if rows > MOST_GATHERED:
            return None
    _require_all(asking, count)
    return pa.concat_tables(held)


def note_due(tables: Iterator[pa.Table], wanted: Wanted, tally: Tally) -> Iterator[pa.Table]:
    """Yield tables of which nothing was left out, once it is noted who is due in each."""
    for table in tables:
        _note(table, wanted, tally, 0)
        yield table


_NO_ROWS: Final = np.empty(0, np.int64)


def _all_wanted(
    groups: Sequence[RowGroup], wanted: Wanted, pool: Workers | None, lenient: bool
) -> tuple[Wanted, int]:
    """Return the wanted accounts by name, and how many events make one wanted."""
    telling = [group for group in groups if group.latest is None or group.latest > wanted.since]

    def read(lot: Lot) -> Ids:
        told = _telling(lot, wanted, lenient)
        ids: Ids = told["account_id"].take(pa.array(wanted.rows(told))).to_numpy()
        return ids

    lots = () if wanted.kind is None else lots_of(telling, LOT_ROWS)
    asking = [ids for ids in read_ahead((partial(read, lot) for lot in lots), pool) if len(ids)]
    found = [*asking, *([] if wanted.named is None else [wanted.named])]
    named = np.unique(np.concatenate(found)) if found else _NO_ROWS
    return Wanted(named), sum(len(ids) for ids in asking)


def _telling(lot: Lot, wanted: Wanted, lenient: bool) -> pa.Table:
    """Return the columns that tell who is wanted; all, if an event of nobody was left out."""
    names = [name for name in wanted.columns if name in lot.names]
    told = lot.read(names)
    if "known_at" in wanted.columns and ("known_at" not in names or told["known_at"].null_count):
        told = told.append_column("ts", lot.read(["ts"])["ts"])
    return _of_accounts(lot, told, lenient, wanted.columns)


def _of_accounts(lot: Lot, told: pa.Table, lenient: bool, also: Sequence[str] = ()) -> pa.Table:
    """Return what was read of a lot; all columns, if an event of nobody has to be left out."""
    if lenient and told["account_id"].null_count:
        return _whole(lot, lenient)
    names = dict.fromkeys((*also, *told.column_names))
    return conform_columns(told, list(names), where=str(lot.path), lenient=lenient)


def _whole(lot: Lot, lenient: bool) -> pa.Table:
    rows = lot.read([name for name in _NAMES if name in lot.names])
    return conform_read(rows, where=str(lot.path), lenient=lenient)


def _kept(lot: Lot, told: pa.Table, rows: NDArray[np.int64], lenient: bool) -> pa.Table:
    """Return some ascending rows of a lot with all their columns, of which some have been read.

    If they are most of the rows, all are returned.
    """
    if told.num_rows < lot.rows:  # some were left out, so that all columns have been read
        return told.take(pa.array(rows))
    whole = len(rows) >= MOSTLY * lot.rows
    begins = np.cumsum([0, *(group.rows for group in lot.groups)])
    counts = np.diff(begins if whole else np.searchsorted(rows, begins))
    needed = np.flatnonzero(counts)
    if len(needed) < len(lot.groups):
        parts = [told.slice(begins[place], lot.groups[place].rows) for place in needed]
        told = pa.concat_tables(parts or [told.slice(0, 0)])
    more = [name for name in _NAMES if name in lot.names and name not in told.column_names]
    if more:
        rest = lot.read(more, [lot.groups[place] for place in needed])
        for name in more:
            told = told.append_column(name, rest[name])
    table = conform_events(told, where=str(lot.path), lenient=lenient)
    if whole:
        return table
    left_out = begins[needed] - np.cumsum([0, *np.diff(begins)[needed]])[:-1]
    return table.take(pa.array(rows - np.repeat(left_out, counts[needed])))


def _note(table: pa.Table, wanted: Wanted, tally: Tally, read: int) -> int:
    """Note who is due in a table, and return how many of its events make an account wanted."""
    count, due = wanted.due(table)
    tally.add(read, due)
    return count


def _require_all(asking: int, kept: int) -> None:
    """Raise DataError unless the events that ask for something were all kept."""
    if asking != kept:
        what = f"{asking:,} events call for a decision, {kept:,} of them were kept"
        raise DataError(what, mend="Report this: it is a fault of relimit")
