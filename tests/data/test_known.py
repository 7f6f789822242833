"""Tables that don't belong to the events are refused, and strays are counted."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data.errors import DataError
from relimit.data.known import count_without_events


@pytest.fixture
def events(tmp_path: Path) -> Path:
    table = pa.table(
        {
            "account_id": [1, 1, 2],
            "ts": pa.array([1, 2, 3], pa.timestamp("us", tz="UTC")),
            "kind": ["limit", "draw", "limit"],
            "amount": [10, 5, 10],
        }
    )
    pq.write_table(table, tmp_path / "events.parquet", row_group_size=1)
    return tmp_path / "events.parquet"


def test_rows_of_unknown_accounts_are_counted(events: Path) -> None:
    assert count_without_events(events, np.array([1, 2, 2, 9]), where="snapshots") == 1
    assert count_without_events(events, np.array([], np.int64), where="snapshots") == 0


def test_a_table_of_another_book_is_refused(events: Path) -> None:
    with pytest.raises(DataError, match=r"none of the 2 rows .* has events in .*events\.parquet"):
        count_without_events(events, np.array([8, 9]), where="snapshots.parquet")
