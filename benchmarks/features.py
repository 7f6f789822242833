"""Features of a whole book against reading, Polars, DuckDB and pandas; equal results first.

    python benchmarks/features.py [--small] [--accounts N] [--folder DIR]

Case A has one snapshot an account, case B one per prepayment. Each contender runs in a process of
its own, Parquet in and Arrow batches out. The read is that of the columns that the core features
use; that of all columns stands beside it. pandas and, in case B, Polars, which would take minutes
or all the memory, have a sample of the accounts, and their time is scaled up. Polars is not a
dependency: where it is not installed the targets against peers are not judged. featuretools wants
an older pandas, and runs on a few accounts in an interpreter that `uv` makes for it, its windowed
counts and sums alone; it is left out where that can't be had. All features are computed for a
sample in blocks of two sizes, and one live account's are compared with a batch's, to the last bit,
before any of them is timed. Each target is told met, MISSED or not judged; the exit code is 1 if
one is missed.
"""

import argparse
import importlib.util
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from unittest import mock

import _feature_book as books
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _feature_peers import (
    COUNTS,
    SAMPLE,
    SUMS,
    accounts_of,
    core,
    run_duckdb,
    run_pandas,
    run_polars,
)
from _peak import peak_gib

from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.schema import events_schema
from relimit.features import History, feature_matrix, feature_names, iter_features
from relimit.features import stream as feature_stream

READS = {"a": 2.0, "b": 2.5}
"""How many times the read of the columns a case may take."""

PEERS = {"a": 3.0, "b": 20.0}
"""How many times as long the fastest peer takes at least."""

LARGEST_GIB = 0.75
SHUFFLED = 3.0
LINEAR = 1.1
"""Share of ten times the time that ten times the events may take."""

LIVE = {50: 1.0, 2_000: 2.0}
"""Milliseconds that the features of one live account may take, by its events."""


def run_read(folder: Path, _: str) -> None:
    """Read the columns that the engine reads for the core features, by row group."""
    _read(folder, [name for name in events_schema().names if name != "detail"])


def run_read_all(folder: Path, _: str) -> None:
    """Read every column, by row group."""
    _read(folder, events_schema().names)


def _read(folder: Path, columns: list[str]) -> None:
    file = pq.ParquetFile(folder / "events.parquet")
    for group in range(file.num_row_groups):
        file.read_row_group(group, columns=columns)


def run_relimit(
    folder: Path, case: str, names: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield features as Arrow batches."""
    points = pq.read_table(folder / f"{case}.parquet")
    names = names or core()
    for rows, matrix in iter_features(folder / "events.parquet", points, workers=2, names=names):
        columns = [pa.array(column) for column in (rows, *matrix.T)]
        yield pa.RecordBatch.from_arrays(columns, ["row", *names])


def run_catalogue(folder: Path, case: str) -> Iterator[pa.RecordBatch]:
    """Yield all features."""
    return run_relimit(folder, case, list(feature_names()))


CONTENDERS: dict[str, Callable[[Path, str], Any]] = {
    "read": run_read,
    "read, all": run_read_all,
    "relimit": run_relimit,
    "relimit, all": run_catalogue,
    "Polars": run_polars,
    "DuckDB": run_duckdb,
    "pandas": run_pandas,
}


PEERS_ASKED = ("Polars", "DuckDB", "pandas")
TIMES = {"read": 3, "read, all": 3, "relimit": 3}
"""The quickest of so many runs counts; of the others, of one."""


def contenders() -> list[str]:
    """Return the contenders that are installed."""
    there = importlib.util.find_spec("polars") is not None
    return [name for name in CONTENDERS if there or name != "Polars"]


def sampled(name: str, case: str) -> bool:
    """Return whether a contender gets a sample of the accounts."""
    return name == "pandas" or (name == "Polars" and case == "b")


def run_one(name: str, folder: Path, case: str) -> None:
    """Run one contender, print what it took and keep its result; in a process of its own.

    Batches are let go as they come, and made a second time to be compared.
    """
    started, used = time.perf_counter(), time.process_time()
    result = CONTENDERS[name](folder, case)
    streams = isinstance(result, Iterator)
    if streams:
        deque(result, maxlen=0)
    took, used, gib = time.perf_counter() - started, time.process_time() - used, peak_gib()
    if result is not None and name != "relimit, all":
        table = pa.Table.from_batches(CONTENDERS[name](folder, case)) if streams else result
        pq.write_table(table, folder / f"{name}.{case}.result")
    print(json.dumps({"wall": took, "cpu": used, "gib": gib}))


def measure(name: str, folder: Path, case: str, times: int = 1) -> dict[str, float]:
    """Return the quickest of several runs."""
    command = [sys.executable, __file__, "--run", name, "--case", case, "--folder", str(folder)]
    runs = [
        json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        for _ in range(times)
    ]
    return min(runs, key=lambda run: run["wall"])


def check_equal(folder: Path, case: str) -> None:
    """Raise unless the contenders have the same numbers."""
    ours = pq.read_table(folder / f"relimit.{case}.result").sort_by("row")
    for name in [name for name in contenders() if name in PEERS_ASKED]:
        theirs = pq.read_table(folder / f"{name}.{case}.result").sort_by("row")
        for feature in core():
            a = ours[feature].to_numpy()[: theirs.num_rows]
            b = theirs[feature].cast(pa.float64()).to_numpy()
            if not np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True):
                wrong = int((~np.isclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)).sum())
                raise SystemExit(f"case {case}: {name} differs in {feature}, {wrong} rows")


def told(what: str, found: float, target: float, *, least: bool = False) -> bool:
    """Print a number beside its target; return whether it is met."""
    met = found >= target if least else found <= target
    bound = "least" if least else "most"
    print(f"    {what}: {found:.2f}; target at {bound} {target:g}: {'met' if met else 'MISSED'}")
    return met


def report(folder: Path) -> bool:
    """Run everything, print the tables and return whether every target is met."""
    rows = pq.read_metadata(folder / "events.parquet").num_rows
    print(
        f"{rows:,} events, {accounts_of(folder):,} accounts, {len(core())} core features,"
        f" {len(feature_names())} in all; 2 threads"
    )
    met = [report_case(folder, case) for case in ("a", "b")]
    return all([*met, report_scaling(folder, rows), report_live(folder)])


def report_case(folder: Path, case: str) -> bool:
    """Print what each contender takes in a case; return whether its targets are met."""
    points = pq.read_metadata(folder / f"{case}.parquet").num_rows
    print(f"\ncase {case.upper()}: {points:,} snapshots")
    found = {name: measure(name, folder, case, TIMES.get(name, 1)) for name in contenders()}
    check_equal(folder, case)
    check_catalogue(folder, case)
    wall = {
        name: took["wall"] * (SAMPLE if sampled(name, case) else 1) for name, took in found.items()
    }
    for name, took in found.items():
        scale = SAMPLE if sampled(name, case) else 1
        print(
            f"  {name:14} {wall[name]:8.2f} s {wall[name] / wall['read']:8.1f} x read"
            f" {wall[name] / wall['relimit']:8.1f} x relimit"
            f" {took['cpu'] * scale:8.1f} CPU s {took['cpu'] / took['wall']:5.2f} CPU/wall"
            f" {took['gib']:6.2f} GiB"
            + (f"  (1/{SAMPLE} of the accounts, scaled)" if scale > 1 else "")
        )
    print(f"  {told_of_featuretools(folder, case, wall['relimit'] / points)}")
    fastest = min(wall[name] for name in wall if name in PEERS_ASKED) / wall["relimit"]
    met = [
        told("times the read of the columns used", wall["relimit"] / wall["read"], READS[case]),
        told("GiB", found["relimit"]["gib"], LARGEST_GIB),
    ]
    if "Polars" in found:
        met.append(told("times faster than a peer", fastest, PEERS[case], least=True))
    else:
        print(f"    times faster than a peer: {fastest:.2f}; not judged: Polars is not installed")
    return all(met)


def check_catalogue(folder: Path, case: str) -> None:
    """Raise unless all features of a sample of accounts are the same in blocks of two sizes."""
    points = pq.read_table(folder / f"{case}.parquet")
    points = points.filter(pa.compute.less(points["account_id"], accounts_of(folder) // SAMPLE))
    found = []
    for rows in (30_000, 150_000):
        with mock.patch.object(feature_stream, "BLOCK_ROWS", rows):
            found.append(iter_features(folder / "events.parquet", points, workers=2).gather())
    small, large = found
    if not np.array_equal(small, large, equal_nan=True):
        raise SystemExit(f"case {case}: blocks of two sizes give different features")


def told_of_featuretools(folder: Path, case: str, ours: float) -> str:
    """Run featuretools on a few accounts and say how it compares, or why it is left out."""
    columns = {f"{n}_{w}d": ("count", kind, w) for n, (kind, ws) in COUNTS.items() for w in ws}
    columns |= {f"{n}_{w}d": ("sum", kind, w) for n, (kind, ws) in SUMS.items() for w in ws}
    versions = ("featuretools==1.31", "pandas<3", "setuptools<81", "pyarrow")
    command = ["uv", "run", "--quiet", "--no-project"]
    command += [word for version in versions for word in ("--with", version)]
    command += ["python", "-W", "ignore", str(Path(__file__).with_name("_featuretools.py"))]
    words = [str(word) for word in (*command, folder, case, json.dumps(columns))]
    try:
        run = subprocess.run(words, check=True, capture_output=True, text=True, timeout=900)
    except (OSError, subprocess.SubprocessError) as error:
        why = (getattr(error, "stderr", "") or str(error)).strip().splitlines()
        return f"featuretools is left out: {why[-1] if why else error}"
    took = json.loads(run.stdout)
    theirs = pq.read_table(folder / f"featuretools.{case}.result")
    mine = pq.read_table(folder / f"relimit.{case}.result").sort_by("row").slice(0, len(theirs))
    for name in columns:
        if not np.array_equal(mine[name].to_numpy(), theirs[name].to_numpy()):
            raise SystemExit(f"case {case}: featuretools differs in {name}")
    return (
        f"featuretools, {len(columns)} counts and sums of {took['accounts']} accounts:"
        f" {took['seconds']:.1f} s, {took['seconds'] / took['rows'] / ours:,.0f} x relimit a row"
    )


def report_live(folder: Path) -> bool:
    """Print how long one live account takes; return whether the targets are met.

    They are judged for the core set, as the batch's are, and told for the whole catalogue.
    """
    group = pq.ParquetFile(folder / "events.parquet").read_row_group(0)
    print("\none live account")
    met = True
    for size, target in LIVE.items():
        mine = group.slice(0, size).drop_columns("account_id")
        mine = mine.append_column("account_id", pa.array(np.zeros(size, np.int64)))
        block = blocks_from_table(mine)
        check_live(block)
        found = _milliseconds(partial(live, block, core()))
        met &= told(f"{size:,} events, core features, median ms", found, target)
        whole = _milliseconds(partial(live, block))
        made = _milliseconds(partial(live_from_table, mine))
        print(f"    all {len(feature_names())}: {whole:.2f}", end="")
        print(f"; with the block made from an Arrow table, too: {made:.2f}")
    return met


def live(block: EventBlock, names: list[str] | None = None) -> np.ndarray:
    """Return the features of one account at its last event; None takes all."""
    return feature_matrix(History(block, np.zeros(1, np.int64), block.known_at[-1:]), names)


def live_from_table(events: pa.Table) -> np.ndarray:
    """Return all features of one account at its last event, from its Arrow table."""
    return live(blocks_from_table(events))


def check_live(block: EventBlock, size: int = 100) -> None:
    """Raise unless the account has the same features alone as among many snapshots."""
    as_of = np.linspace(block.known_at[0], block.known_at[-1], size).astype(np.int64)
    many = feature_matrix(History(block, np.zeros(size, np.int64), as_of))
    if not np.array_equal(many[-1:], live(block), equal_nan=True):
        raise SystemExit("one live account has other features than the batch")


def _milliseconds(call: Callable[[], object], times: int = 500) -> float:
    took = []
    for _ in range(times):
        started = time.perf_counter()
        call()
        took.append(time.perf_counter() - started)
    return 1e3 * statistics.median(took)


def report_scaling(folder: Path, rows: int) -> bool:
    """Print how time grows with the events, and what it costs if they come in no order."""
    small = folder / "tenth"
    small.mkdir(exist_ok=True)
    accounts = max(accounts_of(folder) // 10, 1)
    if not books.is_made(small, accounts):
        books.make_book(small, accounts)
    print(f"\ncase A of a tenth, and of all {rows:,} events in no order")
    whole, tenth = (measure("relimit", book, "a", 3)["wall"] for book in (folder, small))
    books.shuffle(folder, folder / "shuffled")
    shuffled = measure("relimit", folder / "shuffled", "a", 2)
    check_shuffled(folder)
    times = shuffled["wall"] / whole
    return all(
        [
            told("of ten times the time", whole / tenth / 10, LINEAR),
            told("times the sorted run", times, SHUFFLED),
            told("GiB, in no order", shuffled["gib"], LARGEST_GIB),
        ]
    )


def check_shuffled(folder: Path) -> None:
    """Raise unless events in no order gave the features of those in order."""
    files = (folder / "relimit.a.result", folder / "shuffled" / "relimit.a.result")
    ours, theirs = (pq.read_table(file).sort_by("row") for file in files)
    for name in core():
        if not np.array_equal(ours[name].to_numpy(), theirs[name].to_numpy(), equal_nan=True):
            raise SystemExit(f"events in no order give another {name}")


def main() -> int:
    """Read the command line; return 1 if a target is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="40,000 accounts, 2 million events")
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--run", choices=tuple(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=("a", "b"), default="a", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_one(options.run, options.folder, options.case)
        return 0
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        accounts = 40_000 if options.small else options.accounts
        if not books.is_made(folder, accounts):
            books.make_book(folder, accounts)
        return int(not report(folder))


if __name__ == "__main__":
    sys.exit(main())
