"""A cluster decides the same to the last byte, whatever befalls its executors."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data.errors import DataError, ModelError, RelimitError
from relimit.data.event_tables import conform_events
from relimit.data.schema import TIME
from relimit.data.stream import EventPlan
from relimit.models import Artifact, load_model
from relimit.policy import load_policy
from relimit.serving import batch, cluster, executor_reading
from relimit.serving.batch import score
from relimit.serving.blocks import decide_events
from relimit.serving.earlier import OpenDecisions
from relimit.serving.requests import Night
from relimit.serving.scorer import Scorer
from relimit.serving.spark import (
    PLACE,
    ClusterRun,
    ShippedModel,
    answers_of,
    score_frame,
)
from relimit.serving.unfinished import Unfinished
from relimit.serving.unusable import NO_ACCOUNT, NO_KIND, NO_TIME

pytest.importorskip("pyspark", reason="the extra `spark` is not installed")
needs_java = pytest.mark.skipif(
    shutil.which("java") is None and not {"JAVA_HOME", "CI"} & os.environ.keys(),
    reason="Java is not installed",
)
MANY_EVENTS = 1_000_000


@pytest.fixture(scope="module")
def night(book: Path) -> Night:
    """The last sixty days of the book."""
    ends = datetime.fromisoformat(json.loads((book / "book.json").read_text("utf-8"))["as_of"])
    return Night(ends - timedelta(days=60), ends)


@pytest.fixture(scope="module")
def run(model_folder: Path, night: Night) -> ClusterRun:
    return ClusterRun(ShippedModel.of(Artifact.read(model_folder)), load_policy(), night)


def locally(run: ClusterRun, model_folder: Path, events: Path) -> dict[str, list[dict[str, Any]]]:
    """What this process answers about the events, as rows."""
    table = conform_events(pq.read_table(events), where="events")
    answers, _ = decide_events(Scorer(load_model(model_folder), run.policy), run.request, table)
    return {name: table.to_pylist() for name, table in answers._asdict().items()}


def on_cluster(spark: Any, run: ClusterRun, events: Path, buckets: Any) -> dict[str, Any]:
    """What the cluster answers, as rows in the order of the accounts."""
    frame = score_frame(spark, spark.read.parquet(str(events)), run, buckets=buckets)
    table = frame.toArrow().sort_by([("account_id", "ascending"), (PLACE, "ascending")])
    return {name: part.to_pylist() for name, part in answers_of(table)._asdict().items()}


@needs_java
def test_buckets_on_executors_answer_as_one_process_does(
    spark: Any, run: ClusterRun, model_folder: Path, book: Path
) -> None:
    events = book / "events.parquet"
    here = locally(run, model_folder, events)
    assert len(here["decided"]) > 300
    for buckets in (1, 7):
        assert on_cluster(spark, run, events, buckets) == here


@needs_java
def test_one_account_with_most_events_and_words_for_ids_change_nothing(
    spark: Any, run: ClusterRun, model_folder: Path, book: Path, tmp_path: Path
) -> None:
    events = skewed(book / "events.parquet", tmp_path / "events.parquet", run.request)
    here = locally(run, model_folder, events)
    assert "giant" in {row["account_id"] for row in here["decided"]}
    assert on_cluster(spark, run, events, 4) == here


@needs_java
def test_buckets_that_begin_with_given_accounts_are_the_partitions_and_ascend(
    spark: Any, run: ClusterRun, model_folder: Path, book: Path
) -> None:
    events = book / "events.parquet"
    here = locally(run, model_folder, events)
    borders = np.array([here["decided"][place]["account_id"] for place in (60, 200)])
    frame = score_frame(spark, spark.read.parquet(str(events)), run, buckets=borders)
    assert frame.rdd.getNumPartitions() == 3
    ids = frame.toArrow()["account_id"].to_pylist()
    assert ids == [row["account_id"] for row in here["decided"]] == sorted(ids)


@needs_java
@pytest.mark.parametrize("buckets", [2, np.array([2])])
def test_an_event_of_nobody_is_told_whichever_buckets_are_asked_for(
    spark: Any, run: ClusterRun, tmp_path: Path, buckets: Any
) -> None:
    ends = pa.array([run.request.as_of] * 2, TIME)
    rows = {"account_id": [1, None], "ts": ends, "kind": ["limit"] * 2, "amount": [5, 5]}
    pq.write_table(pa.table(rows), tmp_path / "events.parquet")
    frame = score_frame(
        spark, spark.read.parquet(str(tmp_path / "events.parquet")), run, buckets=buckets
    )
    with pytest.raises(Exception, match="events: column account_id is null in 1 of"):
        frame.collect()


@needs_java
def test_events_in_any_order_are_answered_by_several_tasks_as_sorted_ones(
    spark: Any, book: Path, model_folder: Path, night: Night, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    sorted_ = pq.read_table(book / "events.parquet")
    mixed = sorted_.take(pa.array(np.random.default_rng(0).permutation(sorted_.num_rows)))
    events = tmp_path / "events.parquet"
    pq.write_table(mixed, events, row_group_size=sorted_.num_rows // 5)
    monkeypatch.setattr(executor_reading, "GATHERED_ROWS", sorted_.num_rows // 3)
    scorer = Scorer(load_model(model_folder), load_policy())
    here = score(scorer, book / "events.parquet", night, tmp_path / "here")
    shares = executor_reading.Reading.of(EventPlan.of(events), None).shares
    assert [len(share) for share in shares] == [2, 2, 2]
    engine = partial(cluster.OnSpark, ShippedModel.of(Artifact.read(model_folder)), tmp_path)
    there = score(scorer, events, night, tmp_path / "there", engine=engine)
    assert there["files"] == here["files"]


@needs_java
def test_a_night_on_top_of_another_is_answered_as_one_process_does(
    spark: Any, run: ClusterRun, model_folder: Path, book: Path, tmp_path: Path
) -> None:
    events, night = book / "events.parquet", run.request
    assert isinstance(night, Night)
    between = night.as_of - timedelta(days=2)
    before = Night(night.since, between)
    score(Scorer(load_model(model_folder), run.policy), events, before, tmp_path / "before")
    left = OpenDecisions.read(tmp_path / "before")
    assert len(left) > 20
    tonight = replace(run, request=Night(between, night.as_of, left))
    assert on_cluster(spark, tonight, events, 3) == locally(tonight, model_folder, events)


@needs_java
def test_a_lost_executor_costs_time_and_no_decision(
    spark: Any, run: ClusterRun, model_folder: Path, book: Path
) -> None:
    events = book / "events.parquet"
    here = locally(run, model_folder, events)
    application = spark.sparkContext.applicationId
    before = executors(application)
    killer = threading.Thread(target=kill_one_at_work, args=(spark, before))
    killer.start()
    found = on_cluster(spark, run, events, 40)
    killer.join()
    assert not executors(application) & {min(before)}, "it was killed while tasks were in flight"
    assert found == here
    deadline = time.monotonic() + 60
    while executors(application) <= before and time.monotonic() < deadline:
        time.sleep(0.2)
    assert executors(application) - before, "another executor took its place"


@needs_java
def test_another_time_zone_is_refused_before_it_shifts_times(spark: Any, run: ClusterRun) -> None:
    spark.conf.set("spark.sql.session.timeZone", "Asia/Shanghai")
    try:
        with pytest.raises(DataError, match=r"time zone is Asia/Shanghai.*Set it to UTC"):
            score_frame(spark, spark.range(1), run, buckets=1)
    finally:
        spark.conf.set("spark.sql.session.timeZone", "UTC")


@needs_java
def test_the_command_writes_the_same_files_on_spark_as_here(
    book: Path, model_folder: Path, night: Night, tmp_path: Path, relimit_json: Any, quick_jvm: str
) -> None:
    named = named_prepayments(tmp_path / "named.parquet", book, night)
    words = ["score", "--model", model_folder, "--events", book / "events.parquet"]
    words += ["--prepayments", named, "--max-quarantine", "1"]
    here = relimit_json(*words, "--out", tmp_path / "local", "--engine", "local")
    words += ["--out", tmp_path / "spark", "--engine", "spark", "--json"]
    ran = subprocess.run(
        [Path(sys.executable).with_name("relimit"), *map(str, words)],
        env=os.environ | {"JAVA_TOOL_OPTIONS": quick_jvm},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert ran.returncode == 0, ran.stderr
    there = json.loads(ran.stdout)
    assert here["counts"]["quarantined"] == 2
    for what in ("files", "counts", "money"):
        assert there[what] == here[what]
    for engine in ("local", "spark"):
        assert not list((tmp_path / engine).glob("_*"))


@needs_java
@pytest.mark.parametrize("most_sent", [cluster.MOST_SENT, 0], ids=["asked sent", "all read"])
def test_a_night_on_spark_that_was_killed_is_resumed_to_the_same_files(
    spark: Any, book: Path, model_folder: Path, night: Night, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, most_sent: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(cluster, "MOST_SENT", most_sent)
    monkeypatch.setattr(batch, "LOT_ROWS", 100)
    scorer, events = Scorer(load_model(model_folder), load_policy()), book / "events.parquet"
    here = score(scorer, events, night, tmp_path / "here")
    out = tmp_path / "out"
    out.mkdir()
    engine = partial(cluster.OnSpark, ShippedModel.of(Artifact.read(model_folder)), out)
    write, written = Unfinished.write, []

    def killed(*words: Any) -> None:
        if len(written) == 2:
            raise KeyboardInterrupt
        written.append(words)
        write(*words)

    with monkeypatch.context() as patched:
        patched.setattr(Unfinished, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            score(scorer, events, night, out, engine=engine)
    assert [path.name for path in out.iterdir()] == ["_unfinished"]
    resumed = score(scorer, events, night, out, engine=engine)
    assert resumed["counts"]["decided"] > 300
    assert {**resumed, "timings": None} == {**here, "timings": None}


@needs_java
def test_events_that_lack_their_account_time_or_kind_are_kept_as_by_one_process(
    spark: Any, book: Path, model_folder: Path, night: Night, tmp_path: Path
) -> None:
    table = pq.read_table(book / "events.parquet")
    late = pa.compute.and_(
        pa.compute.equal(table["kind"].cast(pa.string()), "prepayment"),
        pa.compute.greater(table["known_at"], pa.scalar(night.since, TIME)),
    )
    rows = np.flatnonzero(late.to_numpy())
    for name, place in (("account_id", rows[3]), ("ts", rows[30]), ("kind", rows[60])):
        there = pa.array(np.arange(table.num_rows) != place)
        column = pa.compute.if_else(there, table[name].combine_chunks(), None)
        table = table.set_column(table.column_names.index(name), name, column)
    events = tmp_path / "events.parquet"
    loose = pa.schema([field.with_nullable(True) for field in table.schema])
    pq.write_table(table.cast(loose), events)
    scorer, shipped = Scorer(load_model(model_folder), load_policy()), Artifact.read(model_folder)
    here = score(scorer, events, night, tmp_path / "here", max_quarantine=1)
    engine = partial(cluster.OnSpark, ShippedModel.of(shipped), tmp_path)
    there = score(scorer, events, night, tmp_path / "there", max_quarantine=1, engine=engine)
    assert here["quarantined"].keys() == {NO_ACCOUNT, NO_TIME, NO_KIND}
    assert {**there, "timings": None} == {**here, "timings": None}


@needs_java
def test_a_bucket_that_gets_lost_fails_the_run(
    spark: Any, book: Path, model_folder: Path, night: Night, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    scorer, events = Scorer(load_model(model_folder), load_policy()), book / "events.parquet"
    read = cluster.OnSpark._read
    monkeypatch.setattr(
        cluster.OnSpark, "_read", lambda me, files, after: read(me, files[:1] + files[2:], after)
    )
    engine = partial(cluster.OnSpark, ShippedModel.of(Artifact.read(model_folder)), tmp_path)
    with pytest.raises(DataError, match=r"accounts were asked about, .* of them have no answer"):
        score(scorer, events, night, tmp_path / "out", engine=engine)


@needs_java
def test_what_an_executor_finds_wrong_is_told_in_its_own_words(
    spark: Any, model_folder: Path, night: Night, tmp_path: Path
) -> None:
    ends = [night.as_of] * 3
    rows = {"account_id": [1, 1, 1], "ts": ends, "kind": ["limit", "draw", "prepayment"]}
    events = pa.table({**rows, "amount": [500, 1, 100], "value": [0, 2**40, 0]}).cast(
        pa.schema([("account_id", pa.int64()), ("ts", TIME), ("kind", pa.string()),
                   ("amount", pa.int64()), ("value", pa.int64())])
    )  # fmt: skip
    pq.write_table(events, tmp_path / "events.parquet")
    scorer = Scorer(load_model(model_folder), load_policy())
    engine = partial(cluster.OnSpark, ShippedModel.of(Artifact.read(model_folder)), tmp_path)
    with pytest.raises(
        DataError, match=r"Spark gave up: .*events.parquet: column value .* fit int32"
    ):
        score(scorer, tmp_path / "events.parquet", night, tmp_path / "out", engine=engine)


def test_a_damaged_model_is_not_shipped(model_folder: Path, tmp_path: Path) -> None:
    copy = shutil.copytree(model_folder, tmp_path / "model")
    victim = next(path for path in copy.iterdir() if path.suffix == ".txt")
    victim.write_bytes(victim.read_bytes().replace(b"1", b"2", 1))
    with pytest.raises(ModelError):
        ShippedModel.of(Artifact.read(copy))


def test_without_java_or_spark_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    monkeypatch.delenv("JAVA_HOME", raising=False)
    with pytest.raises(RelimitError, match="needs Java"), cluster._session(1):
        pass
    monkeypatch.setitem(sys.modules, "pyspark", None)
    with pytest.raises(RelimitError, match=r"relimit\[spark\]"), cluster._session(1):
        pass


def skewed(book: Path, path: Path, night: Any) -> Path:
    """The book with words for ids, and one more account with most of the events."""
    table = pq.read_table(book)
    ids = pa.array([f"a{one:06d}" for one in table["account_id"].to_pylist()])
    table = table.set_column(0, "account_id", ids)
    rng = np.random.default_rng(0)
    ends = int(night.as_of.timestamp()) * 1_000_000
    ts = np.sort(ends - rng.integers(1, 700 * 86_400_000_000, MANY_EVENTS))
    kinds = np.where(np.arange(MANY_EVENTS) % 2, "prepayment", "draw")
    giant = pa.table(
        {
            "account_id": pa.repeat(pa.scalar("giant"), MANY_EVENTS),
            "ts": pa.array(ts, TIME),
            "known_at": pa.array(ts, TIME),
            "kind": pa.array(kinds).dictionary_encode(),
            "amount": pa.array(np.full(MANY_EVENTS, 1_000)),
        }
    )
    limit = giant.slice(0, 1).set_column(3, "kind", pa.array(["limit"]).dictionary_encode())
    parts = [table, limit, giant]
    words = [part.set_column(3, "kind", part["kind"].cast(pa.string())) for part in parts]
    whole = pa.concat_tables(words, promote_options="default")
    pq.write_table(whole, path)
    return path


def named_prepayments(path: Path, book: Path, night: Night) -> Path:
    """Decisions of the night by name, and two of accounts that the events don't know."""
    log = pq.read_table(book / "decisions.parquet")
    late = pa.compute.greater(log["decided_at"], pa.scalar(night.since, TIME))
    chosen = log.filter(late).rename_columns(
        ["as_of" if name == "decided_at" else name for name in log.column_names]
    )
    chosen = chosen.select(["account_id", "as_of", "prepaid"])
    unknown = pa.table(
        {
            "account_id": pa.array([-5, 10**12]),
            "as_of": pa.array([datetime(2024, 1, 1, tzinfo=UTC)] * 2, TIME),
            "prepaid": pa.array([100, 100]),
        }
    )
    pq.write_table(pa.concat_tables([chosen, unknown.cast(chosen.schema)]), path)
    return path


def executors(application: str) -> set[int]:
    """The processes of an application's executors."""
    found = set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            words = (folder / "cmdline").read_bytes()
        except OSError:
            continue
        if b"CoarseGrainedExecutorBackend" in words and application.encode() in words:
            found.add(int(folder.name))
    return found


def kill_one_at_work(spark: Any, known: set[int]) -> None:
    """Kill an executor while the stage that decides has tasks in flight, and more to come."""
    status = spark.sparkContext.statusTracker()
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for stage in status.getActiveStageIds():
            told = status.getStageInfo(stage)
            if told and told.numTasks == 40 and told.numActiveTasks and told.numCompletedTasks:
                os.kill(min(known), signal.SIGKILL)
                return
        time.sleep(0.02)
