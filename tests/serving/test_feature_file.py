"""Features are written block by block, in the order of the snapshots, whatever that is."""

import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data.schema import TIME
from relimit.features import compute_features, feature_names, iter_features
from relimit.features.testing import random_events
from relimit.serving import feature_file
from relimit.serving.feature_file import write_features


@pytest.fixture
def events(tmp_path: Path) -> Path:
    table = random_events(5, accounts=40).sort_by("account_id")
    pq.write_table(table, tmp_path / "events.parquet", row_group_size=100)
    return tmp_path / "events.parquet"


def snapshots(*, ascending: bool, size: int = 300) -> pa.Table:
    rng = np.random.default_rng(2)
    ids = rng.integers(-2, 45, size)
    as_of = 1_700_000_000_000_000 + 86_400_000_000 * rng.integers(-1, 230, size)
    return pa.table(
        {"account_id": np.sort(ids) if ascending else ids, "as_of": pa.array(as_of, TIME)}
    )


@pytest.mark.parametrize("group_rows", [7, 100, 32_768])
@pytest.mark.parametrize("ascending", [True, False])
def test_a_file_has_the_computed_features_in_the_order_of_the_snapshots(
    tmp_path: Path,
    events: Path,
    ascending: bool,
    group_rows: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(feature_file, "GROUP_ROWS", group_rows)
    points, names = snapshots(ascending=ascending), feature_names()
    blocks = iter_features(events, points, workers=2)
    assert blocks.in_order == ascending
    out = tmp_path / "new" / "features.parquet"
    missing = write_features(blocks, points, names, out, where="snapshots")
    written = pq.read_table(out)
    assert written.select(["account_id", "as_of"]).equals(points)
    assert tuple(written.column_names[2:]) == names
    assert missing == sum(not 0 <= one < 40 for one in points["account_id"].to_pylist())
    expected = compute_features(events, points)
    for name, column in zip(names, expected.T, strict=True):
        assert written[name].null_count == np.isnan(column).sum()
        assert np.array_equal(written[name].to_numpy(), column, equal_nan=True), name
    assert [path.name for path in out.parent.iterdir()] == ["features.parquet"]


def test_no_snapshots_make_a_file_without_rows(tmp_path: Path, events: Path) -> None:
    points = snapshots(ascending=False).slice(0, 0)
    out = tmp_path / "features.parquet"
    assert (
        write_features(iter_features(events, points), points, feature_names(), out, where="") == 0
    )
    assert pq.read_table(out).num_rows == 0


class Blocks:
    """Ascending blocks of 10 rows; how many of those that were handed over are still held."""

    in_order = True

    def __init__(self, number: int) -> None:
        self.number = number
        self.most = 0

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        given: list[weakref.ref[np.ndarray]] = []
        for place in range(self.number):
            matrix = np.full((10, 1), float(place))
            given.append(weakref.ref(matrix))
            yield np.arange(10 * place, 10 * place + 10), matrix
            del matrix
            self.most = max(self.most, sum(one() is not None for one in given))

    def count_without_events(self, *, where: str) -> int:
        return 0


def test_blocks_are_let_go_once_they_are_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_file, "GROUP_ROWS", 40)
    points, blocks = snapshots(ascending=True, size=1000), Blocks(100)
    out = tmp_path / "features.parquet"
    write_features(blocks, points, ["one"], out, where="")  # type: ignore[arg-type]
    assert pq.read_table(out)["one"].to_pylist() == np.repeat(np.arange(100.0), 10).tolist()
    assert pq.ParquetFile(out).num_row_groups == 25
    assert blocks.most <= 6
