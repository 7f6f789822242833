"""Events without an account, a time or a kind: kept and counted, and nobody else feels it."""

import json
from collections import Counter
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from relimit.data import choosing
from relimit.data.errors import DataError
from relimit.data.event_tables import conform_events
from relimit.data.files import validate_schema
from relimit.data.prepayments import decision_id
from relimit.data.schema import events_schema
from relimit.data.unusable import nameless_events
from relimit.models import load_model
from relimit.policy import load_policy
from relimit.serving.blocks import decide_events
from relimit.serving.earlier import OpenDecisions
from relimit.serving.requests import Night
from relimit.serving.scorer import Scorer
from relimit.serving.unfinished import Unfinished
from relimit.serving.unusable import NO_ACCOUNT, NO_KIND, NO_TIME

REASONS = {"account_id": NO_ACCOUNT, "ts": NO_TIME, "kind": NO_KIND}
DAY = timedelta(days=1)


def without(table: pa.Table, column: str, *rows: int) -> pa.Table:
    """The table with nothing in some rows of a column."""
    there = np.ones(table.num_rows, bool)
    there[list(rows)] = False
    place = table.column_names.index(column)
    return table.set_column(place, column, pc.if_else(pa.array(there), table[column], None))


def write(table: pa.Table, events: Path, how: str) -> None:
    """The table in one file or in parts, in order or not, with statistics or without."""
    if how == "parts":
        events.mkdir()
        half = table.num_rows // 2
        for name, part in (("a", table.slice(half)), ("b", table.slice(0, half))):
            pq.write_table(part, events / f"{name}.parquet", row_group_size=50)
        return
    if how == "shuffled":
        table = table.take(pa.array(np.random.default_rng(0).permutation(table.num_rows)))
    rows = None if how == "one group" else 50
    pq.write_table(table, events, row_group_size=rows, write_statistics=how != "no statistics")


def prepayments(table: pa.Table, night: Any) -> list[int]:
    """The rows of the night's prepayments."""
    rows = enumerate(table.to_pylist())
    return [
        place
        for place, row in rows
        if row["kind"] == "prepayment" and night.since < row["ts"] <= night.as_of
    ]


@pytest.fixture
def kept(run: Any, tmp_path: Path) -> Any:
    """Score, and return the decisions and the quarantine, once they add up to what is told."""

    def kept(*words: object) -> tuple[pa.Table, list[dict[str, Any]]]:
        result = run("--max-quarantine", 1, "--json", *words)
        assert result.exit_code == 0, result.output
        manifest = json.loads(result.stdout)
        counts = manifest["counts"]
        decided = pq.read_table(tmp_path / "out" / "decisions")
        rows = pq.read_table(tmp_path / "out" / "quarantine").to_pylist()
        assert counts["prepayments"] == decided.num_rows + len(rows)
        assert (counts["decided"], counts["quarantined"]) == (decided.num_rows, len(rows))
        assert manifest["quarantined"] == Counter(row["reason"] for row in rows)
        return decided, rows

    return kept


@pytest.mark.parametrize("how", ["one group", "row groups", "shuffled", "parts", "no statistics"])
@pytest.mark.parametrize("together", [1_000_000, 60])
@pytest.mark.parametrize("column", REASONS)
def test_a_prepayment_that_lacks_one_is_kept_and_no_other_account_feels_it(
    sound: Any, night: Any, events: Path, kept: Any, column: str, how: str, together: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(choosing, "LOT_ROWS", together)
    table, decisions = sound
    place = prepayments(table, night)[7]
    row = table.slice(place, 1).to_pylist()[0]
    write(without(table, column, place), events, how)
    decided, rows = kept()
    others = pc.not_equal(decisions["account_id"], row["account_id"])
    mine = pc.not_equal(decided["account_id"], row["account_id"])
    assert decided.filter(mine).equals(decisions.filter(others))
    found = [one for one in rows if one["prepaid"] == row["amount"] or one["prepaid"] is None]
    known = {"account_id": row["account_id"], "as_of": row["ts"], "prepaid": row["amount"]}
    known |= {column: None} if column == "account_id" else {}
    known |= {"as_of": None} if column == "ts" else {}
    known |= {"prepaid": None} if column == "kind" else {}
    assert found == [{"decision_id": None, **known, "reason": REASONS[column]}]
    if column == "account_id":
        assert rows == found
    else:
        assert {one["account_id"] for one in rows} == {row["account_id"]}
        assert {one["reason"] for one in rows} == {REASONS[column]}
        assert mine.to_pylist().count(False) == 0


def test_what_is_known_of_when_counts_even_without_a_time(
    sound: Any, night: Any, events: Path, kept: Any
) -> None:
    """Known late, it spoils what comes after and has an id; known after the night, nothing."""
    table, decisions = sound
    table = table.append_column("known_at", table["ts"])
    first, second = prepayments(table, night)[3], prepayments(table, night)[11]
    one, other = (table.slice(place, 1).to_pylist()[0] for place in (first, second))
    assert one["account_id"] != other["account_id"]
    later = [night.as_of + DAY if n == second else t for n, t in enumerate(table["ts"].to_pylist())]
    late = table.set_column(4, "known_at", pa.array(later, table.schema.field("ts").type))
    pq.write_table(without(late, "ts", first, second), events)
    decided, rows = kept()
    assert {row["account_id"] for row in rows} == {one["account_id"]}
    told = {row["decision_id"] for row in rows if row["as_of"] == one["ts"]}
    time = int(one["ts"].timestamp() * 1_000_000)
    assert decision_id(one["account_id"], time, one["amount"]) in told
    untouched = pc.is_in(
        decisions["account_id"], pa.array([one["account_id"], other["account_id"]])
    )
    others = decisions.filter(pc.invert(untouched))
    same = pc.is_in(decided["account_id"], others["account_id"].combine_chunks())
    assert decided.filter(same).equals(others)


def test_an_event_of_no_kind_spoils_only_what_its_account_prepays_later(
    night: Any, events: Path, kept: Any
) -> None:
    rows = [*night.line(1, (night.as_of - DAY, 700)), (1, night.as_of - DAY / 2, "operation", None)]
    rows += [*night.line(2, (night.as_of, 900)), (2, night.start + DAY, "operation", None)]
    places = [n for n, row in enumerate(rows) if row[2] == "operation"]
    pq.write_table(without(night.table(rows), "kind", *places), events)
    decided, kept_rows = kept()
    assert decided["account_id"].to_pylist() == [1]
    found = [(row["account_id"], row["as_of"], row["prepaid"]) for row in kept_rows]
    assert found == [(1, night.as_of - DAY / 2, None), (2, night.as_of, 900)]


def test_a_night_keeps_the_events_of_nobody_that_came_in_it(
    night: Any, events: Path, kept: Any
) -> None:
    rows = night.line(1, (night.as_of, 700))
    rows += [(None, night.since, "draw", 5), (None, night.since + DAY, "draw", 6)]
    rows += [(None, night.as_of + DAY, "draw", 7), (None, None, "draw", 8)]
    pq.write_table(night.table(rows), events)
    decided, kept_rows = kept()
    assert decided["account_id"].to_pylist() == [1]
    assert [(row["as_of"], row["prepaid"]) for row in kept_rows] == [
        (night.since + DAY, None), (None, None),
    ]  # fmt: skip


@pytest.mark.parametrize("column", REASONS)
def test_a_column_of_nothing_is_too_much(
    night: Any, events: Path, run: Any, tmp_path: Path, column: str
) -> None:
    table = night.book(6, 8)
    pq.write_table(without(table, column, *range(table.num_rows)), events)
    result = run()
    assert result.exit_code == 1
    assert "prepayments (100.00%) can't be decided, 1 are allowed: " in result.output
    assert REASONS[column] in result.output
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_refused"]


def test_named_prepayments_are_quarantined_with_their_account_and_nobodys_events_beside_them(
    night: Any, small_model: Path, events: Path, tmp_path: Path, relimit_json: Any
) -> None:
    paid = (night.since + DAY, 700)
    rows = [*night.line(1, paid), *night.line(2, paid), *night.line(3, paid)]
    table = without(night.table([*rows, (None, night.start, "draw", 5)]), "ts", 1)
    pq.write_table(without(table, "kind", 3, 4, 5), events)
    named = pa.table({"account_id": [1, 2, 3], "as_of": [paid[0]] * 3, "prepaid": [700] * 3})
    pq.write_table(named, tmp_path / "named.parquet")
    files = ["--model", small_model, "--events", events, "--out", tmp_path / "out"]
    words = ["--prepayments", tmp_path / "named.parquet", "--max-quarantine", 1]
    manifest = relimit_json("score", *files, *words)
    assert manifest["counts"]["prepayments"] == 4
    assert manifest["quarantined"] == {
        "the account has no events": 1, NO_TIME: 1, NO_ACCOUNT: 1,
    }  # fmt: skip
    assert pq.read_table(tmp_path / "out" / "decisions")["account_id"].to_pylist() == [3]


def test_what_stands_open_stays_so_where_no_event_of_its_account_can_be_used(
    night: Any, events: Path, small_model: Path, tmp_path: Path, relimit_json: Any
) -> None:
    """The engines answer for such an account beside its events: a cluster asks nowhere else."""
    rows = [*night.line(1, (night.as_of - DAY, 700)), *night.line(2, (night.as_of - DAY, 700))]
    rows += [(1, night.as_of - DAY, "overdue", 700), (2, night.as_of - DAY, "overdue", 700)]
    table = night.table(rows)
    days = pa.array([None] * 6 + [40, 40], pa.int32())
    pq.write_table(table.append_column("value", days), events)
    files = ["--model", small_model, "--events", events, "--max-quarantine", 1]
    first = relimit_json("score", *files, *night.words, "--out", tmp_path / "first")
    assert first["counts"]["left_open"] == 2
    spoilt = without(table, "kind", *[n for n, row in enumerate(rows) if row[0] == 1])
    pq.write_table(spoilt.append_column("value", days), events)
    tonight = ["--earlier", tmp_path / "first", "--as-of", night.as_of + DAY]
    second = relimit_json("score", *files, *tonight, "--out", tmp_path / "second")
    assert second["quarantined"] == {"the account has no events": 1}
    assert (second["counts"]["decided_again"], second["counts"]["left_open"]) == (2, 2)
    answers, seen = decide_events(
        Scorer(load_model(small_model), load_policy()),
        Night(night.as_of, night.as_of + DAY, OpenDecisions.read(tmp_path / "first")),
        conform_events(pq.read_table(events), where="events", lenient=True),
    )
    assert (answers.rows, seen.tolist()) == (2, [1, 2])


def test_a_run_that_was_killed_after_it_kept_them_ends_with_the_same_files(
    night: Any, events: Path, run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = night.book(30, 8)
    pq.write_table(without(table, "account_id", prepayments(table, night)[0]), events)
    assert run().exit_code == 0
    undisturbed = night.results(tmp_path / "out")
    (tmp_path / "out").rename(tmp_path / "undisturbed")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Unfinished, "commit", killed)
        run()
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["_unfinished"]
    assert run().exit_code == 0
    assert night.results(tmp_path / "out") == undisturbed


def test_a_file_whose_footer_knows_of_no_such_event_is_not_read_for_them(
    night: Any, events: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = night.book(30, 8)
    pq.write_table(table, events, row_group_size=50)
    found = validate_schema(events, events_schema(), "events")
    read, groups = pq.ParquetFile.read_row_group, []

    def note(file: pq.ParquetFile, number: int, **words: Any) -> pa.Table:
        groups.append(number)
        return read(file, number, **words)

    monkeypatch.setattr(pq.ParquetFile, "read_row_group", note)
    assert list(nameless_events(found)) == []
    assert groups == []
    pq.write_table(without(table, "account_id", 120), events, row_group_size=50)
    (nobodys,) = nameless_events(found)
    assert nobodys["amount"].to_pylist() == [table["amount"][120].as_py()]
    assert set(groups) == {2}


@pytest.mark.parametrize("column", REASONS)
def test_a_live_decision_refuses_them(night: Any, scorer: Scorer, column: str) -> None:
    table = night.table(night.line(1, (night.as_of, 700)))
    with pytest.raises(DataError, match=f"column {column} is null in 1 of 3 rows"):
        scorer.decide(without(table, column, 1))
