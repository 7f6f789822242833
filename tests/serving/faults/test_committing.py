"""A disk that fails while a run is put in its place: no half result, and the next run ends it."""

import errno
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from relimit.serving import batch, unfinished

MOVES = 4
"""Decisions, quarantine, what is open, and the manifest."""


class FailingDisk:
    """Moves files, but for some of the calls, which fail before or after the name has changed."""

    def __init__(self, first: int, last: int, *, renamed: bool) -> None:
        self.calls = 0
        self.failing = range(first, last)
        self.renamed = renamed
        self.move = unfinished.move

    def __call__(self, source: Path, target: Path) -> None:
        self.calls += 1
        fails = self.calls - 1 in self.failing
        if self.renamed or not fails:
            self.move(source, target)
        if fails:
            raise OSError(errno.EIO, "Input/output error")


@pytest.mark.parametrize("renamed", [False, True])
@pytest.mark.parametrize("lasting", [False, True])
@pytest.mark.parametrize("place", range(MOVES))
def test_a_commit_that_fails_shows_nothing_and_is_ended_by_the_next_run(
    run: Any,
    events: Path,
    tmp_path: Path,
    night: Any,
    relimit: Any,
    small_model: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: int,
    lasting: bool,
    renamed: bool,
) -> None:
    pq.write_table(night.book(20, 4), events)
    monkeypatch.setattr(batch, "LOT_ROWS", 10)
    words = ["--model", small_model, "--events", events, *night.words]
    assert relimit("score", *words, "--out", tmp_path / "whole").exit_code == 0
    disk = FailingDisk(place, 1_000 if lasting else place + 1, renamed=renamed)
    with monkeypatch.context() as patched:
        patched.setattr(unfinished, "move", disk)
        failed = run()
    assert failed.exit_code == 1
    assert "can't be written: Input/output error" in failed.output
    out = tmp_path / "out"
    if not lasting:  # else the disk doesn't let us take back what was moved
        assert [path.name for path in out.iterdir()] == ["_unfinished"]
    assert run().exit_code == 0
    assert night.results(out) == night.results(tmp_path / "whole")
