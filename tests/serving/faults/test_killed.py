"""A run killed at any point is finished by the next, to the last byte, and not from the start."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from relimit.data import choosing
from relimit.data.errors import DataError
from relimit.serving import answers, batch
from relimit.serving.batch import score
from relimit.serving.scorer import Scorer

POINTS = 20


@pytest.fixture(scope="module")
def killed(
    tmp_path_factory: pytest.TempPathFactory, small_model: Path, night: Any
) -> tuple[Path, dict[str, Any]]:
    """The folder of the runs, and what came of each."""
    folder = tmp_path_factory.mktemp("killed")
    pq.write_table(night.book(200, 1, spoilt=3), folder / "events.parquet", row_group_size=60)
    words = [folder / "events.parquet", small_model, folder, POINTS]
    environment = {"SINCE": night.since.isoformat(), "AS_OF": night.as_of.isoformat()}
    driver = subprocess.run(
        [sys.executable, Path(__file__).with_name("_killed.py"), *map(str, words)],
        check=False,
        env=os.environ | environment,
        capture_output=True,
        text=True,
    )
    assert driver.returncode == 0, driver.stderr
    told: dict[str, Any] = json.loads(driver.stdout)
    return folder, told


@pytest.mark.parametrize("place", range(POINTS))
def test_a_killed_run_is_finished_by_the_next_to_the_last_byte(
    killed: tuple[Path, dict[str, Any]], night: Any, place: int
) -> None:
    folder, told = killed
    outcome = told["outcomes"][place]
    assert (outcome["killed"], outcome["resumed"]) == (True, 0)
    assert night.results(Path(outcome["out"])) == night.results(folder / "whole")
    assert night.answered(Path(outcome["out"])) == night.expected(
        pq.read_table(folder / "events.parquet")
    )


def test_what_was_done_is_not_done_again(killed: tuple[Path, dict[str, Any]]) -> None:
    whole, outcomes = killed[1]["whole"], killed[1]["outcomes"]
    blocks = [outcome["blocks"] for outcome in outcomes]
    assert blocks[0] == whole["blocks"] > 5  # killed before anything was finished
    assert blocks[-1] == 0  # killed when all was decided
    assert sum(0 < count < whole["blocks"] for count in blocks) >= POINTS // 3


def interrupted(
    scorer: Scorer,
    events: Path,
    out: Path,
    night: Any,
    monkeypatch: pytest.MonkeyPatch,
    **more: Any,
) -> None:
    """Leave a run with two lots finished, as a kill would."""

    def stop(done: int, total: int) -> None:
        if len(list((out / "_unfinished" / "decisions").glob("part-*"))) >= 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(batch, "LOT_ROWS", 10)
    monkeypatch.setattr(answers, "BLOCK_ROWS", 60)
    monkeypatch.setattr(answers, "TOGETHER", 60)
    monkeypatch.setattr(choosing, "LOT_ROWS", 60)
    with pytest.raises(KeyboardInterrupt):
        score(scorer, events, night.request, out, progress=stop)


@pytest.fixture
def unfinished(
    scorer: Scorer, events: Path, tmp_path: Path, night: Any, monkeypatch: pytest.MonkeyPatch
) -> Path:
    pq.write_table(night.book(60, 2), events, row_group_size=70)
    interrupted(scorer, events, tmp_path / "out", night, monkeypatch)
    return tmp_path / "out"


def test_readers_see_nothing_of_an_unfinished_run(unfinished: Path) -> None:
    assert [path.name for path in unfinished.iterdir()] == ["_unfinished"]


def test_an_unfinished_run_is_not_mixed_with_other_inputs(
    unfinished: Path, scorer: Scorer, events: Path, night: Any
) -> None:
    before = night.results(unfinished)
    pq.write_table(night.book(60, 3), events, row_group_size=70)
    with pytest.raises(
        DataError, match=r"unfinished run of other inputs \(events differ\)"
    ) as told:
        score(scorer, events, night.request, unfinished)
    assert f"removing {unfinished / '_unfinished'}" in str(told.value)
    assert night.results(unfinished) == before


def test_a_part_that_was_damaged_meanwhile_is_made_again(
    unfinished: Path, scorer: Scorer, events: Path, night: Any, tmp_path: Path
) -> None:
    part = unfinished / "_unfinished" / "decisions" / "part-00001.parquet"
    content = bytearray(part.read_bytes())
    content[len(content) // 2] ^= 1
    part.write_bytes(content)
    score(scorer, events, night.request, unfinished)
    score(scorer, events, night.request, tmp_path / "whole")
    assert night.results(unfinished) == night.results(tmp_path / "whole")


def test_a_journal_that_cannot_be_read_is_refused(
    unfinished: Path, scorer: Scorer, events: Path, night: Any
) -> None:
    (unfinished / "_unfinished" / "journal.json").write_text("{")
    with pytest.raises(DataError, match=r"is not the journal of a run\. Remove its folder"):
        score(scorer, events, night.request, unfinished)


def test_only_what_is_left_is_read(
    unfinished: Path, scorer: Scorer, events: Path, night: Any
) -> None:
    told: list[tuple[int, int]] = []
    score(scorer, events, night.request, unfinished, progress=lambda *told_: told.append(told_))
    assert told[0][0] > 60
    assert told[-1] == (pq.read_metadata(events).num_rows,) * 2
