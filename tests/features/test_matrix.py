"""A whole file's features: the same numbers whatever the blocks, threads, order and company."""

import gc
import threading
import time
import weakref
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data.errors import DataError
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.schema import TIME
from relimit.features import (
    History,
    catalogue,
    compute_features,
    feature_matrix,
    feature_names,
    iter_features,
)
from relimit.features import stream as feature_stream
from relimit.features.testing import random_events

START = 1_700_000_000_000_000
DAY = 86_400_000_000


def snapshots(size: int = 300, accounts: int = 45) -> pa.Table:
    rng = np.random.default_rng(3)
    as_of = START + DAY * rng.integers(-1, 230, size)
    ids = rng.integers(-2, accounts, size)
    return pa.table({"account_id": ids, "as_of": pa.array(as_of, TIME)})


def one_by_one(events: pa.Table, points: pa.Table) -> np.ndarray:
    rows = []
    as_of = points["as_of"].cast(pa.int64()).to_numpy()
    for account, moment in zip(points["account_id"].to_pylist(), as_of, strict=True):
        mine = blocks_from_table(
            events.filter(
                pa.array([other == account for other in events["account_id"].to_pylist()])
            )
        )
        place = 0 if len(mine.account_ids) else -1
        rows.append(feature_matrix(History(mine, np.array([place]), np.array([moment])))[0])
    return np.array(rows)


@pytest.fixture
def events() -> pa.Table:
    table = random_events(5, accounts=40)
    return table.take(pa.compute.sort_indices(table, [("account_id", "ascending")]))


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("rows", [1, 100, 100_000])
def test_a_file_gives_each_snapshot_the_numbers_it_has_alone(
    tmp_path: Path, events: pa.Table, rows: int, workers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_stream, "BLOCK_ROWS", rows)
    pq.write_table(events, tmp_path / "e.parquet", row_group_size=150)
    points = snapshots(60)
    found = compute_features(tmp_path / "e.parquet", points, workers=workers)
    assert np.array_equal(found, one_by_one(events, points), equal_nan=True)


def test_sorted_shuffled_and_parted_files_give_the_same_bits(
    tmp_path: Path, events: pa.Table
) -> None:
    points = snapshots()
    pq.write_table(events, tmp_path / "sorted.parquet", row_group_size=100)
    order = np.random.default_rng(0).permutation(events.num_rows)
    pq.write_table(events.take(pa.array(order)), tmp_path / "shuffled.parquet", row_group_size=100)
    (tmp_path / "parts").mkdir()
    for part in range(3):
        piece = events.slice(part * 600, 600)
        pq.write_table(piece, tmp_path / "parts" / f"{2 - part}.parquet")
    expected = compute_features(tmp_path / "sorted.parquet", points)
    for name in ("shuffled.parquet", "parts"):
        found = compute_features(tmp_path / name, points, workers=2)
        assert np.array_equal(found, expected, equal_nan=True)


def test_only_features_that_say_so_look_at_details(tmp_path: Path, events: pa.Table) -> None:
    """Details are not read for the others: neither from a sorted file nor from a shuffled one."""
    plain = [known.name for known in catalogue() if not known.reads_detail]
    assert 60 < len(plain) < len(catalogue())
    points = snapshots()
    order = np.random.default_rng(0).permutation(events.num_rows)
    for table in (events, events.take(pa.array(order))):
        pq.write_table(table, tmp_path / "e.parquet", row_group_size=100)
        whole = compute_features(tmp_path / "e.parquet", points)
        found = compute_features(tmp_path / "e.parquet", points, names=plain)
        columns = [feature_names().index(name) for name in plain]
        assert np.array_equal(found, whole[:, columns], equal_nan=True)


@pytest.mark.parametrize("in_order", [True, False])
def test_details_are_not_read_in_vain(
    tmp_path: Path, events: pa.Table, monkeypatch: pytest.MonkeyPatch, in_order: bool
) -> None:
    order = np.random.default_rng(0).permutation(events.num_rows)
    table = events if in_order else events.take(pa.array(order))
    pq.write_table(table, tmp_path / "e.parquet", row_group_size=100)
    seen, read = [], []

    def spy(table: pa.Table) -> EventBlock:
        seen.append(blocks_from_table(table).details)
        read.append("detail" in table.column_names)
        return blocks_from_table(table)

    monkeypatch.setattr(feature_stream, "blocks_from_table", spy)
    compute_features(tmp_path / "e.parquet", snapshots(), names=["draw_count_ever"])
    assert seen == [()]
    compute_features(tmp_path / "e.parquet", snapshots(), names=["coupon_share_365d"])
    assert "coupon:home" in seen[-1]
    assert read == [False, True]


def test_string_ids_give_the_same_numbers(tmp_path: Path, events: pa.Table) -> None:
    points = snapshots()
    pq.write_table(events, tmp_path / "numbers.parquet")
    expected = compute_features(tmp_path / "numbers.parquet", points)
    for table, name in ((events, "e"), (points, "s")):
        words = [f"account {number}" for number in table["account_id"].to_pylist()]
        pq.write_table(table.set_column(0, "account_id", pa.array(words)), tmp_path / name)
    found = compute_features(tmp_path / "e", pq.read_table(tmp_path / "s"))
    assert np.array_equal(found, expected, equal_nan=True)


def test_each_snapshot_comes_once_with_progress_and_chosen_names(
    tmp_path: Path, events: pa.Table
) -> None:
    pq.write_table(events, tmp_path / "e.parquet", row_group_size=100)
    points, done = snapshots(), []
    names = feature_names()[5:2:-1]
    whole = compute_features(tmp_path / "e.parquet", points)
    rows = []
    parts = iter_features(tmp_path / "e.parquet", points, names=names, progress=done.append)
    for where, numbers in parts:
        assert numbers.shape == (len(where), 3)
        assert np.array_equal(numbers, whole[where, 5:2:-1], equal_nan=True)
        rows += where.tolist()
    assert sorted(rows) == list(range(points.num_rows))
    assert sum(done) == points.num_rows


def test_no_snapshots_give_no_rows(tmp_path: Path, events: pa.Table) -> None:
    pq.write_table(events, tmp_path / "e.parquet")
    found = compute_features(tmp_path / "e.parquet", snapshots().slice(0, 0))
    assert found.shape == (0, len(feature_names()))


def test_an_account_with_100_000_events_among_others(tmp_path: Path, events: pa.Table) -> None:
    size = 100_000
    column = {
        name: events[name].take(pa.array(np.arange(size) % events.num_rows))
        for name in events.column_names
    }
    ids = pa.array(np.full(size, 17))
    large = pa.table(column | {"account_id": ids})
    small = events.filter(pa.compute.not_equal(events["account_id"], 17))
    both = pa.concat_tables([small, large])
    pq.write_table(both.sort_by("account_id"), tmp_path / "e.parquet", row_group_size=9_000)
    points = snapshots(200)
    started = time.process_time()
    found = compute_features(tmp_path / "e.parquet", points, workers=2)
    assert time.process_time() - started < 20
    others = np.array(points["account_id"].to_pylist()) != 17
    pq.write_table(small, tmp_path / "small.parquet")
    alone = compute_features(tmp_path / "small.parquet", points)
    assert np.array_equal(found[others], alone[others], equal_nan=True)
    assert np.nanmax(found[~others, feature_names().index("draw_count_ever")]) > 10_000
    moments = points.filter(pa.array(~others))["as_of"].cast(pa.int64()).to_numpy()
    block, place = blocks_from_table(large), np.zeros(1, np.int64)
    for moment, row in zip(moments, found[~others], strict=True):
        alone = feature_matrix(History(block, place, np.array([moment])))[0]
        assert np.array_equal(alone, row, equal_nan=True)


@pytest.mark.parametrize("size", [50, 2_000])
def test_a_live_account_has_the_bits_of_a_batch_of_many_snapshots(size: int) -> None:
    table = random_events(size, accounts=size // 40 + 1).slice(0, size)
    live = table.set_column(0, "account_id", pa.array(np.full(size, 7)))
    others = random_events(1, accounts=5)
    block = blocks_from_table(pa.concat_tables([live, others]))
    as_of = START + DAY * np.linspace(-2, 450, 120).astype(np.int64)
    account = np.where(np.arange(120) % 4 == 3, 2, len(block.account_ids) - 1)
    batch = feature_matrix(History(block, account, as_of))
    mine = blocks_from_table(live)
    for row in np.flatnonzero(account != 2):
        alone = feature_matrix(History(mine, np.zeros(1, np.int64), as_of[row : row + 1]))
        assert np.array_equal(alone[0], batch[row], equal_nan=True)


@pytest.mark.parametrize("size", [1, 40])
def test_what_nobody_needs_is_null_and_the_rest_as_it_is(events: pa.Table, size: int) -> None:
    block = blocks_from_table(events)
    account, as_of = np.arange(size) % 40, np.full(size, START + 200 * DAY)
    whole = feature_matrix(History(block, account, as_of))
    names = feature_names()
    needed = frozenset(names[::3])
    part = feature_matrix(History(block, account, as_of), names, needed)
    assert np.array_equal(part[:, ::3], whole[:, ::3], equal_nan=True)
    others = [place for place, name in enumerate(names) if name not in needed]
    assert np.isnan(part[:, others]).all()


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"account_id": [1]}, "column as_of is missing"),
        ({"account_id": [1], "as_of": [5]}, "column as_of is int64"),
        ({"account_id": [1.5], "as_of": pa.array([5], TIME)}, "column account_id is double"),
        ({"account_id": ["a"], "as_of": pa.array([5], TIME)}, "account_id is int64, but string in"),
        (
            {"account_id": pa.array([None], pa.int64()), "as_of": pa.array([5], TIME)},
            "is null in 1",
        ),
    ],
)
def test_snapshots_that_break_the_contract_are_refused(
    tmp_path: Path, events: pa.Table, table: dict[str, object], message: str
) -> None:
    pq.write_table(events, tmp_path / "e.parquet")
    with pytest.raises(DataError, match=message):
        compute_features(tmp_path / "e.parquet", pa.table(table))


def test_an_abandoned_iterator_leaves_no_thread(tmp_path: Path, events: pa.Table) -> None:
    pq.write_table(events, tmp_path / "e.parquet", row_group_size=100)
    before = threading.active_count()
    parts = iter_features(tmp_path / "e.parquet", snapshots(), workers=2)
    next(parts)
    parts.close()
    assert threading.active_count() == before


def test_a_fault_in_a_later_part_reaches_the_caller(tmp_path: Path, events: pa.Table) -> None:
    pq.write_table(events, tmp_path / "a.parquet", write_page_checksum=True, row_group_size=100)
    data = bytearray((tmp_path / "a.parquet").read_bytes())
    column = pq.read_metadata(tmp_path / "a.parquet").row_group(9).column(3)
    data[column.data_page_offset + 60] ^= 4
    (tmp_path / "a.parquet").write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"a\.parquet: can't be read"):
        compute_features(tmp_path / "a.parquet", snapshots(), workers=2)


def test_a_block_is_let_go_without_the_garbage_collector(events: pa.Table) -> None:
    points = snapshots()
    block = blocks_from_table(events)
    account = np.zeros(points.num_rows, np.int64)
    history = History(block, account, points["as_of"].cast(pa.int64()).to_numpy())
    feature_matrix(history)
    kept = weakref.ref(history)
    gc.disable()
    try:
        del history
        assert kept() is None
    finally:
        gc.enable()
