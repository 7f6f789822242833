"""Which accounts of a table of events somebody asks about, told from few of its columns."""

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.accounts import Ids, group_by_account


@dataclass(frozen=True, slots=True)
class Wanted:
    """The accounts that are named, and those with an event of a kind known in `(since, as_of]`.

    Attributes
    ----------
    named
        Ascending ids; None names nobody.
    kind
        None if no event makes an account wanted.
    since, as_of
        Microseconds UTC.
    """

    named: Ids | None = None
    kind: str | None = None
    since: int = 0
    as_of: int = 0

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that tell, beside `ts` where `known_at` is null."""
        return ("account_id",) if self.kind is None else ("account_id", "kind", "known_at")

    def rows(self, events: pa.Table) -> NDArray[np.int64]:
        """Return the rows of the kind that became known in the window; `conform_events` first.

        A row without a kind may be of any, and one without a time may have become known then.
        """
        if self.kind is None:
            return np.empty(0, np.int64)
        rows = _rows_of_kind(events["kind"], self.kind)
        known_at = events["known_at"].take(pa.array(rows))
        if known_at.null_count:
            known_at = pc.coalesce(known_at, events["ts"].take(pa.array(rows)))
        times: NDArray[np.int64] = pc.fill_null(known_at.cast(pa.int64()), self.as_of).to_numpy()
        return rows[(times > self.since) & (times <= self.as_of)]

    def due(self, events: pa.Table) -> tuple[int, Ids]:
        """Return how many rows ask for something, and the accounts of those that are not of 0."""
        rows = self.rows(events)
        amount = events["amount"].take(pa.array(rows))
        calls = pc.fill_null(pc.not_equal(amount, 0), True).to_numpy()
        ids: Ids = events["account_id"].take(pa.array(rows[calls])).to_numpy()
        return len(rows), ids

    def among(
        self, ids: Ids, starts: NDArray[np.int64], rows: NDArray[np.int64]
    ) -> NDArray[np.bool_]:
        """Return which accounts are wanted, `[accounts]`.

        Parameters
        ----------
        ids, starts
            Ascending, `[accounts]`, and `[accounts + 1]` where the events of each begin.
        rows
            Those of `rows`.
        """
        keep = np.zeros(len(ids), np.bool_)
        keep[np.searchsorted(starts, rows, side="right") - 1] = True
        if self.named is not None and len(ids):
            keep |= _found(ids, self.named)
        return keep

    def of(self, events: pa.Table) -> pa.Table:
        """Return the events of the wanted accounts, by account; the table has whole accounts."""
        ids, starts, order = group_by_account(events["account_id"])
        if order is not None:
            events = events.take(pa.array(order))
        keep = self.among(ids, starts, self.rows(events))
        return events if keep.all() else events.take(pa.array(rows_of(keep, starts)))


class Tally:
    """What has been read, noted before anything is done with it; threads may share it.

    Parameters
    ----------
    passed
        Told how many rows have been read, one call at a time.
    """

    def __init__(self, passed: Callable[[int], None] | None = None) -> None:
        self._passed = passed
        self._rows = 0
        self._due: list[Ids] = []
        self._guard = Lock()

    def add(self, rows: int, due: Ids) -> None:
        """Note that so many rows have been read, and which accounts they call for a decision on."""
        with self._guard:
            self._rows += rows
            self._due.append(due)
            if self._passed is not None:
                self._passed(self._rows)

    def between(self, after: Any, through: Any) -> Ids:
        """Return the accounts of `(after, through]` that call for a decision; None is an open end.

        Those up to `through` are forgotten.
        """
        with self._guard:
            parts = [part for part in self._due if len(part)]
            if not parts:
                return np.empty(0, np.int64)
            due: Ids = np.unique(np.concatenate(parts))
            self._due = [] if through is None else [within(due, through, None)]
        return within(due, after, through)


def within(ids: Ids, after: Any, through: Any) -> Ids:
    """Return those of ascending ids in `(after, through]`; None is an open end.

    Examples
    --------
    >>> within(np.array([1, 3, 5, 7]), 1, 5).tolist(), within(np.array([1, 3]), None, 2).tolist()
    ([3, 5], [1])
    """
    low = 0 if after is None else int(np.searchsorted(ids, after, side="right"))
    high = len(ids) if through is None else int(np.searchsorted(ids, through, side="right"))
    return ids[low:high]


def rows_of(keep: NDArray[np.bool_], starts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the rows of the accounts that are kept.

    Examples
    --------
    >>> rows_of(np.array([True, False, True]), np.array([0, 2, 3, 5])).tolist()
    [0, 1, 3, 4]
    """
    return np.flatnonzero(np.repeat(keep, np.diff(starts)))


def _rows_of_kind(column: pa.ChunkedArray, kind: str) -> NDArray[np.int64]:
    """Return the rows with a word, and those with none, from the codes as they are stored."""
    found, first = [np.empty(0, np.int64)], 0
    for chunk in column.chunks:
        code = pc.index(chunk.dictionary, kind).as_py()
        if chunk.null_count:
            codes = pc.fill_null(chunk.indices, -1).to_numpy()
            found.append(np.flatnonzero((codes == code) | (codes == -1)) + first)
        elif code >= 0:
            found.append(np.flatnonzero(chunk.indices.to_numpy() == code) + first)
        first += len(chunk)
    return np.concatenate(found)


def _found(ids: Ids, named: Ids) -> NDArray[np.bool_]:
    if len(named) == 0:
        return np.zeros(len(ids), np.bool_)
    place = np.minimum(np.searchsorted(named, ids), len(named) - 1)
    return np.asarray(named[place] == ids, dtype=np.bool_)
