"""Too many prepayments that can't be decided fail the run, and can be looked at."""

from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest


@pytest.mark.parametrize(
    ("spoilt", "words", "code"),
    [
        (0, ["--max-quarantine", 0], 0),
        (1, [], 0),  # 0.1% of twenty, rounded up to one
        (1, ["--max-quarantine", 0], 1),
        (2, [], 1),
        (2, ["--max-quarantine", 0.1], 0),
        (3, ["--max-quarantine", 0.1], 1),
    ],
)
def test_a_share_of_the_prepayments_may_be_quarantined(
    run: Any, events: Path, night: Any, spoilt: int, words: list[object], code: int
) -> None:
    rows = [
        row
        for account in range(20)
        for row in night.line(account, (night.as_of, None if account < spoilt else 700))
    ]
    pq.write_table(night.table(rows), events)
    assert run(*words).exit_code == code


def test_a_refused_run_says_why_and_leaves_only_its_quarantine(
    run: Any, events: Path, night: Any, tmp_path: Path
) -> None:
    table = night.book(20, 5, spoilt=3)
    pq.write_table(table, events)
    out = tmp_path / "out"
    result = run()
    assert "an event of the account's ledger has no amount (" in result.output
    assert "Mend these accounts' events, or allow more with --max-quarantine" in result.output
    assert [path.name for path in out.iterdir()] == ["_refused"]
    assert f"{out / '_refused'}: " in result.output
    kept = pq.read_table(out / "_refused")
    assert set(kept["account_id"].to_pylist()) == {0, 1, 2}
    count = len(night.expected(table))
    assert f"{kept.num_rows} of {count} prepayments ({kept.num_rows / count:.2%})" in result.output
    assert run("--max-quarantine", 0.5).exit_code == 0
    assert night.answered(out) == night.expected(table)
    assert not (out / "_refused").exists()


def test_a_finished_run_is_held_to_the_limit_that_is_asked_for_now(
    run: Any, events: Path, night: Any, tmp_path: Path
) -> None:
    pq.write_table(night.book(20, 5, spoilt=3), events)
    out = tmp_path / "out"
    assert run("--max-quarantine", 0.5).exit_code == 0
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
    result = run()
    assert result.exit_code == 1
    kept = pq.read_table(out / "quarantine")
    assert f"{out / 'quarantine'}: {kept.num_rows} of " in result.output
    assert "1 are allowed: an event of the account's ledger has no amount (" in result.output
    assert run("--max-quarantine", 0.5).exit_code == 0
    assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("share", ["-0.1", "1.1", "many"])
def test_a_share_is_from_0_to_1(run: Any, share: str) -> None:
    assert run("--max-quarantine", share).exit_code == 2
