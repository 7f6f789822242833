"""Tables whose rows are each about one account: read, and told what of them has no events."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from relimit.data import DataError
from relimit.data.by_account import Check, RowsByAccount, read_by_account
from relimit.serving.fingerprint import fingerprint, unchanged
from relimit.serving.quarantine import NO_EVENTS, quarantine_schema


def read_told(
    path: Path, schema: pa.Schema, table: str, *, order: Sequence[str] = (), check: Check = len
) -> tuple[RowsByAccount, dict[str, str]]:
    """Return a table as `read_by_account` does, and the fingerprint of its files.

    Raises
    ------
    DataError
        If a file can't be read, breaks the contract, or changes meanwhile.
    """
    with unchanged(path):
        rows = read_by_account(path, schema, table=table, order=order, check=check)
        return rows, fingerprint(path)


def require_type(rows: RowsByAccount, account_id: pa.DataType, where: Path) -> None:
    """Raise DataError if a table's ids are of another type than the events'."""
    mine = rows.schema.field("account_id").type
    if mine != account_id:
        what = f"account_id is {mine}, but {account_id} in the events"
        raise DataError(what, where=str(where), mend="Use the same type in both")


def quarantined_without_events(prepayments: pa.Table) -> pa.Table:
    """Return prepayments of accounts that have no events, as the quarantine has them."""
    schema = quarantine_schema(prepayments.schema.field("account_id").type)
    reason = pa.repeat(pa.scalar(NO_EVENTS), prepayments.num_rows)
    return prepayments.append_column("reason", reason).select(schema.names).cast(schema)
