"""The simulator's known truth: reader of `oracle`, for tests and benchmarks alone."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def read_oracle(book: Path) -> pa.Table:
    """Return the outcomes of every arm for a simulated book's sampled decisions."""
    return pq.read_table(book / "oracle.parquet")
