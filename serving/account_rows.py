"""A small table whose rows are each about one account: read, and looked up by ascending account."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import DataError, read_parquet
from relimit.data.accounts import Ids
from relimit.serving.fingerprint import fingerprint, unchanged
from relimit.serving.quarantine import NO_EVENTS, quarantine_schema


def read_told(path: Path, schema: pa.Schema, table: str) -> tuple[pa.Table, dict[str, str]]:
    """Return a table as `read_parquet` does, and the fingerprint of its files.

    Raises
    ------
    DataError
        If a file can't be read, breaks the contract, or changes meanwhile.
    """
    with unchanged(path):
        return read_parquet(path, schema, table=table), fingerprint(path)


def require_type(table: pa.Table, account_id: pa.DataType, where: Path) -> None:
    """Raise DataError if a table's ids are of another type than the events'."""
    mine = table.schema.field("account_id").type
    if mine != account_id:
        what = f"account_id is {mine}, but {account_id} in the events"
        raise DataError(what, where=str(where), mend="Use the same type in both")


def rows_about(table: pa.Table, ids: Ids, accounts: Ids) -> tuple[pa.Table, NDArray[np.int64]]:
    """Return the rows about some ascending accounts, and each one's place among them.

    `ids` `[n]` are the accounts of the rows, ascending.
    """
    if not len(accounts):
        return table.slice(0, 0), np.empty(0, np.int64)
    low = int(np.searchsorted(ids, accounts[0]))
    high = int(np.searchsorted(ids, accounts[-1], side="right"))
    place = np.searchsorted(accounts, ids[low:high])
    mine = np.flatnonzero(accounts[place] == ids[low:high])
    return table.slice(low, high - low).take(pa.array(mine)), place[mine]


def rows_about_others(table: pa.Table, ids: Ids, seen: Ids, after: Any, through: Any) -> pa.Table:
    """Return the rows about other accounts of `(after, through]` than seen; None is an open end."""
    low = 0 if after is None else int(np.searchsorted(ids, after, side="right"))
    high = len(ids) if through is None else int(np.searchsorted(ids, through, side="right"))
    others = ~np.isin(ids[low:high], seen)
    return table.slice(low, high - low).filter(pa.array(others))


def quarantined_without_events(prepayments: pa.Table) -> pa.Table:
    """Return prepayments of accounts that have no events, as the quarantine has them."""
    schema = quarantine_schema(prepayments.schema.field("account_id").type)
    reason = pa.repeat(pa.scalar(NO_EVENTS), prepayments.num_rows)
    return prepayments.append_column("reason", reason).select(schema.names).cast(schema)
