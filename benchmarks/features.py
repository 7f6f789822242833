"""Features of a whole book against reading, Polars, DuckDB and pandas; equal results first.

    python benchmarks/features.py [--small] [--accounts N] [--folder DIR]

Case A has one snapshot an account, case B one per prepayment. Each contender runs in a process of
its own, Parquet in and Arrow batches out. pandas and, in case B, Polars, which would take minutes
or all the memory, have a sample of the accounts, and their time is scaled up. Polars is not a
dependency: it takes part where it is installed. One live account is timed at the end. Each target
is told met or MISSED; the exit code is 1 if one is missed.
"""

import argparse
import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _feature_peers import DAY, SAMPLE, accounts_of, core, run_duckdb, run_pandas, run_polars

from relimit.data.events import blocks_from_table
from relimit.data.schema import TIME, events_schema
from relimit.features import History, feature_matrix, feature_names, iter_features

START = 1_600_000_000_000_000
DAYS = 900
READS = {"a": 2.0, "b": 2.5}
"""How many times the read of the columns a case may take."""

PEERS = {"a": 3.0, "b": 20.0}
"""How many times as long the fastest peer takes at least."""

LARGEST_GIB = 0.75
SHUFFLED = 3.0
LINEAR = 1.1
"""Share of ten times the time that ten times the events may take."""

LIVE = {50: 1.0, 2_000: 2.0}
"""Milliseconds that all features of one live account may take, by its events."""

KINDS = {
    "draw": 0.14,
    "due": 0.16,
    "repayment": 0.14,
    "prepayment": 0.08,
    "interest": 0.16,
    "interest_payment": 0.12,
    "overdue": 0.03,
    "cured": 0.02,
    "restored": 0.05,
    "income": 0.03,
    "inflow": 0.02,
    "inquiry": 0.02,
    "limit": 0.02,
    "payment_returned": 0.01,
}


def make_book(folder: Path, accounts: int, seed: int = 0) -> None:
    """Write about 50 events an account, sorted, and the snapshots of both cases."""
    rng = np.random.default_rng(seed)
    points = {"a": [], "b": []}
    with pq.ParquetWriter(folder / "events.parquet", events_schema()) as writer:
        for low in range(0, accounts, 20_000):
            table = _chunk(rng, np.arange(low, min(low + 20_000, accounts)))
            writer.write_table(table, row_group_size=1_000_000)
            is_prepayment = pa.compute.equal(table["kind"].cast(pa.string()), "prepayment")
            mine = table.filter(is_prepayment)
            points["b"].append(
                pa.table({"account_id": mine["account_id"], "as_of": mine["known_at"]})
            )
    every = pa.array(np.full(accounts, START + DAYS * DAY), TIME)
    pq.write_table(
        pa.table({"account_id": np.arange(accounts), "as_of": every}), folder / "a.parquet"
    )
    pq.write_table(pa.concat_tables(points["b"]), folder / "b.parquet")


def _chunk(rng: np.random.Generator, accounts: np.ndarray) -> pa.Table:
    count = rng.poisson(49, len(accounts)) + 1
    size = int(count.sum())
    owner = np.repeat(np.arange(len(accounts)), count)
    ts = START + rng.integers(0, DAYS * DAY, size)
    order = np.lexsort((ts, owner))
    ts, owner = ts[order], owner[order]
    known_at = ts + np.where(rng.random(size) < 0.05, rng.integers(0, 2 * DAY, size), 0)
    order = np.lexsort((known_at, owner))
    weights = np.array(list(KINDS.values()))
    kind = rng.choice(len(KINDS), size, p=weights / weights.sum()).astype(np.int8)
    overdue = kind == list(KINDS).index("overdue")
    loan = np.isin(kind, [list(KINDS).index(name) for name in ("draw", "prepayment", "repayment")])
    columns = {
        "account_id": accounts[owner],
        "ts": ts[order],
        "known_at": known_at[order],
        "kind": pa.DictionaryArray.from_arrays(pa.array(kind), list(KINDS)),
        "amount": rng.integers(1, 10**6, size),
        "value": pa.array(rng.integers(1, 200, size), pa.int32(), mask=~overdue),
        "loan_id": pa.array(rng.integers(1, 9, size), mask=~loan),
        "detail": pa.array(rng.choice(["home", "other"], size)).dictionary_encode(),
    }
    schema = events_schema()
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def run_read(folder: Path, _: str) -> None:
    """Read every column that the engine reads, by row group."""
    file = pq.ParquetFile(folder / "events.parquet")
    for group in range(file.num_row_groups):
        file.read_row_group(group)


def run_relimit(
    folder: Path, case: str, names: list[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield features as Arrow batches."""
    points = pq.read_table(folder / f"{case}.parquet")
    names = names or core()
    for rows, matrix in iter_features(folder / "events.parquet", points, workers=2, names=names):
        columns = {"row": pa.array(rows)} | dict(zip(names, map(pa.array, matrix.T), strict=True))
        yield pa.RecordBatch.from_pydict(columns)


def run_catalogue(folder: Path, case: str) -> Iterator[pa.RecordBatch]:
    """Yield all features."""
    return run_relimit(folder, case, list(feature_names()))


CONTENDERS: dict[str, Callable[[Path, str], Any]] = {
    "read": run_read,
    "relimit": run_relimit,
    "relimit, all": run_catalogue,
    "Polars": run_polars,
    "DuckDB": run_duckdb,
    "pandas": run_pandas,
}


TIMES = {"read": 3, "relimit": 3}
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
    started = time.perf_counter()
    result = CONTENDERS[name](folder, case)
    streams = isinstance(result, Iterator)
    if streams:
        deque(result, maxlen=0)
    took = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    if result is not None and name != "relimit, all":
        table = pa.Table.from_batches(CONTENDERS[name](folder, case)) if streams else result
        pq.write_table(table, folder / f"{name}.{case}.result")
    measured = {"wall": took, "cpu": used.ru_utime + used.ru_stime, "gib": used.ru_maxrss / 2**20}
    print(json.dumps(measured))


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
    for name in [name for name in contenders() if name in ("Polars", "DuckDB", "pandas")]:
        theirs = pq.read_table(folder / f"{name}.{case}.result").sort_by("row")
        for feature in core():
            a = ours[feature].to_numpy()[: theirs.num_rows]
            b = theirs[feature].cast(pa.float64()).to_numpy()
            if not np.allclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True):
                wrong = int((~np.isclose(a, b, rtol=1e-9, atol=1e-9, equal_nan=True)).sum())
                raise SystemExit(f"case {case}: {name} differs in {feature}, {wrong} rows")


def shuffle(folder: Path) -> Path:
    """Write the book's events in no order, in a folder of their own."""
    target = folder / "shuffled"
    target.mkdir(exist_ok=True)
    table = pq.read_table(folder / "events.parquet")
    order = np.random.default_rng(1).permutation(table.num_rows)
    pq.write_table(table.take(pa.array(order)), target / "events.parquet", row_group_size=1_000_000)
    (target / "a.parquet").write_bytes((folder / "a.parquet").read_bytes())
    return target


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
    if "Polars" not in contenders():
        print("\nPolars is not installed and was left out")
    return all([*met, report_scaling(folder, rows), report_live(folder)])


def report_case(folder: Path, case: str) -> bool:
    """Print what each contender takes in a case; return whether its targets are met."""
    points = pq.read_metadata(folder / f"{case}.parquet").num_rows
    print(f"\ncase {case.upper()}: {points:,} snapshots")
    found = {name: measure(name, folder, case, TIMES.get(name, 1)) for name in contenders()}
    check_equal(folder, case)
    wall = {
        name: took["wall"] * (SAMPLE if sampled(name, case) else 1) for name, took in found.items()
    }
    for name, took in found.items():
        scale = SAMPLE if sampled(name, case) else 1
        print(
            f"  {name:14} {wall[name]:8.2f} s {wall[name] / wall['read']:8.1f} x read"
            f" {wall[name] / wall['relimit']:8.1f} x relimit"
            f" {took['cpu'] * scale:8.1f} CPU s {took['gib']:6.2f} GiB"
            + (f"  (1/{SAMPLE} of the accounts, scaled)" if scale > 1 else "")
        )
    fastest = min(wall[name] for name in wall if name in ("Polars", "DuckDB", "pandas"))
    return all(
        [
            told("times the read", wall["relimit"] / wall["read"], READS[case]),
            told("times faster than a peer", fastest / wall["relimit"], PEERS[case], least=True),
            told("GiB", found["relimit"]["gib"], LARGEST_GIB),
        ]
    )


def report_live(folder: Path) -> bool:
    """Print how long one live account takes, all features; return whether the targets are met."""
    group = pq.ParquetFile(folder / "events.parquet").read_row_group(0)
    print("\none live account, all features")
    met = True
    for size, target in LIVE.items():
        mine = group.slice(0, size).drop_columns("account_id")
        mine = mine.append_column("account_id", pa.array(np.zeros(size, np.int64)))
        met &= told(f"{size:,} events, median ms", _live_milliseconds(mine), target)
    return met


def _live_milliseconds(events: pa.Table, times: int = 500) -> float:
    block = blocks_from_table(events)
    now = np.array([int(block.known_at[-1])])
    took = []
    for _ in range(times):
        started = time.perf_counter()
        feature_matrix(History(block, np.zeros(1, np.int64), now))
        took.append(time.perf_counter() - started)
    return 1e3 * statistics.median(took)


def report_scaling(folder: Path, rows: int) -> bool:
    """Print how time grows with the events, and what it costs if they come in no order."""
    small = folder / "tenth"
    small.mkdir(exist_ok=True)
    if not (small / "b.parquet").exists():
        make_book(small, max(accounts_of(folder) // 10, 1))
    print("\ncase A of a tenth, and of events in no order")
    whole, tenth = (measure("relimit", book, "a", 3)["wall"] for book in (folder, small))
    ordered = folder if rows <= 10_000_000 else small
    shuffled = measure("relimit", shuffle(ordered), "a", 2)
    times = shuffled["wall"] / (whole if ordered == folder else tenth)
    return all(
        [
            told("of ten times the time", whole / tenth / 10, LINEAR),
            told("times the sorted run", times, SHUFFLED),
            told("GiB, in no order", shuffled["gib"], LARGEST_GIB),
        ]
    )


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
        if not (folder / "events.parquet").exists():
            make_book(folder, 40_000 if options.small else options.accounts)
        return int(not report(folder))


if __name__ == "__main__":
    sys.exit(main())
