"""Rows that are each about one account: kept on disk by ranges of accounts, and looked up there.

A table as long as a book then takes the memory of its distinct accounts and of a few ranges.
"""

import io
import itertools
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Lock
from typing import IO, Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.accounts import Ids, group_by_account
from relimit.data.borders import Borders
from relimit.data.errors import DataError, unless_refused
from relimit.data.files import TableFiles, validate_schema
from relimit.data.row_groups import Lot, lots_of, row_groups
from relimit.data.tables import read_batches, read_parquet

RANGE_ROWS: Final = 50_000
"""Rows aimed at in a range: some megabytes."""

_HELD_BYTES: Final = 8 << 20
"""Rows of up to so many bytes never come to the disk."""

_HELD_RANGES: Final = 4
"""Ranges kept at hand: those who look up at the same time ask about neighbouring accounts."""

Check = Callable[[pa.Table], object]
"""Raises a `DataError` if something is wrong with the rows that it is told."""

Parts = list[tuple[int, int, int]]
"""Where rows begin in a file, of how many bytes they are, and how many."""

Sorted = tuple[pa.Table, NDArray[np.int64]]
"""The rows of a range by account, and where those of each account begin, `[accounts + 1]`."""


class RowsByAccount:
    """Rows by account, those of each in an order.

    Threads may share it, and what is sent to another process is whole.

    Parameters
    ----------
    schema
        Of the rows; `account_id` is int64 or string.
    order
        The columns by which the rows of an account are sorted; equal ones stay as they came.
    content, ranges
        A file, and where the rows of each range of accounts are in it; ranges ascend. The file is
        closed with this.
    check
        Told the rows of each range: all of an account, whatever else.

    Attributes
    ----------
    schema
        Of the rows.
    accounts
        The distinct ids, ascending.
    """

    def __init__(
        self,
        schema: pa.Schema,
        order: Sequence[str],
        content: IO[bytes],
        ranges: Sequence[Parts],
        check: Check,
    ) -> None:
        self.schema = schema
        self._rows = sum(rows for parts in ranges for _, _, rows in parts)
        self._order = [(name, "ascending") for name in ("account_id", *order)]
        self._ranges = ranges
        self._open(content)
        # Filled range by range: parts that are joined at last would take as much room again.
        accounts = np.empty(self._rows, schema.empty_table()["account_id"].to_numpy().dtype)
        edges = [0]
        for number in range(len(ranges)):
            mine, _ = self._range(number)
            check(mine)
            ids, _, _ = group_by_account(mine["account_id"])
            edges.append(edges[-1] + len(ids))
            accounts[edges[-2] : edges[-1]] = ids
        self.accounts: Ids = accounts[: edges[-1]]
        self._edges = np.array(edges)

    def _open(self, content: IO[bytes]) -> None:
        self._content = content
        self._guard = Lock()
        self._held: dict[int, Sorted] = {}
        weakref.finalize(self, content.close)

    def __getstate__(self) -> dict[str, Any]:
        with self._guard:
            self._content.seek(0)
            sent = {"_content": self._content.read(), "_guard": None, "_held": None}
        return {**self.__dict__, **sent}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._open(io.BytesIO(state["_content"]))

    def __len__(self) -> int:
        return self._rows

    def about(self, accounts: Ids) -> tuple[pa.Table, NDArray[np.int64]]:
        """Return the rows about some ascending accounts, and each one's place among them."""
        if not len(accounts):
            return self.schema.empty_table(), np.empty(0, np.int64)
        low = int(np.searchsorted(self.accounts, accounts[0]))
        high = int(np.searchsorted(self.accounts, accounts[-1], side="right"))
        place = np.searchsorted(accounts, self.accounts[low:high])
        mine = accounts[place] == self.accounts[low:high]
        rows, counts = self._of(low, mine)
        return rows, np.repeat(place[mine], counts)

    def about_others(self, seen: Ids, after: Any, through: Any) -> pa.Table:
        """Return the rows about other accounts of `(after, through]` than some; None is open."""
        low, high = 0, len(self.accounts)
        if after is not None:
            low = int(np.searchsorted(self.accounts, after, side="right"))
        if through is not None:
            high = int(np.searchsorted(self.accounts, through, side="right"))
        return self._of(low, ~np.isin(self.accounts[low:high], seen))[0]

    def _of(self, low: int, mine: NDArray[np.bool_]) -> tuple[pa.Table, NDArray[np.int64]]:
        """Return the rows of some of the accounts from one on, and how many each of them has."""
        tables, counts = [self.schema.empty_table()], [np.empty(0, np.int64)]
        for number in self._numbers(low, low + len(mine)):
            begin, end = self._edges[number : number + 2]
            first, last = max(low, begin), min(low + len(mine), end)
            keep = mine[first - low : last - low]
            if keep.any():
                rows, starts = self._range(number)
                starts = starts[first - begin : last - begin + 1]
                length = np.diff(starts)
                kept = pa.array(np.repeat(keep, length))
                tables.append(rows.slice(starts[0], starts[-1] - starts[0]).filter(kept))
                counts.append(length[keep])
        return pa.concat_tables(tables), np.concatenate(counts)

    def _numbers(self, low: int, high: int) -> Iterable[int]:
        """Return the ranges of the accounts from one place up to another."""
        if low >= high:
            return ()
        first, last = np.searchsorted(self._edges, [low, high - 1], side="right") - 1
        return range(first, last + 1)

    def _range(self, number: int) -> Sorted:
        """Return the rows of a range, sorted once they are read."""
        with self._guard:
            found = self._held.pop(number, None) or self._sorted(number)
            self._held[number] = found
            if len(self._held) > _HELD_RANGES:
                del self._held[next(iter(self._held))]  # the one asked for longest ago
            return found

    def _sorted(self, number: int) -> Sorted:
        batches = []
        for begin, size, _ in self._ranges[number]:
            self._content.seek(begin)
            content = pa.py_buffer(self._content.read(size))
            batches.append(pa.ipc.read_record_batch(content, self.schema))
        rows = pa.Table.from_batches(batches).sort_by(self._order)
        return rows, group_by_account(rows["account_id"])[1]


def read_by_account(
    path: Path, schema: pa.Schema, *, table: str, order: Sequence[str], check: Check = len
) -> RowsByAccount:
    """Read a table under its contract as `read_parquet` does, but some rows at a time.

    Parameters
    ----------
    path, schema, table
        As in `validate_schema`.
    order, check
        As in `RowsByAccount`. If anything is wrong, `check` is told the whole table, so that what
        it says has all of it counted.

    Raises
    ------
    DataError
        As in `read_parquet`, by `check`, or because there is no room for a copy of the rows.
    """
    try:
        return _read(path, schema, table, order, check)
    except DataError:
        check(read_parquet(path, schema, table=table))
        raise


def _read(
    path: Path, schema: pa.Schema, table: str, order: Sequence[str], check: Check
) -> RowsByAccount:
    found = validate_schema(path, schema, table)
    lots = [lot for file in found.files for lot in lots_of(row_groups(file), sys.maxsize)]
    with ExitStack() as stack:
        content = stack.enter_context(tempfile.SpooledTemporaryFile(_HELD_BYTES, prefix="relimit-"))
        parts = _parted(found, lots, content) if lots else []
        rows = RowsByAccount(found.schema, order, content, parts, check)
        stack.pop_all()  # the rows close it
    return rows


def _parted(found: TableFiles, lots: Sequence[Lot], content: IO[bytes]) -> list[Parts]:
    borders = Borders.of(lots, RANGE_ROWS)
    what = f"its rows are parted by account in {tempfile.gettempdir()}, which can't be written"
    mend = "Make room there, or set TMPDIR to a disk with room for a copy of them"
    with unless_refused(what, where=str(found.files[0]), mend=mend):
        tables = (rows for file in found.files for rows in read_batches(file, found.schema))
        return [parts for parts in _written(tables, borders, content) if parts]


def _written(tables: Iterable[pa.Table], borders: Borders, content: IO[bytes]) -> list[Parts]:
    """Write the rows of each range to a file, as they come; return where they are, by range."""
    ranges: list[Parts] = [[] for _ in range(borders.buckets)]
    end = 0
    for table in tables:
        bucket = borders.bucket(table["account_id"])
        rows = table.take(pa.array(np.argsort(bucket, kind="stable"))).combine_chunks()
        edges = np.cumsum([0, *np.bincount(bucket, minlength=borders.buckets)]).tolist()
        for number, (begin, stop) in enumerate(itertools.pairwise(edges)):
            for batch in rows.slice(begin, stop - begin).to_batches():
                written = content.write(batch.serialize())
                ranges[number].append((end, written, batch.num_rows))
                end += written
    return ranges
