"""A night's file, a cluster, a live call and the packaged model answer alike, to the last bit."""

import json
import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from relimit.data.simulator import simulate
from relimit.models import load_model
from relimit.policy import load_policy
from relimit.serving.requests import Night
from relimit.serving.scorer import Scorer
from relimit.serving.spark import PLACE, ClusterRun, ShippedModel, answers_of, score_frame

Run = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]
Row = dict[str, Any]

ACCOUNTS = 10_000 if os.environ.get("CI") else 500
"""Accounts with a decision; continuous integration takes the full number."""

# It runs what the package brings; here the package is our own, made a moment ago.
load_pyfunc = mlflow.pyfunc.load_model  # noqa: TID251


def plain(row: Any) -> Any:
    """Return a row as JSON has it, by other means than the code under test."""
    return json.loads(json.dumps(row, default=lambda time: time.isoformat()))


@pytest.fixture(scope="module")
def events(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book of its own, neither trained on nor tuned to."""
    folder = tmp_path_factory.mktemp("same")
    simulate(folder, accounts=2 * ACCOUNTS, months=12, seed=23)
    return folder / "events.parquet"


@pytest.fixture(scope="module")
def night(events: Path) -> Night:
    book = json.loads(events.with_name("book.json").read_text("utf-8"))
    as_of = datetime.fromisoformat(book["as_of"])
    return Night(as_of - timedelta(days=300), as_of)


@pytest.fixture(scope="module")
def decided(
    events: Path, night: Night, model_folder: Path, relimit_json: RunJson, tmp_path_factory: Any
) -> pa.Table:
    """What the batch decides of the window."""
    out = tmp_path_factory.mktemp("batch")
    window = ["--since", night.since.isoformat(), "--as-of", night.as_of.isoformat()]
    relimit_json("score", "--model", model_folder, "--events", events, *window, "--out", out)
    return pq.read_table(out / "decisions")


@pytest.fixture(scope="module")
def last(decided: pa.Table) -> list[Row]:
    """The last decision on each account."""
    ids = decided["account_id"].to_numpy()
    ends = np.append(np.flatnonzero(np.diff(ids)), len(ids) - 1)
    assert len(ends) >= ACCOUNTS
    return decided.take(pa.array(ends[:ACCOUNTS])).to_pylist()


@pytest.fixture(scope="module")
def tables(events: Path, last: list[Row]) -> list[pa.Table]:
    """The events of each of these accounts."""
    table = pq.read_table(events)
    ids = table["account_id"].to_numpy()
    asked = [row["account_id"] for row in last]
    ends = np.searchsorted(ids, asked, side="right")
    starts = np.searchsorted(ids, asked)
    return [table.slice(start, end - start) for start, end in zip(starts, ends, strict=True)]


def test_a_live_call_decides_as_the_batch(
    model_folder: Path, night: Night, last: list[Row], tables: list[pa.Table]
) -> None:
    scorer = Scorer(load_model(model_folder), load_policy())
    for row, mine in zip(last, tables, strict=True):
        assert scorer.decide(mine, row["as_of"], since=night.since) == row


def test_the_packaged_model_decides_as_the_batch(
    model_folder: Path,
    night: Night,
    last: list[Row],
    tables: list[pa.Table],
    relimit: Run,
    tmp_path: Path,
) -> None:
    packaged = relimit("package", "--model", model_folder, "--out", tmp_path / "decider")
    assert packaged.exit_code == 0, packaged.output
    served = load_pyfunc(str(tmp_path / "decider"))
    for first in range(0, len(last), 500):
        rows, mine = last[first : first + 500], tables[first : first + 500]
        asked = [
            {
                "account_id": row["account_id"],
                "as_of": row["as_of"].isoformat(),
                "since": night.since.isoformat(),
                "events": plain(table.drop_columns(["account_id"]).to_pylist()),
            }
            for row, table in zip(rows, mine, strict=True)
        ]
        assert served.predict(asked) == plain(rows)


def test_a_cluster_decides_as_the_batch(
    spark: Any, events: Path, night: Night, model_folder: Path, decided: pa.Table
) -> None:
    run = ClusterRun(ShippedModel.of(model_folder), load_policy(), night)
    frame = score_frame(spark, spark.read.parquet(str(events)), run, buckets=6)
    found = frame.toArrow().sort_by([("account_id", "ascending"), (PLACE, "ascending")])
    answers = answers_of(found)
    assert answers.quarantined.num_rows == 0
    assert answers.decided.combine_chunks().equals(
        decided.cast(answers.decided.schema).combine_chunks()
    )
