"""A book of a million accounts and a model of a realistic size, for the benchmark of a night."""

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from relimit.data.schema import TIME, events_schema
from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.features import compute_features, model_feature_names
from relimit.models import BoostedTrees, RiskModel, assumed_loss, choose_calibration, save_model
from relimit.models.boosting import BoostedHead
from relimit.models.prediction import TreeScores

SEED_ACCOUNTS = 10_000
MONTHS = 6
ROW_GROUP = 1_000_000
TREES, LEAVES = 400, 31
ARMS = ("restored_share", "delay_days")


def make_seed(folder: Path) -> Path:
    """Simulate the accounts that the book repeats; return their book."""
    book = folder / "seed"
    size = ["--accounts", SEED_ACCOUNTS, "--months", MONTHS, "--seed", 1]
    relimit = Path(sys.executable).with_name("relimit")
    command = [str(word) for word in (relimit, "simulate", book, *size, "--json")]
    subprocess.run(command, check=True, capture_output=True)
    return book


def end_of(book: Path) -> datetime:
    """Return the moment that a simulated book ends."""
    return datetime.fromisoformat(json.loads((book / "book.json").read_text())["as_of"])


def make_book(seed: Path, folder: Path, accounts: int) -> None:
    """Write the events of so many accounts, sorted, and a prepayment of each at the book's end.

    Every copy of the seed's accounts has ids of its own, amounts times a whole number, so that its
    ledger still adds up, and times of day moved by minutes.
    """
    folder.mkdir(exist_ok=True)
    events = pq.read_table(seed / "events.parquet").sort_by(
        [("account_id", "ascending"), ("known_at", "ascending")]
    )
    place = pc.index_in(events["account_id"], pc.unique(events["account_id"])).to_numpy()
    with pq.ParquetWriter(folder / "events.parquet", events_schema()) as writer:
        held: list[pa.Table] = []
        for copy in range(-(-accounts // SEED_ACCOUNTS)):
            mine = _copy(events, place, copy)
            held.append(mine.slice(0, np.searchsorted(mine["account_id"].to_numpy(), accounts)))
            table = pa.concat_tables(held)
            whole = table.num_rows // ROW_GROUP * ROW_GROUP
            if whole:
                writer.write_table(table.slice(0, whole), row_group_size=ROW_GROUP)
            held = [table.slice(whole)]
        writer.write_table(held[0], row_group_size=ROW_GROUP)
    now = pa.array(np.full(accounts, np.datetime64(end_of(seed).replace(tzinfo=None), "us")), TIME)
    named = {
        "account_id": np.arange(accounts),
        "as_of": now,
        "prepaid": np.full(accounts, 50_000),
    }
    pq.write_table(pa.table(named), folder / "prepayments.parquet")


def name_branch(folder: Path, accounts: int) -> None:
    """Write down every twentieth prepayment of the lowest tenth of the ids, as a branch has them.

    Ids tell a branch or a year of opening in many books: most row groups have none of its accounts.
    """
    table = pq.read_table(folder / "prepayments.parquet").slice(0, accounts // 10)
    pq.write_table(
        table.take(pa.array(np.arange(0, table.num_rows, 20))), folder / "branch.parquet"
    )


def make_days(book: Path, folder: Path) -> None:
    """Write a book's events as a folder of parts, one of each day on which they became known.

    Each is one row group, by account, as a log that is written day by day would have it.
    """
    parts = folder / "events.parquet"
    parts.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=folder) as staging,
        pq.ParquetFile(book / "events.parquet") as file,
    ):
        with ExitStack() as stack:
            writers: dict[int, pa.RecordBatchStreamWriter] = {}
            for group in range(file.num_row_groups):
                for day, rows in _by_day(file.read_row_group(group)):
                    if day not in writers:
                        sink = Path(staging) / f"{day:05}.arrow"
                        writers[day] = stack.enter_context(pa.ipc.new_stream(sink, rows.schema))
                    writers[day].write_table(rows)
        for day in writers:
            with pa.ipc.open_stream(Path(staging) / f"{day:05}.arrow") as stream:
                table = stream.read_all()
            pq.write_table(table, parts / f"day-{day:05}.parquet", row_group_size=table.num_rows)
    shutil.copy(book / "prepayments.parquet", folder)


def _by_day(events: pa.Table) -> Iterator[tuple[int, pa.Table]]:
    day = events["known_at"].cast(pa.int64()).to_numpy() // MICROSECONDS_PER_DAY
    events = events.set_column(
        events.column_names.index("kind"), "kind", events["kind"].cast(pa.string())
    ).set_column(events.column_names.index("detail"), "detail", events["detail"].cast(pa.string()))
    parted = events.take(pa.array(np.argsort(day, kind="stable")))
    days, counts = np.unique(day, return_counts=True)
    for number, end, count in zip(days, np.cumsum(counts), counts, strict=True):
        yield int(number), parted.slice(end - count, count)


def _copy(events: pa.Table, place: np.ndarray, copy: int) -> pa.Table:
    later = np.int64(copy % 50 * 60_000_000)
    changes = {
        "account_id": pa.array(place + np.int64(copy * SEED_ACCOUNTS)),
        "amount": pc.multiply(events["amount"], 1 + copy % 7),
        "ts": pc.add(events["ts"].cast(pa.int64()), later).cast(TIME),
        "known_at": pc.add(events["known_at"].cast(pa.int64()), later).cast(TIME),
    }
    columns = [changes.get(name, events[name]) for name in events.column_names]
    return pa.Table.from_arrays(columns, names=events.column_names).cast(events_schema())


def make_model(seed: Path, folder: Path) -> None:
    """Save a model of `TREES` trees with `LEAVES` leaves over the features that models may use."""
    names = list(model_feature_names())
    rng = np.random.default_rng(2)
    accounts = np.arange(SEED_ACCOUNTS)
    ids = pc.unique(pq.read_table(seed / "events.parquet", columns=["account_id"])["account_id"])
    end = np.datetime64(end_of(seed).replace(tzinfo=None), "us").astype(np.int64)
    as_of = end - rng.integers(0, 60 * 86_400_000_000, len(accounts))
    points = pa.table({"account_id": ids.take(pa.array(accounts)), "as_of": pa.array(as_of, TIME)})
    matrix = compute_features(seed / "events.parquet", points, names=names, workers=2)
    rows = pd.DataFrame(matrix, columns=names)
    rows[ARMS[0]] = rng.choice([0.0, 0.25, 0.5, 0.75, 1.0], len(rows))
    rows[ARMS[1]] = rng.choice([0.0, 3.0, 7.0, 14.0, 30.0], len(rows))
    worry = sum(rows[name].rank(pct=True) for name in names[:: len(names) // 8]) / 8
    bad = rng.random(len(rows)) < 1 / (1 + np.exp(7 - 6 * worry))
    estimator = BoostedTrees(max_trees=5).fit(rows, bad)
    settings = {
        "objective": "binary",
        "num_leaves": LEAVES,
        "min_child_samples": 20,
        "learning_rate": 0.01,
        "verbosity": -1,
        "num_threads": 1,
        "seed": 0,
    }
    columns = estimator.head_.columns
    data = lgb.Dataset(rows[list(columns)].to_numpy(), bad, feature_name=list(columns))
    estimator.head_ = BoostedHead(columns, TreeScores(lgb.train(settings, data, TREES)))
    log_odds = estimator.head_.log_odds(rows[list(columns)].to_numpy())
    model = RiskModel.assemble(
        estimator,
        calibration=choose_calibration(log_odds, bad).calibration,
        loss=assumed_loss(),
        reference_rows=rows,
    )
    save_model(model, folder, manifest={})
