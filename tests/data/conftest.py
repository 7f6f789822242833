"""What the tests of checks begin with."""

from datetime import UTC, datetime

import pyarrow as pa
import pytest


@pytest.fixture
def good_events() -> pa.Table:
    """Two good rows: a limit and, a day later, a draw."""
    days = [datetime(2025, 2, 28, 12, tzinfo=UTC), datetime(2025, 3, 1, 12, tzinfo=UTC)]
    times = pa.array(days, pa.timestamp("us", "UTC"))
    return pa.table(
        {
            "account_id": pa.array([1, 1], pa.int64()),
            "ts": times,
            "kind": ["limit", "draw"],
            "amount": pa.array([100, 5], pa.int64()),
            "value": pa.nulls(2, pa.int64()),
            "known_at": times,
            "loan_id": pa.nulls(2, pa.int64()),
            "detail": pa.nulls(2, pa.string()),
        }
    )
