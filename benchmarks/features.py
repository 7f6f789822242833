"""Features of a whole book against reading the file, DuckDB and pandas; equal results first.

    python benchmarks/features.py [--small] [--accounts N] [--folder DIR]

Case A has one snapshot an account, case B one per prepayment. Each contender runs in a process of
its own, Parquet in and Arrow batches out. pandas, which would take minutes, has a sample of the
accounts, and its time is scaled up. Polars and featuretools are not dependencies and are left out.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from relimit.data.schema import TIME, events_schema
from relimit.features import feature_names, iter_features

START = 1_600_000_000_000_000
DAY = 86_400_000_000
DAYS = 900
SAMPLE = 20
"""pandas gets every 20th account."""

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
COUNTS = {
    "prepay_count": ("prepayment", (7, 30, 90, 180, 365)),
    "draw_count": ("draw", (30, 90, 180)),
    "overdue_count": ("overdue", (90, 365)),
    "inquiry_count": ("inquiry", (30, 90, 180)),
    "income_count": ("income", (90, 180)),
    "cured_count": ("cured", (365,)),
    "payment_returned_count": ("payment_returned", (180,)),
}
SUMS = {
    "prepay_sum": ("prepayment", (7, 30, 90, 180, 365)),
    "repaid_sum": ("repayment", (30, 90, 180)),
    "interest_paid": ("interest_payment", (90,)),
}
SHARES = {
    "prepaid_to_drawn": ("prepayment", "draw", (90, 365)),
    "repaid_to_due": ("repayment", "due", (30, 90, 180)),
}
LASTS = {"limit_amount": "limit", "due_last": "due"}
SINCES = {"prepay_since_days": "prepayment", "draw_since_days": "draw"}
WORST = (90, 180, 365)
SIGNS = {"draw": 1, "repayment": -1, "prepayment": -1, "charge_off": -1}
INTEREST = {"interest": 1, "interest_payment": -1}


def core() -> list[str]:
    """Return the features that every contender computes."""
    windowed = (COUNTS, SUMS, SHARES)
    names = [f"{name}_{w}d" for table in windowed for name, row in table.items() for w in row[-1]]
    names += [*LASTS, *SINCES, *(f"dpd_worst_{w}d" for w in WORST)]
    return [*names, "outstanding", "utilisation_now", "interest_unsettled"]


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


def run_relimit(folder: Path, case: str, names: list[str] | None = None) -> list[pa.RecordBatch]:
    """Compute features as Arrow batches."""
    points = pq.read_table(folder / f"{case}.parquet")
    names = names or core()
    batches = []
    for rows, matrix in iter_features(folder / "events.parquet", points, workers=2, names=names):
        columns = {"row": pa.array(rows)} | dict(zip(names, map(pa.array, matrix.T), strict=True))
        batches.append(pa.RecordBatch.from_pydict(columns))
    return batches


def run_catalogue(folder: Path, case: str) -> list[pa.RecordBatch]:
    """Compute all features."""
    return run_relimit(folder, case, list(feature_names()))


def run_duckdb(folder: Path, case: str) -> pa.Table:
    """Join the visible events to each snapshot and aggregate them, in one statement."""
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "8GB"})
    return connection.sql(_sql(folder, case)).to_arrow_table()


def _sql(folder: Path, case: str) -> str:
    def within(kind: str, w: int) -> str:
        return f"FILTER (kind = '{kind}' AND age < {w * DAY})"

    def total(kind: str, w: int) -> str:
        return f"coalesce(sum(amount) {within(kind, w)}, 0)"

    def signed(signs: dict[str, int]) -> str:
        cases = " ".join(f"WHEN '{kind}' THEN {sign} * amount" for kind, sign in signs.items())
        return f"greatest(coalesce(sum(CASE kind {cases} END), 0), 0)"

    columns = {f"{n}_{w}d": f"count(*) {within(k, w)}" for n, (k, ws) in COUNTS.items() for w in ws}
    columns |= {f"{n}_{w}d": total(k, w) for n, (k, ws) in SUMS.items() for w in ws}
    columns |= {
        f"{n}_{w}d": f"CASE WHEN {total(b, w)} > 0 THEN {total(a, w)} / {total(b, w)}::DOUBLE END"
        for n, (a, b, ws) in SHARES.items()
        for w in ws
    }
    last = {
        name: f"arg_max(amount, (known_at, ts)) FILTER (kind = '{k}')" for name, k in LASTS.items()
    }
    columns |= last
    columns |= {
        name: f"(any_value(as_of) - arg_max(ts, (known_at, ts)) FILTER (kind = '{k}')) / {DAY}"
        for name, k in SINCES.items()
    }
    columns |= {f"dpd_worst_{w}d": f"coalesce(max(value) {within('overdue', w)}, 0)" for w in WORST}
    columns["outstanding"] = signed(SIGNS)
    columns["utilisation_now"] = f"{signed(SIGNS)} / nullif({last['limit_amount']}, 0)::DOUBLE"
    columns["interest_unsettled"] = signed(INTEREST)
    listed = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"""
        WITH points AS (
            SELECT row_number() OVER () - 1 AS row, account_id, epoch_us(as_of) AS as_of
            FROM '{folder}/{case}.parquet'),
        seen AS (
            SELECT row, as_of, kind, amount, value, epoch_us(known_at) AS known_at,
                epoch_us(ts) AS ts, as_of - epoch_us(known_at) AS age
            FROM points LEFT JOIN '{folder}/events.parquet' AS e
            ON points.account_id = e.account_id AND epoch_us(e.known_at) <= points.as_of)
        SELECT row, {listed} FROM seen GROUP BY row ORDER BY row"""  # noqa: S608 - its own names, no input


def run_pandas(folder: Path, case: str) -> pa.Table:
    """Merge the visible events of every 20th account to each snapshot, and group them."""
    wanted = [("account_id", "<", _accounts(folder) // SAMPLE)]
    events = pd.read_parquet(folder / "events.parquet", filters=wanted)
    points = pd.read_parquet(folder / f"{case}.parquet", filters=wanted)
    points["row"] = np.arange(len(points))
    seen = points.merge(events, on="account_id", how="left")
    seen = seen[seen["known_at"] <= seen["as_of"]].sort_values(["row", "known_at", "ts"])
    seen["age"] = (seen["as_of"] - seen["known_at"]).astype("int64")
    unit = pd.Timedelta(days=1).as_unit(seen["as_of"].dt.unit).to_timedelta64().astype("int64")
    every = points["row"].to_numpy()

    def by_row(rows: pd.DataFrame, how: str, column: str = "amount") -> np.ndarray:
        return rows.groupby("row")[column].agg(how).reindex(every).to_numpy(float, na_value=np.nan)

    def within(kind: str, w: int) -> pd.DataFrame:
        return seen[(seen["kind"] == kind) & (seen["age"] < w * unit)]

    def total(kind: str, w: int, how: str = "sum") -> np.ndarray:
        return np.nan_to_num(by_row(within(kind, w), how))

    def signed(signs: dict[str, int]) -> np.ndarray:
        moved = seen["amount"] * seen["kind"].astype(object).map(signs)
        return np.maximum(np.nan_to_num(by_row(seen.assign(amount=moved), "sum")), 0)

    out = {f"{n}_{w}d": total(k, w, "size") for n, (k, ws) in COUNTS.items() for w in ws}
    out |= {f"{n}_{w}d": total(k, w) for n, (k, ws) in SUMS.items() for w in ws}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, (part, whole, ws) in SHARES.items():
            for w in ws:
                share = total(part, w) / total(whole, w)
                out[f"{name}_{w}d"] = np.where(np.isfinite(share), share, np.nan)
    out |= {name: by_row(seen[seen["kind"] == kind], "last") for name, kind in LASTS.items()}
    for name, kind in SINCES.items():
        rows = seen[seen["kind"] == kind]
        since = rows.assign(since=(rows["as_of"] - rows["ts"]).astype("int64") / unit)
        out[name] = by_row(since, "last", "since")
    for w in WORST:
        out[f"dpd_worst_{w}d"] = np.nan_to_num(by_row(within("overdue", w), "max", "value"))
    out["outstanding"] = signed(SIGNS)
    out["utilisation_now"] = out["outstanding"] / out["limit_amount"]
    out["interest_unsettled"] = signed(INTEREST)
    return pa.table({"row": every} | out)


def _accounts(folder: Path) -> int:
    return pq.read_metadata(folder / "a.parquet").num_rows


CONTENDERS: dict[str, Callable[[Path, str], Any]] = {
    "read": run_read,
    "relimit": run_relimit,
    "relimit, all": run_catalogue,
    "DuckDB": run_duckdb,
    "pandas": run_pandas,
}


def run_one(name: str, folder: Path, case: str) -> None:
    """Run one contender, keep its result and print what it took; in a process of its own."""
    started = time.perf_counter()
    result = CONTENDERS[name](folder, case)
    took = time.perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    if result is not None and name != "relimit, all":
        table = result if isinstance(result, pa.Table) else pa.Table.from_batches(result)
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
    for name in ("DuckDB", "pandas"):
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


def report(folder: Path) -> None:
    """Run everything and print the table."""
    rows = pq.read_metadata(folder / "events.parquet").num_rows
    print(
        f"{rows:,} events, {_accounts(folder):,} accounts, {len(core())} core features,"
        f" {len(feature_names())} in all; 2 threads"
    )
    for case in ("a", "b"):
        points = pq.read_metadata(folder / f"{case}.parquet").num_rows
        print(f"\ncase {case.upper()}: {points:,} snapshots")
        found = {name: measure(name, folder, case) for name in CONTENDERS}
        check_equal(folder, case)
        for name, took in found.items():
            scale = SAMPLE if name == "pandas" else 1
            wall = took["wall"] * scale
            print(
                f"  {name:14} {wall:8.2f} s {wall / found['read']['wall']:8.1f} x read"
                f" {wall / found['relimit']['wall']:8.1f} x relimit"
                f" {took['cpu'] * scale:8.1f} CPU s {took['gib']:6.2f} GiB"
                + (f"  (1/{SAMPLE} of the accounts, scaled)" if scale > 1 else "")
            )
    report_scaling(folder, rows)


def report_scaling(folder: Path, rows: int) -> None:
    """Print how time grows with the events, and what it costs if they come in no order."""
    small = folder / "tenth"
    small.mkdir(exist_ok=True)
    if not (small / "b.parquet").exists():
        make_book(small, max(_accounts(folder) // 10, 1))
    whole, tenth = measure("relimit", folder, "a", 2), measure("relimit", small, "a", 2)
    print(f"\nten times the events: {whole['wall'] / tenth['wall']:.1f} x the time, case A")
    ordered = folder if rows <= 10_000_000 else small
    sorted_run, took = (
        measure("relimit", ordered, "a", 2),
        measure("relimit", shuffle(ordered), "a"),
    )
    print(
        f"in no order: {took['wall']:.2f} s, {took['wall'] / sorted_run['wall']:.1f} x sorted,"
        f" {took['gib']:.2f} GiB"
    )


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--small", action="store_true", help="40,000 accounts, 2 million events")
    parser.add_argument("--accounts", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--run", choices=tuple(CONTENDERS), help=argparse.SUPPRESS)
    parser.add_argument("--case", choices=("a", "b"), default="a", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run:
        run_one(options.run, options.folder, options.case)
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        if not (folder / "events.parquet").exists():
            make_book(folder, 40_000 if options.small else options.accounts)
        report(folder)


if __name__ == "__main__":
    main()
