"""The simulator's known truth: reader of `oracle`, for tests and benchmarks alone."""

from pathlib import Path

import pyarrow as pa

from relimit.data.schema import oracle_schema
from relimit.data.simulator.writer import ORACLE, ORACLE_ACCOUNTS
from relimit.data.tables import read_parquet

LATENT_TYPES = pa.schema(
    [pa.field("account_id", pa.int64(), nullable=False), pa.field("type", pa.string())]
)


def read_oracle(book: Path) -> pa.Table:
    """Return the outcomes of every arm for a simulated book's sampled decisions."""
    return read_parquet(book / ORACLE, oracle_schema(), table="oracle")


def read_latent_types(book: Path) -> pa.Table:
    """Return every account's latent type, by `account_id`."""
    return read_parquet(book / ORACLE_ACCOUNTS, LATENT_TYPES, table="oracle_accounts")
