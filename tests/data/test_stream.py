"""Streaming gives whole accounts, ascending, whatever the file's order, parts and row groups."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data import row_groups, stream
from relimit.data import spill as spill_module
from relimit.data.errors import DataError
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.overlap import Workers
from relimit.data.schema import events_schema
from relimit.data.stream import EventPlan, iter_event_blocks, iter_event_tables

ARRAYS = ("account_ids", "ts", "known_at", "kind", "amount", "has_amount", "value", "has_value")


def book(accounts: int = 40, words: bool = False) -> pa.Table:
    """Accounts of 0 to 29 events, one of 400, times often tied."""
    rng = np.random.default_rng(7)
    count = rng.integers(1, 30, accounts)
    count[3] = 400
    ids = np.repeat(np.arange(accounts) * 5, count)
    size = len(ids)
    ts = rng.integers(0, 50, size)
    schema = events_schema(pa.string() if words else None)
    data = {
        "account_id": [f"a{number:04}" for number in ids] if words else ids,
        "ts": ts,
        "known_at": ts + rng.integers(0, 3, size),
        "kind": rng.choice(["draw", "due", "overdue", "new_kind"], size).tolist(),
        "amount": rng.integers(1, 5, size),
        "value": [None if x else 30 for x in rng.integers(0, 2, size)],
        "loan_id": [None] * size,
        "detail": rng.choice(["home", "other"], size).tolist(),
    }
    return pa.table({field.name: pa.array(data[field.name], field.type) for field in schema})


def shuffled(table: pa.Table) -> pa.Table:
    return table.take(pa.array(np.random.default_rng(1).permutation(table.num_rows)))


def joined(blocks: list[EventBlock]) -> dict[str, list[object]]:
    columns = {name: [x for b in blocks for x in getattr(b, name).tolist()] for name in ARRAYS}
    columns["length"] = [n for b in blocks for n in np.diff(b.starts).tolist()]
    columns["detail"] = [b.details[place] for b in blocks for place in b.detail]
    return columns


def expected(table: pa.Table) -> dict[str, list[object]]:
    return joined([blocks_from_table(table)])


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("row_group", [1, 7, 100, 10_000])
@pytest.mark.parametrize("rows", [1, 50, 100_000])
def test_a_sorted_file_is_streamed(tmp_path: Path, words: bool, row_group: int, rows: int) -> None:
    table = book(words=words)
    pq.write_table(table, tmp_path / "events.parquet", row_group_size=row_group)
    blocks = list(iter_event_blocks(tmp_path / "events.parquet", rows=rows))
    assert joined(blocks) == expected(table)
    assert all(len(b.ts) - np.diff(b.starts).max() < 2 * rows for b in blocks)


@pytest.mark.parametrize("words", [False, True])
def test_an_unsorted_file_gives_the_same_blocks(
    tmp_path: Path, words: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_module, "BUCKET_ROWS", 100)
    table = book(words=words)
    pq.write_table(shuffled(table), tmp_path / "events.parquet", row_group_size=50)
    blocks = list(iter_event_blocks(tmp_path / "events.parquet", rows=60))
    assert joined(blocks) == expected(table)
    assert len(blocks) > 5


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("sorted_file", [True, False])
def test_a_pool_that_reads_ahead_gives_the_same_blocks(
    tmp_path: Path, words: bool, sorted_file: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spill_module, "BUCKET_ROWS", 100)
    table = book(words=words)
    written = table if sorted_file else shuffled(table)
    pq.write_table(written, tmp_path / "events.parquet", row_group_size=50)
    with Workers(2) as pool:
        tables = list(iter_event_tables(tmp_path / "events.parquet", rows=60, pool=pool))
    assert joined([blocks_from_table(table) for table in tables]) == expected(table)
    assert len(tables) > 5


@pytest.mark.parametrize("far", [1, 2**61])
def test_a_bucket_is_sorted_by_account_then_time_however_far_its_ids_lie_apart(far: int) -> None:
    rng = np.random.default_rng(3)
    account, known_at = rng.integers(-3, 3, 500) * far, rng.integers(-(10**15), 10**15, 500)
    order = spill_module._order(account, known_at)
    assert np.array_equal(account[order], np.sort(account))
    pairs = list(zip(account[order], known_at[order], strict=True))
    assert pairs == sorted(zip(account, known_at, strict=True))


def test_a_row_group_too_large_to_sort_is_parted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "LARGEST_GROUP", 100)
    table = book()
    pq.write_table(shuffled(table), tmp_path / "events.parquet")
    assert joined(list(iter_event_blocks(tmp_path / "events.parquet"))) == expected(table)


def test_a_file_without_statistics_is_parted(tmp_path: Path) -> None:
    table = book()
    pq.write_table(table, tmp_path / "events.parquet", row_group_size=100, write_statistics=False)
    assert joined(list(iter_event_blocks(tmp_path / "events.parquet"))) == expected(table)


def test_parts_in_any_order_with_their_own_types_are_one_table(tmp_path: Path) -> None:
    table = book()
    half = table.num_rows // 2
    late = table.slice(half).set_column(3, "kind", table["kind"].slice(half).cast(pa.string()))
    pq.write_table(late, tmp_path / "a.parquet")
    pq.write_table(table.slice(0, half), tmp_path / "b.parquet", row_group_size=64)
    (tmp_path / "_staged.parquet").write_text("not Parquet")
    assert joined(list(iter_event_blocks(tmp_path))) == expected(table)


@pytest.mark.parametrize("sorted_file", [True, False])
@pytest.mark.parametrize("words", [False, True])
def test_some_accounts_can_be_asked_for(tmp_path: Path, words: bool, sorted_file: bool) -> None:
    table = book(words=words)
    wanted = [15, 20, 22, 195, 1000]
    ids = [f"a{number:04}" for number in wanted] if words else wanted
    accounts = np.array(ids, dtype=object if words else np.int64)
    pq.write_table(
        table if sorted_file else shuffled(table), tmp_path / "e.parquet", row_group_size=30
    )
    mine = table.filter(pa.array([x in ids for x in table["account_id"].to_pylist()]))
    blocks = list(iter_event_blocks(tmp_path / "e.parquet", accounts=accounts, rows=10))
    assert joined(blocks) == expected(mine)
    assert list(iter_event_blocks(tmp_path / "e.parquet", accounts=accounts[:0])) == []


def test_a_block_reads_only_the_row_groups_that_may_hold_its_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pq.write_table(book(), tmp_path / "e.parquet", row_group_size=30)
    asked: list[int] = []
    whole = stream.read_groups

    def note(groups: Any, *rest: Any, **named: Any) -> Any:
        asked.extend(group.number for group in groups)
        return whole(groups, *rest, **named)

    monkeypatch.setattr(stream, "read_groups", note)
    list(iter_event_blocks(tmp_path / "e.parquet", accounts=np.array([0])))
    assert asked == [0]


def test_an_empty_file_has_no_blocks(tmp_path: Path) -> None:
    pq.write_table(book().slice(0, 0), tmp_path / "e.parquet")
    assert list(iter_event_blocks(tmp_path / "e.parquet")) == []


def test_the_temporary_copy_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream.tempfile, "tempdir", str(tmp_path))
    (tmp_path / "book").mkdir()
    pq.write_table(shuffled(book()), tmp_path / "book" / "e.parquet", row_group_size=50)
    blocks = iter_event_blocks(tmp_path / "book", rows=60)
    next(blocks)
    assert len(list(tmp_path.iterdir())) == 2
    blocks.close()
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


def test_a_damaged_or_missing_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    with pytest.raises(DataError, match=r"e\.parquet: there is no such file"):
        list(iter_event_blocks(path))
    pq.write_table(book(), path)
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"e\.parquet: can't be read as Parquet"):
        list(iter_event_blocks(path))
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="has no"):
        list(iter_event_blocks(tmp_path / "empty"))


@pytest.mark.parametrize("sorted_file", [True, False])
def test_a_flipped_bit_is_found(tmp_path: Path, sorted_file: bool) -> None:
    path = tmp_path / "e.parquet"
    table = book() if sorted_file else shuffled(book())
    pq.write_table(table, path, row_group_size=100, write_page_checksum=True)
    data = bytearray(path.read_bytes())
    page = pq.read_metadata(path).row_group(1).column(3).data_page_offset
    data[page + 60] ^= 4
    path.write_bytes(bytes(data))
    with pytest.raises(DataError, match=r"e\.parquet"):
        list(iter_event_blocks(path))


def test_parts_with_different_ids_are_refused(tmp_path: Path) -> None:
    pq.write_table(book(), tmp_path / "a.parquet")
    pq.write_table(book(words=True), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet: column account_id is string"):
        list(iter_event_blocks(tmp_path))


def test_a_part_that_breaks_the_contract_is_named(tmp_path: Path) -> None:
    pq.write_table(book(), tmp_path / "a.parquet")
    pq.write_table(book().rename_columns(["id", *book().column_names[1:]]), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet: column account_id is missing"):
        list(iter_event_blocks(tmp_path))


@pytest.mark.parametrize("sorted_file", [True, False])
@pytest.mark.parametrize("words", [False, True])
def test_reading_can_begin_after_an_account(tmp_path: Path, words: bool, sorted_file: bool) -> None:
    table = book(words=words)
    path = tmp_path / "e.parquet"
    pq.write_table(table if sorted_file else shuffled(table), path, row_group_size=30)
    ids = sorted(set(table["account_id"].to_pylist()))
    whole = EventPlan.of(path)
    for after in (ids[0], ids[len(ids) // 2], ids[-1]):
        rest = whole.following(after)
        rows = [row for part in rest.tables(40) for row in part.to_pylist()]
        assert sorted(row["account_id"] for row in rows) == sorted(
            account for account in table["account_id"].to_pylist() if account > after
        )
        assert after == ids[0] or not sorted_file or rest.rows < whole.rows


@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("workers", [0, 2])
def test_a_row_group_in_no_order_is_not_cut_into_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: bool, workers: int
) -> None:
    monkeypatch.setattr(row_groups, "WHOLE", 100)
    table = book(words=words)
    path = tmp_path / "events.parquet"
    pq.write_table(shuffled(table), path, row_group_size=10_000)
    with Workers(2) as pool:
        tables = iter_event_tables(path, rows=50, pool=pool if workers else None)
        assert joined([blocks_from_table(part) for part in tables]) == expected(table)


@pytest.mark.parametrize("whole", [100, 10_000])
@pytest.mark.parametrize("workers", [0, 1, 4])
def test_only_a_large_row_group_is_read_in_small_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, whole: int
) -> None:
    monkeypatch.setattr(row_groups, "WHOLE", whole)
    small, large, last = (book(words=True).slice(*at) for at in ((0, 60), (60, 500), (560, 70)))
    path = tmp_path / "events.parquet"
    with pq.ParquetWriter(path, small.schema) as writer:
        for part in (small, large, last):
            writer.write_table(part)
    plan = EventPlan.of(path)
    with Workers(workers or 1) as pool:
        pieces = list(stream.read_groups(plan.groups, plan.schema, 50, pool if workers else None))
    sizes = [piece.num_rows for piece in pieces]
    assert sizes == ([60, *[50] * 10, 70] if whole == 100 else [60, 500, 70])
    assert pa.concat_tables(pieces).to_pylist() == book(words=True).slice(0, 630).to_pylist()
