"""What earlier nights decided, as a later night finds it."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relimit.policy.cases import Bools, Dates, Ints
from relimit.policy.gates import GATES

if TYPE_CHECKING:
    from relimit.policy.decisions import Decisions


@dataclass(frozen=True, slots=True)
class Earlier:
    """What earlier nights decided about the same prepayments, `[n]` each.

    Attributes
    ----------
    decision_id
        Strings.
    decided_at
        int64 microseconds UTC: when the prepayment was first decided.
    freed, restored
        int64 fen freed by the prepayment, and what of it is back already.
    promised, promised_on
        int64 fen still to come, and datetime64[D] when; 0 and NaT where nothing is.
    not_later_than
        datetime64[D], as told to the borrower.
    gate_closed
        Whether a gate was closed on the last night.
    """

    decision_id: list[str]
    decided_at: Ints
    freed: Ints
    restored: Ints
    promised: Ints
    promised_on: Dates
    not_later_than: Dates
    gate_closed: Bools

    @classmethod
    def from_decisions(cls, table: pa.Table) -> Self:
        """Read one night's decisions, whose `restore_now` has been given back since."""
        row, stages = _flat(table["restore_later"])
        promised = np.zeros(table.num_rows, np.int64)
        promised[row] = stages.field("amount").to_numpy(zero_copy_only=False)
        promised_on = np.full(table.num_rows, np.datetime64("NaT", "D"), "datetime64[D]")
        promised_on[row] = stages.field("date").to_numpy(zero_copy_only=False)
        row, codes = _flat(table["reasons"])
        gates = pc.is_in(codes, pa.array(GATES)).to_numpy(zero_copy_only=False)
        gate_closed = np.zeros(table.num_rows, bool)
        gate_closed[row[gates]] = True
        return cls(
            decision_id=table["decision_id"].to_pylist(),
            decided_at=table["as_of"].cast(pa.int64()).to_numpy(),
            freed=table["freed"].to_numpy(),
            restored=table["restore_now"].to_numpy(),
            promised=promised,
            promised_on=promised_on,
            not_later_than=table["not_later_than"].to_numpy(),
            gate_closed=gate_closed,
        )

    def then(self, night: "Decisions") -> Self:
        """Return what stands after a later night whose `restore_now` has been given back too."""
        return self.followed_by(self.from_decisions(night.to_table()))

    def followed_by(self, night: Self) -> Self:
        """Return what stands after a later night that was read by itself: its `freed` was left."""
        return replace(
            night,
            decided_at=self.decided_at,
            freed=self.freed,
            restored=self.restored + night.restored,
        )


def _flat(lists: pa.ChunkedArray) -> tuple[Ints, Any]:
    """Return the items of a column of lists, and the row of each."""
    column = lists.combine_chunks()
    return pc.list_parent_indices(column).to_numpy(zero_copy_only=False), column.flatten()
