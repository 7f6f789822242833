"""Whether the accounts that somebody asks about have any events."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relimit.data.errors import DataError
from relimit.data.events import Ids
from relimit.data.files import open_parquet, validate_schema
from relimit.data.schema import events_schema


def count_without_events(events: Path, account_id: Ids, *, where: str) -> int:
    """Return how many rows of a table are about accounts that have no events.

    Parameters
    ----------
    account_id
        `[n]` ids of the table's rows.
    where
        The table's name for messages.

    Raises
    ------
    DataError
        If none of them has events: the two don't belong together.
    """
    known = _accounts(events)
    missing = int((~np.isin(account_id.astype(str), known.astype(str))).sum())
    if missing and missing == len(account_id):
        raise DataError(
            f"none of the {missing} rows is about an account that has events in {events}",
            where=where,
            mend="Bring the events and the rows of the same book, with ids written alike",
        )
    return missing


def _accounts(events: Path) -> Ids:
    """Return the distinct accounts of an events table; of its footers' rows, one column is read."""
    found = validate_schema(events, events_schema(), "events")
    parts = []
    for file in found.files:
        footer = open_parquet(file)
        for group in range(footer.num_row_groups):
            column = footer.read_row_group(group, columns=["account_id"])["account_id"]
            parts.append(pc.unique(column).cast(found.schema.field("account_id").type))
    if not parts:
        return np.empty(0, np.int64)
    return np.asarray(pc.unique(pa.concat_arrays(parts)).to_numpy(zero_copy_only=False))
