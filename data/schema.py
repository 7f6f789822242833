"""The tables of a book as Arrow schemas: names, types, units, which columns may be left out."""

from typing import Final

import pyarrow as pa

TIME: Final = pa.timestamp("us", tz="UTC")
WORD: Final = pa.dictionary(pa.int8(), pa.string())
DETAIL: Final = pa.dictionary(pa.int32(), pa.string())


def events_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of `events`, money in fen, `account_id` int64 unless said otherwise."""
    return pa.schema(
        [
            pa.field("account_id", account_id or pa.int64(), nullable=False),
            pa.field("ts", TIME, nullable=False),
            pa.field("known_at", TIME),
            pa.field("kind", WORD, nullable=False),
            pa.field("amount", pa.int64()),
            pa.field("value", pa.int32()),
            pa.field("loan_id", pa.int64()),
            pa.field("detail", DETAIL),
        ]
    )


def snapshots_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of snapshots: the points at which features are computed."""
    return pa.schema(
        [
            pa.field("account_id", account_id or pa.int64(), nullable=False),
            pa.field("as_of", TIME, nullable=False),
        ]
    )


def prepayments_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of prepayments to decide on; a null `freed` is taken from the ledger."""
    return pa.schema(
        [
            pa.field("account_id", account_id or pa.int64(), nullable=False),
            pa.field("as_of", TIME, nullable=False),
            pa.field("prepaid", pa.int64(), nullable=False),
            pa.field("freed", pa.int64()),
        ]
    )


def decisions_log_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of the historical `decisions` log, money in fen, delays in days."""
    return pa.schema(
        [
            pa.field("decision_id", pa.string(), nullable=False),
            pa.field("account_id", account_id or pa.int64(), nullable=False),
            pa.field("decided_at", TIME, nullable=False),
            pa.field("prepaid", pa.int64(), nullable=False),
            pa.field("freed", pa.int64(), nullable=False),
            pa.field("share", pa.float64(), nullable=False),
            pa.field("delay_days", pa.int32(), nullable=False),
            pa.field("propensity", pa.float64()),
            pa.field("policy", pa.string()),
        ]
    )


def observations_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of `observations`; a null `bad` has not matured."""
    return pa.schema(
        [
            pa.field("account_id", account_id or pa.int64(), nullable=False),
            pa.field("as_of", TIME, nullable=False),
            pa.field("bad", pa.bool_()),
            pa.field("decision_id", pa.string()),
            pa.field("freed", pa.int64()),
            pa.field("share", pa.float64()),
            pa.field("delay_days", pa.int32()),
            pa.field("propensity", pa.float64()),
            pa.field("loss", pa.int64()),
        ]
    )


def realised_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of what came of logged decisions; see `realised` for its nulls."""
    log = [field for field in decisions_log_schema(account_id) if field.name != "policy"]
    return pa.schema(
        [
            *log,
            pa.field("limit", pa.int64()),
            pa.field("bad", pa.bool_()),
            pa.field("loss", pa.int64()),
            pa.field("margin", pa.int64()),
            pa.field("restored", pa.int64()),
            pa.field("restored_days", pa.float64()),
        ]
    )


def accounts_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of `accounts`; sex, age band and region are for the audit alone."""
    return pa.schema(
        [
            pa.field("account_id", account_id or pa.int64(), nullable=False),
            pa.field("opened_at", TIME),
            pa.field("sex", pa.string()),
            pa.field("age_band", pa.string()),
            pa.field("region", pa.string()),
        ]
    )


def oracle_schema() -> pa.Schema:
    """Return the schema of a simulated book's `oracle`: every arm of each sampled decision."""
    return pa.schema(
        [
            pa.field("decision_id", pa.string(), nullable=False),
            pa.field("share", pa.float64(), nullable=False),
            pa.field("delay_days", pa.int32(), nullable=False),
            pa.field("p_bad", pa.float64(), nullable=False),
            pa.field("bad", pa.bool_(), nullable=False),
            pa.field("loss", pa.int64(), nullable=False),
            pa.field("margin", pa.int64(), nullable=False),
        ]
    )
