"""A stream of features: in the order of its snapshots; it knows which of them have no events."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data.errors import DataError
from relimit.data.schema import TIME
from relimit.features import compute_features, iter_features
from relimit.features import stream as feature_stream

NAMES = ("draw_count_ever", "limit_amount", "tenure_days")


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Accounts 10, 20 and 30, two events each, a row group each."""
    table = pa.table(
        {
            "account_id": [10, 10, 20, 20, 30, 30],
            "ts": pa.array([1, 2, 3, 4, 5, 6], TIME),
            "kind": ["limit", "draw"] * 3,
            "amount": [10, 5, 20, 5, 30, 5],
        }
    )
    pq.write_table(table, tmp_path / "events.parquet", row_group_size=2)
    return tmp_path / "events.parquet"


def points(ids: list[object], as_of: int = 9) -> pa.Table:
    return pa.table({"account_id": ids, "as_of": pa.array([as_of] * len(ids), TIME)})


def rows_of(events: Path, snapshots: pa.Table) -> list[int]:
    return [row for rows, _ in iter_features(events, snapshots, names=NAMES) for row in rows]


@pytest.mark.parametrize("block", [1, 4, 100])
def test_accounts_without_events_come_where_the_table_has_them(
    events: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_stream, "BLOCK_ROWS", block)
    monkeypatch.setattr(feature_stream, "GAP_ROWS", 1)
    snapshots = points([1, 2, 10, 11, 12, 20, 20, 25, 30, 31, 32])
    assert rows_of(events, snapshots) == list(range(11))
    found = compute_features(events, snapshots, names=NAMES)
    assert found[:, 0].tolist() == [0, 0, 1, 0, 0, 1, 1, 0, 1, 0, 0]
    assert np.nan_to_num(found[:, 1]).tolist() == [0, 0, 10, 0, 0, 20, 20, 0, 30, 0, 0]


def test_a_stream_tells_whether_it_keeps_the_order(events: Path) -> None:
    assert iter_features(events, points([10, 10, 20])).in_order
    assert not iter_features(events, points([20, 10])).in_order
    assert sorted(rows_of(events, points([30, 1, 10, 30]))) == [0, 1, 2, 3]


@pytest.mark.parametrize("ids", [[30, 1, 10, 30, 10], [1, 10, 10, 30, 30]])
def test_each_snapshot_is_taken_at_its_own_time(events: Path, ids: list[object]) -> None:
    times = [7, 9, 1, 5, 2] if ids[0] == 30 else [9, 1, 2, 5, 7]
    snapshots = points(ids).set_column(1, "as_of", pa.array(times, TIME))
    draws = compute_features(events, snapshots, names=NAMES)[:, 0].tolist()
    assert draws == ([1, 0, 0, 0, 1] if ids[0] == 30 else [0, 0, 1, 0, 1])


@pytest.mark.parametrize("ids", [[10, 20, 20, 9, 40, 40], [9, 40, 20, 10, 40, 20]])
def test_snapshots_without_events_are_counted(events: Path, ids: list[object]) -> None:
    blocks = iter_features(events, points(ids), names=NAMES)
    blocks.gather()
    assert blocks.count_without_events(where="snapshots") == 3


def test_no_snapshots_are_no_strays(events: Path) -> None:
    blocks = iter_features(events, points([]).cast(points([1]).schema), names=NAMES)
    assert blocks.gather().shape == (0, 3)
    assert blocks.count_without_events(where="snapshots") == 0


def test_snapshots_of_another_book_are_refused(events: Path) -> None:
    blocks = iter_features(events, points([8, 9]), names=NAMES)
    blocks.gather()
    message = r"snapshots\.parquet: none of the 2 rows .* has events in .*events\.parquet"
    with pytest.raises(DataError, match=message):
        blocks.count_without_events(where="snapshots.parquet")
