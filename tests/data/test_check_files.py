"""Files that break the contract: every one is an error that names file, column and count."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from relimit.data.check import check_events
from relimit.data.tables import write_parquet

NOW = datetime(2025, 6, 1, tzinfo=UTC)
Make = Callable[[Path, pa.Table], Path]


def renamed(folder: Path, good: pa.Table) -> Path:
    write_parquet(good, folder / "a.parquet")
    write_parquet(good.rename_columns({"known_at": "knowm_at"}), folder / "b.parquet")
    return folder


def mixed_ids(folder: Path, good: pa.Table) -> Path:
    write_parquet(good, folder / "a.parquet")
    words = good.set_column(0, "account_id", pa.array(["1", "1"]))
    write_parquet(words, folder / "b.parquet")
    return folder


def one_file(change: Callable[[pa.Table], pa.Table]) -> Make:
    def make(folder: Path, good: pa.Table) -> Path:
        write_parquet(change(good), folder / "events.parquet")
        return folder / "events.parquet"

    return make


def with_type(name: str, kind: pa.DataType) -> Make:
    def change(table: pa.Table) -> pa.Table:
        place = table.schema.get_field_index(name)
        return table.set_column(place, name, table[name].cast(kind))

    return one_file(change)


def damaged(change: Callable[[bytes], bytes]) -> Make:
    def make(folder: Path, good: pa.Table) -> Path:
        path = one_file(lambda table: table)(folder, good)
        path.write_bytes(change(path.read_bytes()))
        return path

    return make


def overflow(table: pa.Table) -> pa.Table:
    place = table.schema.get_field_index("value")
    return table.set_column(place, "value", pa.array([None, 2**40]))


BROKEN: list[tuple[Make, str, str, int]] = [
    (renamed, r"b\.parquet: column known_at is missing \(2 rows\), but a\.parq", "known_at", 2),
    (mixed_ids, r"b\.parquet: column account_id is string \(2 rows\), but int64", "account_id", 2),
    (one_file(lambda t: t.drop(["amount"])), r"column amount is missing \(2 rows", "amount", 2),
    (with_type("amount", pa.float64()), r"amount is double \(2 rows\), expected int", "amount", 2),
    (with_type("ts", pa.timestamp("us")), r"ts is timestamp\[us\] \(2 rows\), expected", "ts", 2),
    (with_type("kind", pa.binary()), r"kind is binary \(2 rows\), expected string", "kind", 2),
    (one_file(overflow), r"value \(int64\) doesn't fit int32 in 1 of 2 rows", "value", 1),
    (damaged(lambda b: b""), r"can't be read as Parquet \(0 bytes\)", "", 1),
    (damaged(lambda b: b"junk" * 9), r"\(36 bytes\): Parquet magic bytes not found", "", 1),
    (damaged(lambda b: b[: len(b) // 2]), r"Parquet magic bytes not found", "", 1),
    (damaged(lambda b: b[:30] + bytes([b[30] ^ 1]) + b[31:]), r"can't be read as Parquet", "", 1),
]  # fmt: skip


@pytest.mark.parametrize(("make", "message", "column", "count"), BROKEN)
def test_a_broken_file_is_an_error_and_quarantines_nothing(
    make: Make, message: str, column: str, count: int, good_events: pa.Table, tmp_path: Path
) -> None:
    path = make(tmp_path / "in", good_events)
    report = check_events(path, quarantine=tmp_path / "out", now=NOW)
    assert not report.ok
    (found,) = (finding for finding in report.findings if finding.level == "error")
    assert found.message.startswith(("events.parquet", "b.parquet"))
    assert re.search(message, found.message)
    assert (found.column, found.count) == (column, count)
    assert found.mend
    assert report.quarantine is None
    assert not (tmp_path / "out").exists()


def test_every_faulty_part_is_told_at_once(good_events: pa.Table, tmp_path: Path) -> None:
    write_parquet(good_events, tmp_path / "a.parquet")
    write_parquet(good_events.drop(["ts"]), tmp_path / "b.parquet")
    (tmp_path / "c.parquet").write_bytes(b"")
    messages = [finding.message for finding in check_events(tmp_path).findings]
    assert [message.split(":")[0] for message in messages] == ["b.parquet", "c.parquet"]


@pytest.mark.parametrize(
    ("unit", "zone"), [("ns", "UTC"), ("ms", "Asia/Shanghai"), ("s", "+01:00")]
)
def test_other_units_and_zones_are_as_good(
    unit: str, zone: str, good_events: pa.Table, tmp_path: Path
) -> None:
    path = with_type("ts", pa.timestamp(unit, zone))(tmp_path, good_events)
    assert check_events(path, now=NOW).findings == ()
