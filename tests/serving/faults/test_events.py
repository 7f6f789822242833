"""Strange events: each prepayment of the night is decided or quarantined, once."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

DAY, HOUR = timedelta(days=1), timedelta(hours=1)


@pytest.fixture
def scored(run: Any, events: Path, tmp_path: Path, night: Any) -> Any:
    """Score a table and return its decisions, once every prepayment is found to be answered."""

    def scored(table: pa.Table, *words: object) -> pa.Table:
        pq.write_table(table, events)
        result = run("--max-quarantine", 1, *words)
        assert result.exit_code == 0, result.output
        assert night.answered(tmp_path / "out") == night.expected(table) != []
        return pq.read_table(tmp_path / "out" / "decisions")

    return scored


def quarantined(tmp_path: Path) -> dict[Any, str]:
    rows = pq.read_table(tmp_path / "out" / "quarantine").to_pylist()
    return {row["account_id"]: row["reason"] for row in rows}


def with_more(table: pa.Table, more: pa.Table) -> pa.Table:
    """Rows put beside others, in the order of the accounts."""
    joined = pa.concat_tables([table, more.cast(table.schema)])
    return joined.take(pa.array(np.argsort(joined["account_id"].to_numpy(), kind="stable")))


def test_rows_in_no_order_lead_to_the_same_decisions(sound: Any, scored: Any) -> None:
    table, decisions = sound
    shuffled = np.random.default_rng(0).permutation(table.num_rows)
    assert scored(table.take(pa.array(shuffled))).equals(decisions)


def test_a_prepayment_delivered_twice_is_quarantined_once(
    night: Any, scored: Any, tmp_path: Path
) -> None:
    paid = (night.since + HOUR, 700)
    decisions = scored(night.table([*night.line(1, paid, paid), *night.line(2, paid)]))
    assert decisions["account_id"].to_pylist() == [2]
    assert "delivered twice" in quarantined(tmp_path)[1]


def test_late_and_early_deliveries_count_when_they_became_known(night: Any, scored: Any) -> None:
    sound_known = [night.start, night.start + DAY]
    events = [*night.line(1, (night.since - DAY, 500)), *night.line(2, (night.as_of, 500))]
    events += night.line(3, (night.as_of + DAY, 500))
    known = [*sound_known, night.since + HOUR, *sound_known, night.as_of + HOUR]
    known += [*sound_known, night.as_of - HOUR]  # known before it happened: booked ahead
    decisions = scored(night.table(events, known))
    assert decisions["account_id"].to_pylist() == [1, 3]


def test_what_comes_later_changes_nothing(sound: Any, scored: Any, night: Any) -> None:
    table, decisions = sound
    future = night.table(
        [(account, night.as_of + DAY, "overdue", 5_000) for account in range(30)]
        + [(account, night.as_of + 2 * DAY, "prepayment", 5_000) for account in range(30)]
    )
    assert scored(with_more(table, future)).equals(decisions)


def test_events_before_1970_are_events(night: Any, scored: Any) -> None:
    old = datetime(1961, 5, 1, tzinfo=UTC)
    table = night.table([(1, old, "limit", 10_000), *night.line(1, (night.since + HOUR, 700))])
    assert scored(table).num_rows == 1


@pytest.mark.parametrize("late", [1_900_000_000_000_000_000, 2**63 - 1])
def test_a_time_beyond_the_calendar_is_an_event_of_the_future(
    night: Any, run: Any, events: Path, tmp_path: Path, late: int
) -> None:
    table = night.table([*night.line(1, (night.since + HOUR, 700)), (1, night.start, "due", 5)])
    known = [*table["ts"].cast(pa.int64()).to_pylist()[:-1], late]
    known_at = pa.array(known, pa.int64()).cast(table["ts"].type)
    pq.write_table(table.append_column("known_at", known_at), events)
    result = run()
    assert result.exit_code == 0, result.output
    assert pq.read_table(tmp_path / "out" / "decisions").num_rows == 1


@pytest.mark.parametrize("column", ["account_id", "kind", "detail"])
@pytest.mark.parametrize("dictionary", [True, False])
def test_text_that_is_not_utf_8_decides_nothing(
    run: Any, events: Path, night: Any, tmp_path: Path, column: str, dictionary: bool
) -> None:
    table = night.table([*night.line("a", (night.as_of, 5)), *night.line("b", (night.as_of, 5))])
    table = table.append_column("detail", pa.nulls(table.num_rows, pa.string()))
    words = pa.array([*table[column].cast(pa.binary()).to_pylist()[:-1], b"\xff"], pa.binary())
    spoilt = pa.Array.from_buffers(pa.string(), len(words), words.buffers())
    table = table.set_column(table.column_names.index(column), column, spoilt)
    pq.write_table(table, events, use_dictionary=dictionary)
    result = run()
    assert result.exit_code == 1, result.output
    assert "UTF-8" in result.output or "utf-8" in result.output
    assert isinstance(result.exception, SystemExit)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("amount", "reason"), [(None, "no amount"), (-700, "negative"), (2**62, "above ten trillion")]
)
def test_amounts_that_cannot_be_are_quarantined(
    night: Any, scored: Any, tmp_path: Path, amount: int | None, reason: str
) -> None:
    events = [*night.line(1, (night.since + HOUR, amount)), *night.line(2, (night.as_of, 700))]
    assert scored(night.table(events))["account_id"].to_pylist() == [2]
    assert reason in quarantined(tmp_path)[1]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York", "+05:30"])
@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_the_zone_and_the_unit_of_a_column_change_nothing(
    sound: Any, scored: Any, zone: str, unit: str
) -> None:
    table, decisions = sound
    moved = table["ts"].cast(pa.timestamp(unit, tz=zone))
    assert scored(table.set_column(1, "ts", moved)).equals(decisions)


def test_an_hour_that_a_clock_shows_twice_is_two_hours(
    night: Any, small_model: Path, events: Path, tmp_path: Path, relimit_json: Any
) -> None:
    first = datetime.fromisoformat("2026-11-01T01:30:00-04:00").astimezone(UTC)
    second = datetime.fromisoformat("2026-11-01T01:30:00-05:00").astimezone(UTC)
    table = night.table([*night.line(1, (first, 500), (second, 300)), *night.line(2, (second, 9))])
    zoned = table["ts"].cast(pa.timestamp("us", tz="America/New_York"))
    pq.write_table(table.set_column(1, "ts", zoned), events)
    words = ["--since", "2026-11-01T01:30:00-04:00", "--as-of", "2026-11-01T01:30:00-05:00"]
    files = ["--model", small_model, "--events", events, "--out", tmp_path / "out"]
    assert relimit_json("score", *files, *words)["counts"]["decided"] == 2
    rows = pq.read_table(tmp_path / "out" / "decisions").to_pylist()
    assert [(row["as_of"], row["prepaid"]) for row in rows] == [(second, 300), (second, 9)]


def test_unknown_kinds_are_left_out(sound: Any, scored: Any, night: Any) -> None:
    table, decisions = sound
    more = [(account, night.since - HOUR, "moon_phase", account) for account in range(30)]
    assert scored(with_more(table, night.table(more))).equals(decisions)


@pytest.mark.parametrize("dictionary", [True, False])
def test_unknown_kinds_are_told_once_with_their_counts(
    run: Any, events: Path, night: Any, tmp_path: Path, dictionary: bool
) -> None:
    strange = [
        (account, night.since - HOUR, kind, None)
        for account in range(30)
        for kind in ("tide", *["moon_phase"] * 40)
    ]
    table = with_more(night.book(30, 8), night.table(strange))
    pq.write_table(table, events, use_dictionary=dictionary, row_group_size=500)
    said = "features ignore events of unknown kinds: moon_phase (1,200), tide (30)"
    for _ in range(2):  # a finished run tells it again
        result = run()
        assert result.exit_code == 0, result.output
        assert result.stderr.count(f"warning: {events}: {said}") == 1
    assert json.loads(run("--json").stdout)["unknown_kinds"] == {"moon_phase": 1200, "tide": 30}
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["unknown_kinds"] == {"moon_phase": 1200, "tide": 30}


def test_a_kind_of_few_rows_at_the_end_of_a_row_group_is_found(
    run: Any, events: Path, night: Any
) -> None:
    table = with_more(night.book(30, 8), night.table([(29, night.since, "moon_phase", None)]))
    pq.write_table(table, events, data_page_size=64)
    assert "features ignore events of unknown kinds: moon_phase (1)" in run().stderr


def test_a_night_of_known_kinds_warns_of_none(run: Any, events: Path, night: Any) -> None:
    pq.write_table(night.book(30, 8), events)
    assert "warning" not in run().output
    assert json.loads(run("--json").stdout)["unknown_kinds"] == {}


def test_an_account_of_100_000_events_is_decided_beside_its_neighbours(
    night: Any, scored: Any
) -> None:
    busy = [(2, night.start + timedelta(minutes=n), "operation", None) for n in range(100_000)]
    events = [*night.line(1, (night.as_of, 5)), *night.line(2, (night.as_of, 700)), *busy]
    events += night.line(3, (night.as_of, 900))
    decisions = scored(night.table(events), "--workers", 3)
    assert decisions["account_id"].to_pylist() == [1, 2, 3]


def test_a_night_without_prepayments_has_a_manifest_all_the_same(
    night: Any, run: Any, events: Path, tmp_path: Path
) -> None:
    pq.write_table(night.table(night.line("a")), events)
    assert run().exit_code == 0
    for folder in ("decisions", "quarantine"):
        table = pq.read_table(tmp_path / "out" / folder)
        assert (table.num_rows, table.schema.field("account_id").type) == (0, pa.string())


def test_named_accounts_without_events_are_quarantined_in_their_place(
    night: Any, small_model: Path, events: Path, tmp_path: Path, relimit_json: Any
) -> None:
    paid = (night.since + HOUR, 700)
    pq.write_table(night.table([*night.line(3, paid), *night.line(6, paid)]), events)
    named = pa.table({"account_id": [9, 6, 5, 1, 3], "as_of": [paid[0]] * 5, "prepaid": [700] * 5})
    pq.write_table(named, tmp_path / "named.parquet")
    files = ["--model", small_model, "--events", events, "--out", tmp_path / "out"]
    words = ["--prepayments", tmp_path / "named.parquet", "--max-quarantine", 1]
    manifest = relimit_json("score", *files, *words)
    assert manifest["quarantined"] == {"the account has no events": 3}
    assert list(quarantined(tmp_path)) == [1, 5, 9]
    decisions = pq.read_table(tmp_path / "out" / "decisions")
    assert decisions["account_id"].to_pylist() == [3, 6]
