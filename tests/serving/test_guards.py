"""What is there is never overwritten, what can't be decided is kept, a history is read exactly."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

Run = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]

START = datetime(2026, 1, 1, tzinfo=UTC)
NIGHT = ["--since", "2026-01-01", "--as-of", "2026-02-01"]


def write_events(path: Path, rows: list[tuple[int, int, str, int | None]]) -> Path:
    """Write (account, hour, kind, amount) rows."""
    account, hour, kind, amount = zip(*rows, strict=True)
    times = [START + timedelta(hours=hours) for hours in hour]
    pq.write_table(
        pa.table(
            {
                "account_id": list(account),
                "ts": pa.array(times, pa.timestamp("us", tz="UTC")),
                "kind": list(kind),
                "amount": pa.array(amount, pa.int64()),
            }
        ),
        path,
    )
    return path


LINE: list[tuple[int, int, str, int | None]] = [
    (1, 0, "limit", 100_000),
    (1, 1, "draw", 50_000),
    (1, 9, "prepayment", 20_000),
]


@pytest.fixture
def events(tmp_path: Path) -> Path:
    return write_events(tmp_path / "events.parquet", LINE)


def test_a_book_is_never_overwritten(tmp_path: Path, relimit: Run, events: Path) -> None:
    result = relimit("simulate", tmp_path, "--accounts", 5, "--months", 2, "--seed", 1)
    assert result.exit_code == 1
    assert "is there already" in result.output
    assert pq.read_table(events).num_rows == 3


def test_a_run_never_removes_what_it_did_not_write(
    tmp_path: Path, model_folder: Path, events: Path, relimit: Run
) -> None:
    own = tmp_path / "decisions" / "mine.parquet"
    own.parent.mkdir()
    own.touch()
    words = ["--model", model_folder, "--events", events, *NIGHT, "--out", tmp_path]
    result = relimit("score", *words)
    assert result.exit_code == 1
    assert "of another making" in result.output
    assert own.exists()


def test_a_finished_run_that_lost_a_file_is_not_taken_for_whole(
    tmp_path: Path, model_folder: Path, events: Path, relimit: Run
) -> None:
    out = tmp_path / "out"
    words = ["--model", model_folder, "--events", events, *NIGHT, "--out", out]
    assert relimit("score", *words).exit_code == 0
    (out / "decisions" / "part-00000.parquet").unlink()
    assert "lacks decisions/part-00000.parquet" in relimit("score", *words).output
    (out / "manifest.json").write_text("{")
    damaged = relimit("score", *words)
    assert damaged.exit_code == 1
    assert "is not the manifest of a run" in damaged.output


@pytest.mark.parametrize("command", ["features", "predict"])
def test_an_output_never_replaces_an_input(
    tmp_path: Path, model_folder: Path, events: Path, relimit: Run, command: str
) -> None:
    snapshots = tmp_path / "snapshots.parquet"
    pq.write_table(pa.table({"account_id": [1], "as_of": [START]}), snapshots)
    model = ["--model", model_folder] if command == "predict" else []
    for out in (events, snapshots):
        files = ["--events", events, "--snapshots", snapshots, "--out", out]
        assert relimit(command, *model, *files).exit_code == 2
    assert pq.read_table(events).num_rows == 3


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((1, 9, "prepayment", None), "has no amount"),
        ((1, 9, "prepayment", -5), "negative amount"),
        ((1, 9, "prepayment", 2**62), "above ten trillion"),
        ((1, 9, "prepayment", 20_000), "delivered twice"),
    ],
)
def test_a_prepayment_that_cannot_be_decided_is_quarantined(
    tmp_path: Path,
    model_folder: Path,
    relimit_json: RunJson,
    row: tuple[int, int, str, int | None],
    reason: str,
) -> None:
    sound = [(2, hour, kind, amount) for _, hour, kind, amount in LINE]
    events = write_events(tmp_path / "events.parquet", [*LINE, row, *sound])
    out = tmp_path / "out"
    words = ["--model", model_folder, "--events", events, *NIGHT, "--out", out]
    counts = relimit_json("score", *words)["counts"]
    assert (counts["prepayments"], counts["decided"], counts["quarantined"]) == (2, 1, 1)
    (kept,) = pq.read_table(out / "quarantine").to_pylist()
    assert kept["account_id"] == 1
    assert reason in kept["reason"]


def test_a_night_says_which_rule_binds_and_asks_about_a_cap_that_binds_most(
    tmp_path: Path, model_folder: Path, relimit: Run
) -> None:
    lines = [*LINE, *((2, hour, kind, 900 * (amount or 0)) for _, hour, kind, amount in LINE)]
    events = write_events(tmp_path / "events.parquet", [*lines, (1, 2, "overdue", 900)])
    words = ["--model", model_folder, "--events", events, *NIGHT, "--out"]
    result = relimit("score", *words, tmp_path / "out")
    assert json.loads((tmp_path / "out/manifest.json").read_text())["binding"] == {
        "overdue": 1, "regulatory_cap": 1,
    }  # fmt: skip
    assert "First reason of what waits or is withheld" in result.output
    assert "[caps]" not in result.output
    alone = write_events(tmp_path / "alone.parquet", lines[3:])
    capped = relimit("score", "--model", model_folder, "--events", alone, *NIGHT, "--out",
                     tmp_path / "capped")  # fmt: skip
    assert "warning: the regulatory cap of ¥200,000 holds back limit in 1 of 1" in capped.output


def test_a_night_that_the_export_does_not_reach_is_said_to_be_empty(
    events: Path, tmp_path: Path, model_folder: Path, relimit: Run
) -> None:
    later = ["--since", "2030-01-01T00:00Z", "--as-of", "2030-01-02T00:00Z"]
    words = ["score", "--model", model_folder, "--events", events]
    assert "nothing was to be decided" in relimit(*words, *later, "--out", tmp_path / "a").stderr
    assert "nothing was" not in relimit(*words, *NIGHT, "--out", tmp_path / "b").stderr


def test_promises_whose_date_has_passed_by_the_end_of_the_night_are_told(
    tmp_path: Path, model_folder: Path, relimit: Run
) -> None:
    # Whoever had a payment returned waits five days for the next to clear, with one day of slack.
    events = write_events(tmp_path / "events.parquet", [*LINE, (1, 5, "payment_returned", 100)])
    words = ["score", "--model", model_folder, "--events", events, "--since", "2026-01-01"]
    said = "1 decision promises a date that has passed by the end of this night, 2026-01-07 the"
    for as_of, told in (("2026-01-07T15:00Z", False), ("2026-01-07T17:00Z", True)):
        out = tmp_path / as_of[8:13]
        assert (said in relimit(*words, "--as-of", as_of, "--out", out).stderr) == told
    later = ["--earlier", out, "--as-of", "2026-01-08T17:00Z", "--out", tmp_path / "later"]
    assert "has passed" not in relimit(*words[:5], *later).stderr


def history(**changes: Any) -> str:
    events = [
        {"ts": (START + timedelta(hours=hour)).isoformat(), "kind": kind, "amount": amount}
        for _, hour, kind, amount in LINE
    ]
    events[-1] |= changes
    return json.dumps({"account_id": 1, "events": events})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (history(amount=2.5), r"events[2].amount is 2.5"),
        (history(amount="x"), r"events[2].amount is 'x'"),
        (history(loan_id="a"), r"events[2].loan_id is 'a'"),
        (history(detail=5), r"events[2].detail is 5"),
        (history(ts="2026-01-01T00:00:00"), r"events[2].ts is '2026-01-01T00:00:00'"),
        (history(ts="0001-01-01T00:00:00+14:00"), r"events[2].ts is '0001"),
        (history(amuont=5), "Did you mean amount?"),
        (history(kind="prepay"), "no prepayment, but 1 event(s) of an unknown kind"),
        (history(account_id=7), "events[2] is of account 7, not 1"),
        ('{"account_id": null, "events": []}', "account_id"),
        ('{"account_id": 1, "events": []}', "events is not a list of objects"),
        ("[" * 100_000, "not valid JSON"),
        ("{", "not valid JSON"),
    ],
)
def test_a_history_that_would_be_misread_is_refused(
    model_folder: Path, relimit: Run, text: str, said: str
) -> None:
    result = relimit("decide", "--model", model_folder, stdin=text)
    assert result.exit_code == 1, result.output
    assert said in result.output


def test_prepayments_within_a_day_are_one_live_decision(
    model_folder: Path, relimit_json: RunJson
) -> None:
    given = json.loads(history())
    later = (START + timedelta(hours=33)).isoformat()
    given["events"].append({"ts": later, "kind": "prepayment", "amount": 10_000})
    assert (
        relimit_json("decide", "--model", model_folder, stdin=json.dumps(given))["prepaid"]
        == 30_000
    )
