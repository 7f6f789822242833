import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from relimit.data.book import Book, events_as_of
from relimit.data.errors import DataError
from relimit.data.tables import write_parquet

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)


def events(**columns: Any) -> pa.Table:
    given = {
        "account_id": [1, 2],
        "ts": [NOON, NOON + timedelta(days=1)],
        "kind": ["limit", "limit"],
        "amount": [10, 20],
        **columns,
    }
    return pa.table(given)


def test_a_book_knows_its_tables(tmp_path: Path) -> None:
    write_parquet(events(), tmp_path / "events" / "part-0.parquet")
    write_parquet(events(), tmp_path / "decisions.parquet")
    (tmp_path / "book.json").write_text('{"as_of": "2025-07-01T08:00:00+08:00", "seed": 3}')
    book = Book.open(tmp_path)
    assert book.events == tmp_path / "events"
    assert book.decisions == tmp_path / "decisions.parquet"
    assert book.observations is None
    assert book.accounts is None
    assert book.settings["seed"] == 3
    assert book.as_of == datetime(2025, 7, 1, tzinfo=UTC)
    assert book.as_of.utcoffset() == timedelta(0)
    assert events_as_of(book.events) == book.as_of


def test_a_lone_events_file_is_a_book(tmp_path: Path) -> None:
    write_parquet(events(), tmp_path / "any.parquet")
    write_parquet(events(), tmp_path / "decisions.parquet")
    book = Book.open(tmp_path / "any.parquet")
    assert book.events == tmp_path / "any.parquet"
    assert book.decisions is None


def test_without_settings_a_book_ends_when_its_last_event_was_learned_of(tmp_path: Path) -> None:
    late = NOON + timedelta(days=9)
    write_parquet(events(), tmp_path / "a.parquet")
    write_parquet(events(known_at=[late, None]), tmp_path / "b.parquet")
    write_parquet(events(known_at=[NOON, None]), tmp_path / "c.parquet")
    ends = [Book.open(tmp_path / f"{name}.parquet").as_of for name in "abc"]
    assert ends == [NOON + timedelta(days=1), late, NOON + timedelta(days=1)]


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, r"neither events\.parquet nor a folder events is in it \(it has: nothing\)"),
        ({"event.parquet": ""}, r"neither events\.parquet .* \(it has: event\.parquet\)"),
        ({"events.parquet": "", "events/a.parquet": ""}, r"both events\.parquet and a folder"),
        ({"events.parquet": "", "book.json": "{"}, r"book\.json: is not valid JSON"),
        ({"events.parquet": "", "book.json": "[]"}, r"book\.json: is not a JSON object"),
    ],
)
def test_a_broken_book_is_told(files: dict[str, str], message: str, tmp_path: Path) -> None:
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=message):
        Book.open(tmp_path)


def test_a_folder_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere: there is no such folder"):
        Book.open(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("stated", "message"),
    [("soon", "'soon' is not a time"), ("2025-07-01", "has no time zone"), (7, "7 is not a time")],
)
def test_a_wrong_end_is_told(stated: object, message: str, tmp_path: Path) -> None:
    write_parquet(events(), tmp_path / "events.parquet")
    (tmp_path / "book.json").write_text(json.dumps({"as_of": stated}))
    with pytest.raises(DataError, match=rf"book\.json, as_of: .*{message}"):
        _ = Book.open(tmp_path).as_of


def test_a_book_without_rows_has_no_end(tmp_path: Path) -> None:
    write_parquet(events().slice(0, 0), tmp_path / "events.parquet")
    with pytest.raises(DataError, match=r"events\.parquet: has no events"):
        _ = Book.open(tmp_path).as_of
