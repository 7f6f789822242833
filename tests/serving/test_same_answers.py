"""A night's file, a cluster, a live call and the packaged model answer alike, to the last bit."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from relimit.data.simulator import simulate
from relimit.models import Artifact
from relimit.policy import load_policy
from relimit.serving.requests import Night
from relimit.serving.spark import PLACE, ClusterRun, ShippedModel, answers_of, score_frame

Run = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]

ACCOUNTS = 10_000 if os.environ.get("CI") else 500
"""Accounts with a decision; continuous integration takes the full number."""
ASKED = {"live": ACCOUNTS, "packaged": ACCOUNTS // 5}
"""How many of them are asked about alone.

The packaged model decides as a live call does once it has read the history, and reading JSON takes
longer than deciding: a fifth of the accounts is some 300,000 events of every kind.
"""


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


def test_the_evaluator_decides_as_lightgbm_does(
    events: Path, night: Night, model_folder: Path, relimit_json: RunJson, tmp_path: Path
) -> None:
    pytest.importorskip("numba", reason="the extra `fast` is not installed")
    window = ["--since", night.since.isoformat(), "--as-of", night.as_of.isoformat()]
    words = ["--model", model_folder, "--events", events, *window]
    told = {
        name: relimit_json("score", *words, "--out", tmp_path / name, "--predictor", name)
        for name in ("lightgbm", "fast")
    }
    assert told["fast"]["timings"]["predictor"] == "fast"
    assert told["lightgbm"]["timings"]["predictor"] == "lightgbm: it was asked for"
    assert told["fast"]["files"] == told["lightgbm"]["files"]


@pytest.fixture(scope="module")
def last(decided: pa.Table) -> pa.Table:
    """The last decision on each account."""
    ids = decided["account_id"].to_numpy()
    ends = np.append(np.flatnonzero(np.diff(ids)), len(ids) - 1)
    assert len(ends) >= ACCOUNTS
    return decided.take(pa.array(ends[:ACCOUNTS]))


@pytest.fixture(scope="module")
def alone(
    events: Path,
    night: Night,
    model_folder: Path,
    last: pa.Table,
    relimit: Run,
    tmp_path_factory: Any,
) -> dict[str, list[Any]]:
    """What is answered to one account at a time, by both ways at once."""
    folder = tmp_path_factory.mktemp("alone")
    packaged = relimit("package", "--model", model_folder, "--out", folder / "decider")
    assert packaged.exit_code == 0, packaged.output
    for how, asked in ASKED.items():
        some = last.select(["account_id", "as_of"]).slice(0, asked)
        pq.write_table(some, folder / f"{how}.parquet")
    models = {"live": model_folder, "packaged": folder / "decider"}
    script = Path(__file__).with_name("_answer_alone.py")
    running = {
        how: subprocess.Popen(
            [sys.executable, script, how, model, events, folder / f"{how}.parquet",
             night.since.isoformat(), folder / how]
        )
        for how, model in models.items()
    }  # fmt: skip
    assert [process.wait() for process in running.values()] == [0, 0]
    return {
        how: [json.loads(line) for line in (folder / how).read_text("utf-8").splitlines()]
        for how in models
    }


@pytest.mark.parametrize("how", ["live", "packaged"])
def test_one_account_at_a_time_is_decided_as_in_the_batch(
    alone: dict[str, list[Any]], last: pa.Table, how: str
) -> None:
    rows = last.slice(0, ASKED[how]).to_pylist()
    assert alone[how] == json.loads(json.dumps(rows, default=lambda time: time.isoformat()))


def test_a_cluster_decides_as_the_batch(
    spark: Any, events: Path, night: Night, model_folder: Path, decided: pa.Table
) -> None:
    run = ClusterRun(ShippedModel.of(Artifact.read(model_folder)), load_policy(), night)
    frame = score_frame(spark, spark.read.parquet(str(events)), run, buckets=6)
    found = frame.toArrow().sort_by([("account_id", "ascending"), (PLACE, "ascending")])
    answers = answers_of(found)
    assert answers.quarantined.num_rows == 0
    assert answers.decided.combine_chunks().equals(
        decided.cast(answers.decided.schema).combine_chunks()
    )
