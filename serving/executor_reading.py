"""What each task of a cluster reads of the events' files, by the reader of a local run."""

from collections.abc import Iterator
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Self

import pyarrow as pa
import pyarrow.compute as pc

from relimit.data.accounts import Ids
from relimit.data.row_groups import RowGroup, bunched, lots_of
from relimit.data.stream import EventPlan
from relimit.data.unusable import conform_read
from relimit.data.wanted import Wanted
from relimit.serving.packed import GATHERED_ROWS, numbered, parted


@dataclass(frozen=True, slots=True)
class Reading:
    """The row groups that hold the events, a share for each task, and whose of these are wanted.

    Attributes
    ----------
    shares
        Those of each task.
    names
        The columns to read, of those that a file has.
    accounts
        Ascending ids to keep; None keeps all.
    after
        Only accounts after this one are kept; None keeps from the first.
    lenient
        See `EventPlan`.
    """

    shares: tuple[tuple[RowGroup, ...], ...]
    names: tuple[str, ...]
    accounts: Ids | None
    after: Any
    lenient: bool

    @classmethod
    def of(cls, plan: EventPlan, accounts: Ids | None) -> Self:
        """Share out what a plan reads."""
        shares = tuple(bunched(plan.groups, GATHERED_ROWS, attrgetter("rows")))
        return cls(shares, tuple(plan.schema.names), accounts, plan.after, plan.lenient)

    def parts(self, task: int, borders: Ids) -> Iterator[pa.RecordBatch]:
        """Yield a task's events by bucket, see `parted`.

        Raises
        ------
        DataError
            A file can't be read, or its rows break their contract.
        """
        return parted(numbered(self._tables(task), borders))

    def _tables(self, task: int) -> Iterator[pa.Table]:
        for lot in lots_of(self.shares[task], GATHERED_ROWS):
            names = [name for name in self.names if name in lot.names]
            for piece in lot.pieces(names, GATHERED_ROWS):
                yield self._wanted(conform_read(piece, where=str(lot.path), lenient=self.lenient))

    def _wanted(self, events: pa.Table) -> pa.Table:
        if self.after is not None:
            events = events.filter(pc.greater(events["account_id"], self.after))
        return events if self.accounts is None else Wanted(self.accounts).of(events)
