"""What a night tells while it works: how fast, how long still, and nothing about anybody."""

import logging
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from relimit.data import choosing
from relimit.serving import terminal
from relimit.serving.terminal import progress_to

SECRET_ID, SECRET_AMOUNT = "borrower", 7_391_113
"""Each account's id begins with the one; the other is an amount of each."""


@pytest.fixture
def private(night: Any) -> pa.Table:
    """A sound book whose ids and amounts can't be met by chance."""
    rows = [
        row
        for account in range(9)
        for row in night.line(f"{SECRET_ID}{account}", (night.as_of, SECRET_AMOUNT))
    ]
    return night.table(rows)


def with_column(table: pa.Table, name: str, column: Any) -> pa.Table:
    return table.set_column(table.column_names.index(name), name, column)


def nothing(table: pa.Table, name: str) -> pa.Table:
    """Leave a column's last value out."""
    there = pa.array([True] * (table.num_rows - 1) + [False])
    return with_column(table, name, pc.if_else(there, table[name], None))


def negative(table: pa.Table) -> pa.Table:
    """Make every prepayment's amount negative, so that more are quarantined than allowed."""
    return with_column(
        table,
        "amount",
        pc.if_else(
            pc.equal(table["kind"], "prepayment"), pc.negate(table["amount"]), table["amount"]
        ),
    )


def broken(table: pa.Table) -> pa.Table:
    """Make amounts no whole fen."""
    return with_column(table, "amount", pc.add(pc.cast(table["amount"], pa.float64()), 0.5))


NIGHTS = {
    "sound": (lambda table: table, 0),
    "an id is null": (lambda table: nothing(table, "account_id"), 0),
    "a time is null": (lambda table: nothing(table, "ts"), 0),
    "too many are quarantined": (negative, 1),
    "amounts are no whole fen": (broken, 1),
}


@pytest.mark.parametrize("case", NIGHTS)
def test_nobodys_id_or_amount_is_logged(
    case: str,
    private: pa.Table,
    run: Any,
    events: Path,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    spoil, code = NIGHTS[case]
    pq.write_table(spoil(private), events)
    caplog.set_level(logging.DEBUG)
    result = run()
    assert result.exit_code == code, result.output
    said = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    told = "\n".join([result.output, *said, *capfd.readouterr()])
    assert told.strip()
    assert SECRET_ID not in told
    digits = re.sub(r"(?<=\d)[,_.](?=\d)", "", told)
    assert str(SECRET_AMOUNT) not in digits


def test_a_night_tells_its_rate_and_the_time_that_remains(
    run: Any, events: Path, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    table = night.book(40, 4)
    pq.write_table(table, events)
    result = run()
    assert result.exit_code == 0
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", result.stderr)
    assert re.search(
        rf"scoring events .*{table.num_rows}/{table.num_rows} [\d,]+/s \d:\d\d:\d\d 0:00:00", shown
    )


def test_what_remains_is_told_before_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "160")
    with progress_to("scoring events") as advance:
        for done in (0, 100, 200):
            advance(done, 2_000_000)
            time.sleep(timedelta(milliseconds=20).total_seconds())
    shown = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", capsys.readouterr().err)
    assert re.search(r"200/2000000 [\d,]+/s \d:\d\d:\d\d 0:0[1-9]:\d\d", shown), shown


def test_a_log_without_a_terminal_has_a_line_now_and_then(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    clock = [0.0]
    monkeypatch.setattr("rich.console.monotonic", lambda: clock[0])
    done_at = {0: 1_000_000, 10: 2_000_000, 20: 3_000_000, 25: 3_500_000, 40: 5_000_000}
    with progress_to("scoring events") as advance:
        for clock[0], done in done_at.items():  # the first was resumed
            advance(done, 6_000_000)
    lines = capsys.readouterr().err.splitlines()
    assert [line for line in lines if line.endswith(" left")] == [
        "scoring events: 3,000,000 of 6,000,000, 100,000/s, 0:00:30 left",
        "scoring events: 5,000,000 of 6,000,000, 100,000/s, 0:00:10 left",
    ]


def test_a_night_in_a_job_tells_its_rate_while_it_works(
    run: Any, events: Path, night: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(terminal, "SECONDS_A_LINE", 0)
    monkeypatch.setattr(choosing, "LOT_ROWS", 60)
    pq.write_table(night.book(40, 4), events, row_group_size=60)
    assert re.search(r"scoring events: 200 of 200, [\d,]+/s, 0:00:00 left\n", run().stderr)
