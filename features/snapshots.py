"""Snapshots grouped by account, so that each block of events finds its own."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.accounts import Ids, group_by_account
from relimit.data.contract import check_columns, id_type, with_id_type
from relimit.data.schema import TIME
from relimit.data.tables import conform

_CONTRACT = pa.schema(
    [pa.field("account_id", pa.int64(), nullable=False), pa.field("as_of", TIME, nullable=False)]
)


@dataclass(frozen=True, slots=True)
class Snapshots:
    """The rows of a table of snapshots, by account.

    Attributes
    ----------
    account_ids
        `[accounts]`, ascending and unique.
    starts
        `[accounts + 1]`: account `i` has the snapshots `starts[i]:starts[i + 1]`, in `order`.
    order
        `[snapshots]` rows of the table, by account; None if they ascend by account as they are.
    as_of
        `[snapshots]` int64, µs since 1970 in UTC, in the order of the table.
    """

    account_ids: Ids
    starts: NDArray[np.int64]
    order: NDArray[np.int64] | None
    as_of: NDArray[np.int64]
    _seen: NDArray[np.bool_] = field(repr=False)

    @classmethod
    def from_table(cls, table: pa.Table) -> "Snapshots":
        """Group the rows of a table with the columns `account_id` and `as_of`.

        Raises
        ------
        DataError
            A column is missing, has the wrong type, or has nulls.
        """
        check_columns(
            table.schema, _CONTRACT, table="snapshots", where="snapshots", rows=table.num_rows
        )
        kind = id_type(table.schema.field("account_id").type)
        table = conform(table, with_id_type(_CONTRACT, kind), where="snapshots")
        as_of = table["as_of"].cast(pa.int64()).to_numpy()
        ids, starts, order = group_by_account(table["account_id"])
        return cls(ids, starts, order, as_of, np.zeros(len(ids), np.bool_))

    @property
    def in_order(self) -> bool:
        """Whether the rows ascend by account, so that they come in the order of the table."""
        return self.order is None

    def span(self, account_ids: Ids) -> tuple[int, int]:
        """Return which of the accounts lie between a block's first and its last: `low, high`."""
        if len(account_ids) == 0 or len(self.account_ids) == 0:
            return 0, 0
        low = int(np.searchsorted(self.account_ids, account_ids[0]))
        return low, int(np.searchsorted(self.account_ids, account_ids[-1], side="right"))

    def rows_of(self, low: int, high: int) -> NDArray[np.int64]:
        """Return the rows of the accounts `low:high`."""
        first, last = self.starts[low], self.starts[high]
        return np.arange(first, last) if self.order is None else self.order[first:last]

    def times_of(self, low: int, high: int) -> NDArray[np.int64]:
        """Return `as_of` of the accounts `low:high`."""
        if self.order is None:
            return self.as_of[self.starts[low] : self.starts[high]]
        return self.as_of.take(self.rows_of(low, high))

    def of_block(self, account_ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return the rows whose accounts are in a block, and each one's place in the block."""
        low, high, place = self.between(account_ids)
        there = place >= 0
        return self.rows_of(low, high)[there], place[there]

    def between(self, account_ids: Ids) -> tuple[int, int, NDArray[np.int64]]:
        """Return the accounts `low:high` of `span`, and each of their rows' place in the block.

        The place of an account that is not in the block, and so has no events, is −1.
        """
        low, high = self.span(account_ids)
        mine = self.account_ids[low:high]
        place = np.searchsorted(account_ids, mine)
        found = account_ids[place] == mine if len(mine) else np.empty(0, np.bool_)
        self._seen[low:high] |= found
        place = np.where(found, place, -1)
        return low, high, np.repeat(place, np.diff(self.starts[low : high + 1]))

    def without_events(self) -> NDArray[np.int64]:
        """Return the rows whose accounts were in none of the blocks asked for so far."""
        missing = np.flatnonzero(np.repeat(~self._seen, np.diff(self.starts)))
        return missing if self.order is None else self.order[missing]
