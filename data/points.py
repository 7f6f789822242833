"""The points that are observed: decisions or snapshots, matched with the blocks of their events."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.accounts import Ids
from relimit.data.contract import check_columns, id_type, with_id_type
from relimit.data.errors import DataError
from relimit.data.events import EventBlock
from relimit.data.prepayments import find_prepayments
from relimit.data.schema import observations_schema
from relimit.data.segments import places_of
from relimit.data.stream import iter_event_blocks
from relimit.data.tables import conform

OUTCOMES: Final = ("bad", "loss")
"""What observing adds to a point."""


def points_schema() -> pa.Schema:
    """Return the schema of observations without their outcomes."""
    return pa.schema([field for field in observations_schema() if field.name not in OUTCOMES])


def points_of(table: pa.Table, *, where: str) -> pa.Table:
    """Return the points that a table of snapshots or of decisions names, in its order.

    Raises
    ------
    DataError
        `account_id` or `as_of` (`decided_at` of a decision) is missing, ill-typed or null.
    """
    if "decided_at" in table.column_names:
        table = table.rename_columns({"decided_at": "as_of"})
    wanted = points_schema()
    check_columns(table.schema, wanted, table=where, where=where, rows=table.num_rows)
    wanted = with_id_type(wanted, id_type(table.schema.field("account_id").type))
    return conform(table, wanted, where=where)


@dataclass(frozen=True, slots=True)
class Match:
    """Some points with the block that has the events of their accounts.

    Attributes
    ----------
    rows
        `[n]`, which points they are.
    account
        `[n]`, the place of each one's account in the block.
    """

    block: EventBlock
    rows: NDArray[np.int64]
    account: NDArray[np.int64]


def iter_matches(events: Path, points: pa.Table) -> Iterator[Match]:
    """Stream the events of the points' accounts and yield which points each block serves.

    A point whose account has no events is in no match.
    """
    ids: Ids = points["account_id"].to_numpy()
    accounts, which = np.unique(ids, return_inverse=True)
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(len(accounts) + 1))
    for block in iter_event_blocks(events, accounts=accounts):
        places = np.searchsorted(accounts, block.account_ids)
        counts = bounds[places + 1] - bounds[places]
        account, place = places_of(bounds[places], counts)
        yield Match(block, order[place], account)


def check_ids(points: pa.Table, account_id: pa.DataType, *, where: str) -> None:
    """Raise a `DataError` if the points' ids are of another type than the events'."""
    found = points.schema.field("account_id").type
    if found != account_id and points.num_rows:
        what = f"column account_id is {found} ({points.num_rows} rows), but {account_id} in events"
        raise DataError(what, where=where, mend="Write the ids alike in both")


def found_points(block: EventBlock, ends: int) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return every decision that a block's prepayments call for up to `ends`, and its account."""
    found = find_prepayments(block, since=np.iinfo(np.int64).min, as_of=ends)
    found = found.take(found.prepaid > 0)
    ids: Any = block.account_ids[found.account]
    kind = pa.string() if block.account_ids.dtype == object else pa.int64()
    table = pa.table(
        {
            "account_id": pa.array(ids, kind),
            "as_of": pa.array(found.as_of).cast(points_schema().field("as_of").type),
            "decision_id": pa.array(found.decision_id, pa.string()),
            "freed": found.freed,
        }
    )
    return points_of(table, where="prepayments"), found.account
