import resource
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data.errors import DataError
from relimit.data.files import parquet_files, validate_schema
from relimit.data.schema import TIME, decisions_log_schema, events_schema, observations_schema
from relimit.data.tables import parquet_writer, read_parquet, write_parquet

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def events(**columns: Any) -> pa.Table:
    table = pa.table(
        {
            "account_id": pa.array([1, 1, 2]),
            "ts": pa.array([NOON, NOON + timedelta(days=1), NOON], TIME),
            "kind": pa.array(["limit", "draw", "limit"]),
            "amount": pa.array([100_000, 5_000, 200_000]),
        }
    )
    for name, column in columns.items():
        place = table.schema.get_field_index(name)
        table = (
            table.append_column(name, column)
            if place < 0
            else table.set_column(place, name, column)
        )
    return table


def read(path: Path) -> pa.Table:
    return read_parquet(path, events_schema(), table="events")


def test_a_table_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "events.parquet"
    write_parquet(events(), path)
    back = read(path)
    assert back.schema.equals(events_schema())
    assert back["amount"].to_pylist() == [100_000, 5_000, 200_000]
    assert back["kind"].to_pylist() == ["limit", "draw", "limit"]
    for absent in ("known_at", "value", "loan_id", "detail"):
        assert back[absent].to_pylist() == [None] * 3


def test_written_pages_are_zstd_and_a_flipped_bit_is_found(tmp_path: Path) -> None:
    path = tmp_path / "events.parquet"
    rng = np.random.default_rng(0)
    table = pa.table(
        {
            "account_id": rng.integers(0, 2**62, 20_000),
            "ts": pa.array([NOON] * 20_000, TIME),
            "kind": pa.array(["draw"] * 20_000),
            "amount": rng.integers(0, 2**62, 20_000),
        }
    )
    write_parquet(table, path)
    column = pq.ParquetFile(path).metadata.row_group(0).column(3)
    assert column.compression == "ZSTD"
    whole = path.read_bytes()
    for place in rng.integers(200, 300_000, 10):
        damaged = bytearray(whole)
        damaged[place] ^= 4
        path.write_bytes(bytes(damaged))
        with pytest.raises(DataError, match=r"events\.parquet: can't be read as Parquet"):
            read(path)


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with parquet_writer(tmp_path / "new" / "a.parquet", events().schema) as writer:
            writer.write_table(events())
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_parts_are_read_in_the_order_of_their_names_and_hidden_files_skipped(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "events"
    write_parquet(events().slice(2), folder / "part-2.parquet")
    write_parquet(events().slice(0, 2), folder / "part-1.parquet")
    for hidden in ("_staged.parquet", ".crc.parquet", "_temporary/part-0.parquet"):
        (folder / hidden).parent.mkdir(exist_ok=True)
        (folder / hidden).write_bytes(b"not finished")
    (folder / "part-3.parq").write_bytes(b"")
    assert read(folder)["amount"].to_pylist() == [100_000, 5_000, 200_000]
    found = validate_schema(folder, events_schema(), "events")
    assert [file.name for file in found.files] == ["part-1.parquet", "part-2.parquet"]
    assert [file.name for file in found.unread] == ["part-3.parq"]
    assert found.rows == 3
    assert found.absent == ("known_at", "value", "loan_id", "detail")


def test_a_folder_of_more_parts_than_files_may_be_open_is_read(tmp_path: Path) -> None:
    opened, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    for place in range(60):
        pq.write_table(events(), tmp_path / f"part-{place}.parquet")
    in_use = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 20, most))
    try:
        assert read(tmp_path).num_rows == 180
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (opened, most))


def test_nothing_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        parquet_files(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"has no \*\.parquet file"):
        parquet_files(tmp_path)


WELL_TYPED = [
    ("account_id", pa.array([1, 1, 2], pa.int8()), [1, 1, 2]),
    ("account_id", pa.array([1, 1, 2], pa.uint64()), [1, 1, 2]),
    ("account_id", pa.array(["a", "a", "b"], pa.large_string()), ["a", "a", "b"]),
    ("account_id", pa.array(["a", "a", "b"]).dictionary_encode(), ["a", "a", "b"]),
    ("account_id", pa.array(["a", "a", "b"], pa.string_view()), ["a", "a", "b"]),
    ("amount", pa.array([1, None, 3], pa.int32()), [1, None, 3]),
    ("amount", pa.array([1, None, 3], pa.uint32()), [1, None, 3]),
    ("amount", pa.nulls(3), [None, None, None]),
    ("value", pa.array([30, None, 90], pa.int64()), [30, None, 90]),
    ("kind", pa.array(["limit", "draw", "limit"], pa.large_string()), ["limit", "draw", "limit"]),
    ("kind", pa.array(["limit", "draw", "draw"]).dictionary_encode(), ["limit", "draw", "draw"]),
    ("detail", pa.array(["a", None, "b"], pa.string_view()), ["a", None, "b"]),
    ("detail", pa.nulls(3), [None, None, None]),
    ("loan_id", pa.nulls(3), [None, None, None]),
]


@pytest.mark.parametrize(("name", "column", "expected"), WELL_TYPED)
def test_every_lossless_type_is_taken(
    name: str, column: Any, expected: list[Any], tmp_path: Path
) -> None:
    write_parquet(events(**{name: column}), tmp_path / "events.parquet")
    back = read(tmp_path / "events.parquet")
    assert back[name].to_pylist() == expected
    id_type = back.schema.field("account_id").type
    assert back.schema.equals(events_schema(id_type))
    assert id_type == (
        pa.string() if isinstance(expected[0], str) and name == "account_id" else pa.int64()
    )


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "+05:30"])
def test_any_unit_and_zone_is_the_same_instant(unit: str, zone: str, tmp_path: Path) -> None:
    instants = [NOON, NOON.astimezone(timezone(timedelta(hours=8))), NOON + timedelta(days=1)]
    column = pa.array(instants, pa.timestamp(unit, zone))
    write_parquet(events(ts=column), tmp_path / "events.parquet")
    back = read(tmp_path / "events.parquet")["ts"]
    assert back.type == TIME
    assert back.to_pylist() == [NOON, NOON, NOON + timedelta(days=1)]


ILL_TYPED = [
    ("amount", pa.array([1.0, 2.0, 3.0]), r"column amount is double \(3 rows\), expected int64"),
    ("amount", pa.array(["1", "2", "3"]), r"column amount is string \(3 rows\), expected int64"),
    ("amount", pa.array([True] * 3), r"column amount is bool \(3 rows\), expected int64"),
    ("value", pa.array([30.0, 0, 1]), r"column value is double \(3 rows\), expected int32"),
    ("account_id", pa.array([1.0, 2, 3]), r"account_id is double \(3 rows\), expected int64 or"),
    ("kind", pa.array([1, 2, 3]), r"column kind is int64 \(3 rows\), expected string"),
    ("ts", pa.array([NOON] * 3, pa.timestamp("us")), r"ts is timestamp\[us\] \(3 rows\).*no zone"),
    ("ts", pa.array([NOON.date()] * 3), r"column ts is date32\[day\] \(3 rows\)"),
    ("ts", pa.array([1, 2, 3]), r"column ts is int64 \(3 rows\), expected timestamp\[us, tz=UTC"),
    ("known_at", pa.array(["2025"] * 3), r"column known_at is string \(3 rows\)"),
    ("account_id", pa.array([1, None, 2]), r"column account_id is null in 1 of 3 rows"),
    ("account_id", pa.nulls(3), r"column account_id is null in 3 of 3 rows"),
    ("ts", pa.array([NOON, None, None], TIME), r"column ts is null in 2 of 3 rows"),
    ("kind", pa.array(["draw", None, "due"]), r"column kind is null in 1 of 3 rows"),
    ("value", pa.array([1, 2**31, 2**40]), r"value \(int64\) doesn't fit int32 in 2 of 3 rows"),
    (
        "amount",
        pa.array([1, 2, 2**63], pa.uint64()),
        r"\(uint64\) doesn't fit int64 in 1 of 3 rows",
    ),
    (
        "ts",
        pa.array([1_000, 1_001, 2_002], pa.timestamp("ns", "UTC")),
        r"column ts \(timestamp\[ns, tz=UTC\]\) is not whole microseconds in 2 of 3 rows",
    ),
    (
        "ts",
        pa.array([0, 2**61, 0], pa.timestamp("ms", "UTC")),
        r"column ts \(timestamp\[ms, tz=UTC\]\) doesn't fit timestamp\[us, tz=UTC\] in 1 of 3 rows",
    ),
]


@pytest.mark.parametrize(("name", "column", "message"), ILL_TYPED)
def test_a_wrong_column_is_told_with_file_column_and_rows(
    name: str, column: Any, message: str, tmp_path: Path
) -> None:
    pq.write_table(events(**{name: column}), tmp_path / "events.parquet")
    with pytest.raises(DataError, match=rf"events\.parquet: .*{message}"):
        read(tmp_path / "events.parquet")


@pytest.mark.parametrize("name", ["account_id", "ts", "kind", "amount"])
def test_a_missing_column_is_told_with_the_name_that_was_meant(name: str, tmp_path: Path) -> None:
    table = events().rename_columns({name: f"{name}s"})
    write_parquet(table, tmp_path / "events.parquet")
    message = rf"events\.parquet: column {name} is missing \(3 rows; .*Rename column {name}s to"
    with pytest.raises(DataError, match=message):
        read(tmp_path / "events.parquet")


def test_a_column_that_occurs_twice_is_told(tmp_path: Path) -> None:
    table = events().append_column("amount", pa.array([1, 2, 3]))
    pq.write_table(table, tmp_path / "events.parquet")
    with pytest.raises(DataError, match=r"column amount occurs 2 times \(3 rows\)"):
        read(tmp_path / "events.parquet")


@pytest.mark.parametrize("name", ["amount", "known_at"])
def test_a_column_renamed_in_one_part_is_told(name: str, tmp_path: Path) -> None:
    whole = events(known_at=pa.array([NOON] * 3, TIME))
    write_parquet(whole, tmp_path / "part-1.parquet")
    write_parquet(whole.rename_columns({name: "other"}), tmp_path / "part-2.parquet")
    message = rf"part-2\.parquet: column {name} is missing \(3 rows"
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_ids_of_two_types_are_told(tmp_path: Path) -> None:
    write_parquet(events(), tmp_path / "part-1.parquet")
    words = pa.array(["1", "1", "2"])
    write_parquet(events(account_id=words), tmp_path / "part-2.parquet")
    message = r"part-2\.parquet: column account_id is string \(3 rows\), but int64 in an earlier"
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_parts_of_different_widths_read_as_one_table(tmp_path: Path) -> None:
    small = pa.array([1, 1, 2], pa.int16())
    write_parquet(events(account_id=small), tmp_path / "part-1.parquet")
    write_parquet(events(extra=pa.array([0.5] * 3)), tmp_path / "part-2.parquet")
    assert read(tmp_path)["account_id"].to_pylist() == [1, 1, 2, 1, 1, 2]
    assert validate_schema(tmp_path, events_schema(), "events").extra == ("extra",)


def cut(whole: bytes) -> bytes:
    return whole[: len(whole) // 2]


def hollow(whole: bytes) -> bytes:
    """Cut a piece out of the middle and keep the footer."""
    return whole[:40] + whole[120:]


DAMAGED = [
    (lambda _: b"", r"\(0 bytes\): Parquet file size is 0 bytes"),
    (lambda _: b"account_id,ts\n1,2\n" * 9, r"\(162 bytes\): Parquet magic bytes not found"),
    (cut, r"\(\d+ bytes\): Parquet magic bytes not found"),
    (hollow, r"\(\d+ bytes\): "),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGED)
def test_a_damaged_part_is_told_by_name(damage: Any, message: str, tmp_path: Path) -> None:
    write_parquet(events(), tmp_path / "part-1.parquet")
    write_parquet(events(), tmp_path / "part-2.parquet")
    second = tmp_path / "part-2.parquet"
    second.write_bytes(damage(second.read_bytes()))
    with pytest.raises(DataError, match=rf"part-2\.parquet: can't be read as Parquet {message}"):
        read(tmp_path)


def test_observations_must_have_an_outcome_column_and_take_zeros_and_ones(tmp_path: Path) -> None:
    path = tmp_path / "observations.parquet"
    snapshots = pa.table({"account_id": [1, 2, 3], "as_of": pa.array([NOON] * 3, TIME)})
    write_parquet(snapshots, path)
    with pytest.raises(DataError, match="column bad is missing"):
        read_parquet(path, observations_schema(), table="observations")
    write_parquet(snapshots.append_column("bad", pa.array([0, 1, None])), path)
    back = read_parquet(path, observations_schema(), table="observations")
    assert back["bad"].to_pylist() == [False, True, None]
    write_parquet(snapshots.append_column("bad", pa.array([0, 2, None])), path)
    with pytest.raises(DataError, match=r"column bad is neither 0 nor 1 in 1 of 3 rows"):
        read_parquet(path, observations_schema(), table="observations")


def test_a_table_without_rows_reads_as_one(tmp_path: Path) -> None:
    write_parquet(decisions_log_schema().empty_table(), tmp_path / "decisions.parquet")
    back = read_parquet(tmp_path / "decisions.parquet", decisions_log_schema(), table="decisions")
    assert back.num_rows == 0
    assert back.schema.equals(decisions_log_schema())


def test_more_distinct_kinds_than_a_book_can_have_are_told(tmp_path: Path) -> None:
    count = 300
    table = pa.table(
        {
            "account_id": list(range(count)),
            "ts": pa.array([NOON] * count, TIME),
            "kind": [f"kind {i}" for i in range(count)],
            "amount": pa.array([1] * count),
        }
    )
    write_parquet(table, tmp_path / "events.parquet")
    with pytest.raises(DataError, match=r"column kind has 300 distinct words in 300 rows"):
        read(tmp_path / "events.parquet")
