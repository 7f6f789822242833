"""Events in no order come back whole, account by account, whatever their numbers and words."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data import borders as borders_module
from relimit.data import spill as spill_module
from relimit.data.borders import Borders
from relimit.data.layout import Layout, Layouts, ranges_of
from relimit.data.overlap import Workers
from relimit.data.row_groups import Lot, lots_of, row_groups
from relimit.data.schema import events_schema
from relimit.data.spill import spill

EXTREMES = (-(2**63), -(2**40), -1, 0, 1, 7, 2**40, 2**63 - 1)


def whole(values: Any, kind: pa.DataType, lacking: float, seed: int) -> pa.Array:
    """A column of which a share is null."""
    lacks = np.random.default_rng(seed).random(len(values)) < lacking
    values = values.tolist() if isinstance(values, np.ndarray) else values
    return pa.array([None if no else one for no, one in zip(lacks, values, strict=True)], kind)


def book(ids: list[Any], lacking: float, size: int = 3_000) -> pa.Table:
    """Events of any numbers, whose kinds and details change on the way."""
    rng = np.random.default_rng(5)
    part = np.arange(size) * 4 // size
    numbers = np.array(EXTREMES)[rng.integers(0, len(EXTREMES), size)]
    ts = np.where(part == 3, numbers // 2, 10**15 + rng.integers(0, 5, size))
    kinds, details = ["draw", "due", "moon", "tide"], ["", "é", "home", "a" * 300]
    schema = events_schema(pa.string() if isinstance(ids[0], str) else None)
    columns = [
        pa.array([ids[place] for place in rng.integers(0, len(ids), size)], schema.types[0]),
        pa.array(ts, schema.types[1]),
        whole(ts + rng.integers(0, 3, size), schema.types[2], lacking, 1),
        pa.array([kinds[place] for place in np.minimum(part, rng.integers(0, 4, size))]),
        whole(numbers, pa.int64(), lacking, 2),
        whole(numbers.astype(np.int32), pa.int32(), lacking, 3),
        whole(np.where(part < 2, 3, numbers), pa.int64(), lacking, 4),
        whole([details[place] for place in rng.integers(0, 4, size)], pa.string(), lacking, 5),
    ]
    return pa.table(columns, names=schema.names)


def rows(table: pa.Table) -> list[tuple[Any, ...]]:
    times = [table[name].cast(pa.int64()).to_pylist() for name in ("ts", "known_at")]
    rest = ("account_id", "kind", "amount", "value", "loan_id", "detail")
    return list(zip(*times, *(table[name].to_pylist() for name in rest), strict=True))


def spilled(path: Path, folder: Path, pool: Workers | None = None, **named: Any) -> list[pa.Table]:
    folder.mkdir()
    groups = list(row_groups(path))
    return list(spill(groups, folder, pool, **named))


NUMBERS = [-(2**63), -5, 0, 3, 4, 5, 6, 2**62, 2**63 - 1]
WORDS = ["", "b", "ba", "b\0", "b\0\0", "bz" * 9, "bz" * 9 + "1", "é", "zz", "\U0001f600"]
LIKE = [f"customer-number-{number:06}" for number in range(90)]


@pytest.mark.parametrize("ids", [NUMBERS, WORDS, LIKE, [4], ["4"]])
@pytest.mark.parametrize("lacking", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("workers", [0, 2])
def test_every_row_comes_back_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ids: list[Any], lacking: float, workers: int
) -> None:
    monkeypatch.setattr(spill_module, "BUCKET_ROWS", 200)
    monkeypatch.setattr(spill_module, "_BATCH_ROWS", 170)
    table = book(ids, lacking)
    pq.write_table(table, tmp_path / "e.parquet", row_group_size=500)
    with Workers(2) as pool:
        tables = spilled(tmp_path / "e.parquet", tmp_path / "copy", pool if workers else None)
    assert Counter(row for part in tables for row in rows(part)) == Counter(rows(table))
    assert list((tmp_path / "copy").iterdir()) == []
    order = []
    for part in tables:
        ids_, known = part["account_id"].to_pylist(), part["known_at"].cast(pa.int64()).to_pylist()
        ts = part["ts"].cast(pa.int64()).to_pylist()
        time = [one if known is None else known for known, one in zip(known, ts, strict=True)]
        order += list(zip(ids_, time, strict=True))
    assert order == sorted(order)
    assert len(tables) > 1 or len(ids) == 1


def test_columns_not_there_are_null_and_details_not_asked_for_absent(tmp_path: Path) -> None:
    table = book(NUMBERS, 0.1).drop_columns(["known_at", "loan_id"])
    pq.write_table(table, tmp_path / "e.parquet", row_group_size=500)
    names = [name for name in events_schema().names if name != "detail"]
    found = pa.concat_tables(spilled(tmp_path / "e.parquet", tmp_path / "copy", names=names))
    assert found.column_names == names
    for name in ("known_at", "loan_id"):
        assert found[name].null_count == table.num_rows
    assert sorted(found["amount"].drop_null().to_pylist()) == sorted(
        table["amount"].drop_null().to_pylist()
    )


def test_the_copy_takes_few_bytes_a_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    size = 40_000
    ts = 1_600_000_000_000_000 + rng.integers(0, 900 * 86_400_000_000, size)
    data = {
        "account_id": rng.integers(0, 1_000_000, size), "ts": ts,
        "known_at": ts + rng.integers(0, 2 * 86_400_000_000, size),
        "kind": ["draw", "due"] * (size // 2), "amount": rng.integers(1, 10**6, size),
        "value": [None, 30] * (size // 2), "loan_id": [None, 3] * (size // 2),
    }  # fmt: skip
    fields = [field for field in events_schema() if field.name in data]
    table = pa.table({field.name: pa.array(data[field.name], field.type) for field in fields})
    pq.write_table(table, tmp_path / "e.parquet")
    taken, sizes = spill_module._sorted_bucket, []

    def note(*found: Any) -> pa.Table:
        sizes.extend(path.stat().st_size for path in (tmp_path / "copy").iterdir())
        return taken(*found)

    monkeypatch.setattr(spill_module, "_sorted_bucket", note)
    spilled(tmp_path / "e.parquet", tmp_path / "copy")
    assert sum(sizes) == 24 * size


@pytest.mark.parametrize("far", [2**20, 2**50])
def test_times_of_one_key_are_sorted_as_well(far: int) -> None:
    rng = np.random.default_rng(3)
    account = rng.integers(0, 3, 5_000) * far
    known_at = rng.integers(0, 20, 5_000) + rng.integers(0, 2, 5_000) * 2**62
    order = spill_module._order(account, known_at)
    assert sorted(order.tolist()) == list(range(5_000))
    pairs = list(zip(account[order], known_at[order], strict=True))
    assert pairs == sorted(zip(account, known_at, strict=True))


def test_numbers_are_laid_in_no_more_bits_than_they_need() -> None:
    columns = {
        "a": np.array([5, 6, 5]), "b": np.array([-(2**63), 2**63 - 1, 0]),
        "c": np.array([7, 7, 7], np.int32), "d": np.array([0, 2**40, 1]),
        "e": np.array([0, 1, 0], np.uint8),
    }  # fmt: skip
    layout = Layout.of(ranges_of(columns))
    assert {name: field.bits for name, field in layout.fields.items()} == {
        "a": 1, "b": 64, "c": 0, "d": 41, "e": 1,
    }  # fmt: skip
    assert layout.words == 2
    words = layout.packed(columns)
    assert words is not None
    for name, values in columns.items():
        assert layout.column(words, name).tolist() == values.tolist()
    assert layout.flags(words, "e").tolist() == [False, True, False]
    assert layout.packed(columns | {"c": np.array([7, 8, 7])}) is None
    assert layout.packed(columns | {"d": np.array([0, 2**41, 1])}) is None


@pytest.mark.parametrize("way", [1, -1])
def test_a_layout_lasts_whichever_way_the_numbers_go(way: int) -> None:
    layouts, seen = Layouts(), []
    for day in range(1, 400):
        ts = way * np.arange(day * 100, day * 100 + 101)
        seen.append((ts, *layouts.packed({"ts": ts, "same": np.full(101, 4)})))
    assert len({id(layout) for _, layout, _ in seen}) < 15
    assert layouts.widest.fields["same"].bits == 0
    ends = np.array([-(2**63), 2**63 - 1])
    last, words = layouts.packed({"ts": ends, "same": np.array([4, 5])})
    assert last.column(words, "ts").tolist() == ends.tolist()
    for ts, layout, words in seen:
        assert last.column(last.moved(words, layout), "ts").tolist() == ts.tolist()


def lots(path: Path, ids: pa.Array, rows: int) -> list[Lot]:
    size = len(ids)
    table = pa.table({"account_id": ids, "ts": pa.array(np.zeros(size, np.int64))})
    pq.write_table(table, path, row_group_size=rows)
    return list(lots_of(row_groups(path), size))


def ids_of(how: str, size: int) -> pa.Array:
    rng = np.random.default_rng(2)
    numbers = rng.integers(0, 5_000, size)
    if how == "far":  # most of the ids in the first of 2^16 cells
        numbers[rng.random(size) < 0.01] += 2**60
    if how == "in time":  # accounts that are opened while the file is written
        numbers = (np.arange(size) * rng.random(size) * 5_000 / size).astype(np.int64)
    if how == "sorted parts":
        numbers = np.sort(numbers.reshape(40, -1), axis=1).ravel()
    if how == "words":
        return pa.array([f"customer {number:07}" for number in numbers])
    return pa.array(numbers)


@pytest.mark.parametrize("how", ["even", "far", "in time", "sorted parts", "words"])
@pytest.mark.parametrize("groups", [4, 40, 1_000])
def test_buckets_are_ascending_accounts_of_like_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, groups: int
) -> None:
    monkeypatch.setattr(borders_module, "_SAMPLE", 4_000)
    ids = ids_of(how, 40_000)
    found = Borders.of(lots(tmp_path / "e.parquet", ids, len(ids) // groups), 2_000)
    bucket = found.bucket(pa.chunked_array([ids]))
    assert found.buckets == 21
    counts = np.bincount(bucket, minlength=found.buckets)
    assert counts.max() < 2 * len(ids) / found.buckets
    order = np.argsort(bucket, kind="stable")
    inner = np.flatnonzero(np.diff(bucket[order]))
    mine = ids.take(pa.array(order)).to_pylist()
    assert all(max(mine[: edge + 1]) < min(mine[edge + 1 :]) for edge in inner)


@pytest.mark.parametrize("sample", [[10, 20, 30], ["cust-10", "cust-20", "cust-30"]])
def test_accounts_beyond_the_sample_are_in_their_place(tmp_path: Path, sample: list[Any]) -> None:
    found = Borders.of(lots(tmp_path / "e.parquet", pa.array(sample), 3), 1)
    beyond = {int: [-(2**63), 9, 31, 2**63 - 1], str: ["", "cu", "cust-4", "d", "é"]}[
        type(sample[0])
    ]
    mine = sorted([*sample, *beyond])
    bucket = found.bucket(pa.chunked_array([pa.array(mine)])).tolist()
    assert bucket == sorted(bucket)
    assert bucket[-1] == found.buckets - 1
