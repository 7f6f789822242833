"""No room, no permission, another writer, a clock that goes back: a message, and no half result."""

import errno
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data import choosing
from relimit.data.errors import DataError
from relimit.serving import answers, batch, clock
from relimit.serving.batch import score
from relimit.serving.lock import locked
from relimit.serving.manifest import ANSWERS, RESULTS
from relimit.serving.scorer import Scorer
from relimit.serving.unfinished import Unfinished

HOLD = """
import fcntl, json, os, sys, time
handle = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT)
fcntl.flock(handle, fcntl.LOCK_EX)
os.write(handle, json.dumps({"pid": os.getpid(), "host": "h", "since": "then"}).encode())
print("held", flush=True)
time.sleep(600)
"""

SPILL = """
import time
from relimit.data import choosing, spill
from relimit.serving.cli import main
def wait(*bucket):
    print("parted", flush=True)
    time.sleep(1)
    return sorted_bucket(*bucket)
choosing.MOST_GATHERED, sorted_bucket, spill._sorted_bucket = 0, spill._sorted_bucket, wait
main()
"""


@pytest.fixture(autouse=True)
def _a_book(events: Path, night: Any) -> None:
    pq.write_table(night.book(40, 4), events)


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


def test_no_room_leaves_nothing(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch, "LOT_ROWS", 10)
    whole, written = pq.ParquetWriter.write_table, []

    def write_table(writer: Any, table: Any, *arguments: Any, **named: Any) -> None:
        written.append(table)
        if len(written) == 4:
            raise OSError(errno.ENOSPC, "No space left on device")
        whole(writer, table, *arguments, **named)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", write_table)
    result = run()
    assert result.exit_code == 1
    assert "No space left on device. Make room, or choose a folder" in result.output
    assert not (tmp_path / "out").exists()
    assert run().exit_code == 0


@contextmanager
def no_file_larger_than(size: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [10, 4_000])  # the lock's few words, then a part
def test_the_systems_own_refusal_leaves_nothing(run: Any, tmp_path: Path, size: int) -> None:
    with no_file_larger_than(size):
        result = run()
    assert result.exit_code == 1
    assert "can't be written" in result.output
    assert "File too large" in result.output
    assert files_in(tmp_path) == ["events.parquet"]


def test_no_room_for_events_in_no_order_decides_nothing(
    run: Any, events: Path, night: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "MOST_GATHERED", 0)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temp"))
    (tmp_path / "temp").mkdir()
    table = night.book(40, 4)
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
    pq.write_table(shuffled, events, row_group_size=50)
    with no_file_larger_than(1_000):  # the lock has room, a bucket has none
        result = run()
    assert result.exit_code == 1, result.output
    assert f"relimit: {tmp_path / 'temp'}/relimit-" in result.output
    assert "parted by account here, which can't be written: " in result.output
    assert "set TMPDIR to a disk with room for a copy of the events" in result.output
    assert files_in(tmp_path) == ["events.parquet", "temp"]
    assert run().exit_code == 0


def test_a_run_that_is_told_to_stop_takes_its_copy_of_the_events_along(
    small_model: Path, events: Path, night: Any, tmp_path: Path
) -> None:
    table = night.book(40, 4)
    shuffled = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
    pq.write_table(shuffled, events, row_group_size=50)
    temporary, out = tmp_path / "temp", tmp_path / "out"
    temporary.mkdir()
    words = ["score", "--model", small_model, "--events", events, *night.words, "--out", out]
    with subprocess.Popen(
        [sys.executable, "-c", SPILL, *map(str, words)],
        stdout=subprocess.PIPE, text=True, env=os.environ | {"TMPDIR": str(temporary)},
    ) as scoring:  # fmt: skip
        assert scoring.stdout is not None
        assert scoring.stdout.readline() == "parted\n"
        assert files_in(temporary) != []
        scoring.send_signal(signal.SIGTERM)
        assert scoring.wait() == 128 + signal.SIGTERM
    assert files_in(temporary) == []
    assert not (out / "_lock").exists()


def test_a_file_in_the_folders_place_is_left_alone(run: Any, tmp_path: Path) -> None:
    (tmp_path / "out").write_text("mine")
    result = run()
    assert result.exit_code == 1
    assert "File exists. Choose a folder that can be written with --out" in result.output
    assert (tmp_path / "out").read_text() == "mine"


@pytest.mark.parametrize("mode", [0o755, 0o700])  # others may look into its parent, or not even so
def test_a_read_only_folder_is_refused(mode: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        out = Path(name) / "out"
        out.mkdir(mode=0o500)
        Path(name).chmod(mode)
        child = os.fork()
        if child == 0:
            told = 1
            try:
                if os.geteuid() == 0:  # whom no mode binds
                    os.setresuid(65_534, 65_534, 65_534)
                with locked(out):
                    pass
            except DataError as error:
                told = 0 if "Permission denied. Choose a folder that can" in str(error) else 2
            finally:
                os._exit(told)
        found = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        Path(name).chmod(0o700)
    assert found == 0


def test_a_folder_on_a_read_only_disk_is_refused(scorer: Scorer, events: Path, night: Any) -> None:
    with pytest.raises(DataError, match=r"can't be written: .* Choose a folder"):
        score(scorer, events, night.request, Path("/proc/relimit/out"))


def test_a_run_lasts_with_every_folder_that_was_made_for_it(
    scorer: Scorer, events: Path, night: Any, tmp_path: Path, synced: list[Path]
) -> None:
    out = tmp_path / "nights" / "out"
    score(scorer, events, night.request, out)
    made = {tmp_path, out.parent, out, *(out / "_unfinished" / name for name in ANSWERS)}
    assert made <= set(synced)
    assert synced.count(out) >= len((*RESULTS, "manifest.json"))


def test_a_second_writer_is_told_who_is_at_work(run: Any, tmp_path: Path) -> None:
    with locked(tmp_path / "out"):
        result = run()
    assert result.exit_code == 1
    assert f"another run is writing here (process {os.getpid()} on " in result.output
    assert "Wait until it has finished, stop it, or choose another --out" in result.output
    assert run().exit_code == 0


def test_the_lock_of_a_dead_process_is_no_obstacle(run: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, out / "_lock"], stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        result = run()
        assert f"process {holder.pid} on h since then" in result.output
        holder.send_signal(signal.SIGKILL)
    assert (out / "_lock").exists()
    assert run().exit_code == 0
    assert files_in(out) == [
        "decisions", "manifest.json", "open",
        "part-00000.parquet", "part-00000.parquet", "part-00000.parquet", "quarantine",
    ]  # fmt: skip


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, flock, tries = tmp_path / "_lock", fcntl.flock, []

    def leaving(handle: int, operation: int) -> None:
        if not tries:  # whoever held it removes it between our opening and our locking
            lock.unlink()
        tries.append(operation)
        flock(handle, operation)

    monkeypatch.setattr(fcntl, "flock", leaving)
    with locked(tmp_path):
        assert json.loads(lock.read_text())["pid"] == os.getpid()
    assert len(tries) == 2


def test_a_clock_that_goes_back_changes_nothing(
    scorer: Scorer, events: Path, night: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = score(scorer, events, night.request, tmp_path / "first")

    class Back(datetime):
        hours = 0

        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            cls.hours += 1
            return datetime.now(tz) - timedelta(hours=cls.hours)

    monkeypatch.setattr(clock, "datetime", Back)
    second = score(scorer, events, night.request, tmp_path / "second")
    assert second["timings"]["started_at"] < first["timings"]["started_at"]
    assert second["timings"]["seconds"] >= 0
    assert night.results(tmp_path / "first") == night.results(tmp_path / "second")


def test_a_decision_that_gets_lost_fails_the_run(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = Unfinished.write
    monkeypatch.setattr(batch, "LOT_ROWS", 10)
    monkeypatch.setattr(Unfinished, "write", lambda me, *lot: me.entries or write(me, *lot))
    result = run()
    assert result.exit_code == 1
    assert " found, " in result.output
    assert " written. Report this" in result.output
    assert not (tmp_path / "out").exists()


def test_prepayments_and_their_answers_are_printed(run: Any, events: Path, night: Any) -> None:
    count = len(night.expected(pq.read_table(events)))
    printed = run().output
    assert f"prepayments {count:,} = decided {count:,} + quarantined 0" in " ".join(printed.split())


def test_accounts_that_get_lost_before_they_are_decided_fail_the_run(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "TOGETHER", 60)
    spans = answers.Answering._spans

    def losing(*words: Any) -> Iterator[Any]:
        return (span for place, span in enumerate(spans(*words)) if place != 1)

    monkeypatch.setattr(answers.Answering, "_spans", losing)
    result = run()
    assert result.exit_code == 1
    assert "accounts were asked about, " in result.output
    assert "have no answer. Report this" in result.output
    assert not (tmp_path / "out").exists()
