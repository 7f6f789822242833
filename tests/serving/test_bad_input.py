"""A file that breaks the contract: exit 1, what is wrong and where, and nothing written."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

Run = Callable[..., Result]
TIMES = [datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3)]
GOOD = pa.table(
    {
        "account_id": pa.array([1, 1, 2], pa.int64()),
        "ts": pa.array(TIMES, pa.timestamp("us", tz="UTC")),
        "kind": ["limit", "draw", "limit"],
        "amount": pa.array([100_000, 50_000, 100_000], pa.int64()),
    }
)


def replaced(name: str, values: pa.Array) -> pa.Table:
    return GOOD.set_column(GOOD.column_names.index(name), name, values)


def cut_short(path: Path) -> None:
    pq.write_table(GOOD, path)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


BROKEN: dict[str, tuple[Callable[[Path], None], tuple[str, ...]]] = {
    "wrong column": (
        lambda path: pq.write_table(GOOD.rename_columns(["account_id", "ts", "kind", "amt"]), path),
        ("events.parquet", "amount", "3 rows"),
    ),
    "naive timestamps": (
        lambda path: pq.write_table(replaced("ts", GOOD["ts"].cast(pa.timestamp("us"))), path),
        ("events.parquet", "ts", "3 rows", "zone"),
    ),
    "float amounts": (
        lambda path: pq.write_table(replaced("amount", GOOD["amount"].cast(pa.float64())), path),
        ("events.parquet", "amount", "3 rows", "fen"),
    ),
    "null ids": (
        lambda path: pq.write_table(replaced("account_id", pa.array([1, None, 2])), path),
        ("events.parquet", "account_id", "account_id is null in 1 of 3 rows"),
    ),
    "cut short in the middle": (cut_short, ("events.parquet", "damaged or unfinished")),
    "empty file": (lambda path: path.touch(), ("events.parquet",)),
    "missing file": (lambda _: None, ("events.parquet",)),
}


@pytest.fixture
def snapshots(tmp_path: Path) -> Path:
    path = tmp_path / "snapshots.parquet"
    pq.write_table(pa.table({"account_id": [1], "as_of": TIMES[-1:]}), path)
    return path


def commands(folder: Path, model: Path) -> dict[str, list[object]]:
    """Every command that reads events, with the folder's files as its input."""
    events, out = folder / "events.parquet", folder / "out"
    at = ["--events", events, "--snapshots", folder / "snapshots.parquet"]
    return {
        "check": ["check", events],
        "features": ["features", *at, "--out", out / "features.parquet"],
        "predict": ["predict", "--model", model, *at, "--out", out / "risk.parquet"],
        "score": [
            "score", "--model", model, "--events", events, "--out", out,
            "--since", "2026-01-01", "--as-of", "2026-02-01",
        ],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("command", "fault"),
    [
        (command, fault)
        for command in ("check", "features", "predict", "score")
        for fault in BROKEN
        if (command, fault) != ("score", "null ids")  # kept by themselves: `faults/test_unusable`
    ],
)
@pytest.mark.usefixtures("snapshots")
def test_a_broken_events_file_is_refused_with_what_and_where(
    tmp_path: Path, model_folder: Path, relimit: Run, command: str, fault: str
) -> None:
    write, said = BROKEN[fault]
    write(tmp_path / "events.parquet")
    result = relimit(*commands(tmp_path, model_folder)[command])
    assert result.exit_code == 1, result.output
    assert all(word in result.output for word in said), result.output
    assert "Traceback" not in result.output
    written = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert written == []


@pytest.mark.parametrize(
    "words",
    [
        ["score", "--model", "x", "--events", "e", "--out", "o"],
        ["score", "--model", "x", "--events", "e", "--out", "o", "--since", "yesterday"],
        ["train", "--family", "lightgbm"],
        ["train", "book", "--family", "forest"],
        ["features", "--events", "e"],
        ["nonsense"],
    ],
)
def test_wrong_usage_exits_with_two(relimit: Run, words: list[str]) -> None:
    assert relimit(*words).exit_code == 2


def test_the_good_file_is_accepted(tmp_path: Path, snapshots: Path, relimit: Run) -> None:
    events = tmp_path / "events.parquet"
    pq.write_table(GOOD, events)
    assert relimit("check", events).exit_code == 0
    out = tmp_path / "features.parquet"
    assert (
        relimit("features", "--events", events, "--snapshots", snapshots, "--out", out).exit_code
        == 0
    )
    assert pq.read_table(out).num_rows == 1


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            replaced("ts", GOOD["ts"].cast(pa.timestamp("us"))),
            "column ts is timestamp[us] (3 rows), expected timestamp[us, tz=UTC]",
        ),
        (
            GOOD.append_column("value", pa.array([1.0, 2.0, None])),
            "Cast value to int32 (of pandas: Int32)",
        ),
    ],
)
def test_check_prints_types_whole_and_counts_no_events_that_it_could_not_read(
    tmp_path: Path, relimit: Run, table: pa.Table, said: str
) -> None:
    pq.write_table(table, tmp_path / "events.parquet")
    result = relimit("check", tmp_path / "events.parquet")
    assert result.exit_code == 1
    assert said in result.output
    assert "no event could be read" in result.output
