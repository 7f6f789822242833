"""What Spark moves in few rows is what went into them, in whichever order it comes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from relimit.data.schema import TIME
from relimit.serving import packed
from relimit.serving.answers import no_answers
from relimit.serving.blocks import Answers
from relimit.serving.packed import PARTED, parted, unpack
from relimit.serving.spark import pack_answers, unpack_answers

NOON = datetime(2024, 5, 6, 12, tzinfo=UTC)


def tables(*rows: tuple[int, str, str | None, int], size: int) -> Iterator[pa.Table]:
    """Events, `size` in a table: account, kind, detail and bucket of each."""
    account, kind, detail, bucket = zip(*rows, strict=True)
    table = pa.table(
        {
            "account_id": pa.array(account, pa.int64()),
            "ts": pa.array([NOON] * len(rows), TIME),
            "kind": pa.array(kind, pa.string()),
            "detail": pa.array(detail, pa.string()),
            "bucket": pa.array(bucket, pa.int32()),
        }
    )
    return (table.slice(first, size) for first in range(0, len(rows), size))


def told(parts: Iterator[pa.RecordBatch]) -> list[tuple[int, list[dict[str, Any]]]]:
    """The number of each part and its rows, without their time."""
    found = pa.Table.from_batches(parts, PARTED)
    tables = (unpack(content).drop_columns("ts") for content in found["events"])
    numbers = found["bucket"].to_pylist()
    return [(number, table.to_pylist()) for number, table in zip(numbers, tables, strict=True)]


def test_gathered_events_become_a_row_for_each_bucket_in_the_order_they_came() -> None:
    events = tables((7, "draw", "b", 2), (5, "draw", None, 0), (7, "limit", "a", 2), size=2)
    assert told(parted(events)) == [
        (0, [{"account_id": 5, "kind": "draw", "detail": None}]),
        (
            2,
            [
                {"account_id": 7, "kind": "draw", "detail": "b"},
                {"account_id": 7, "kind": "limit", "detail": "a"},
            ],
        ),
    ]


def test_no_more_events_are_gathered_than_a_task_has_room_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed, "GATHERED_ROWS", 2)
    events = tables(*[(number, "draw", None, 1) for number in range(5)], size=1)
    assert [len(rows) for _, rows in told(parted(events))] == [2, 2, 1]


def test_a_part_brings_its_own_words_alone() -> None:
    events = tables((1, "draw", "ours", 0), (2, "draw", "theirs", 1), size=2)
    mine, _ = pa.Table.from_batches(parted(events))["events"]
    assert unpack(mine)["detail"].chunk(0).dictionary.to_pylist() == ["ours"]


def test_a_long_dictionary_of_a_row_group_does_not_go_with_every_part() -> None:
    words = pa.array([f"word {number}" for number in range(50)]).dictionary_encode()
    group = pa.table({"detail": words, "bucket": pa.array([0, *[1] * 49])})
    first, _ = pa.Table.from_batches(parted([group]))["events"]
    assert unpack(first)["detail"].chunk(0).dictionary.to_pylist() == ["word 0"]


def test_answers_come_out_as_they_went_in_and_none_take_no_row() -> None:
    nobody = no_answers(pa.string())
    refused = {"decision_id": "d", "account_id": "a", "as_of": NOON, "prepaid": 5, "reason": "why"}
    rows = pa.Table.from_pylist([refused], nobody.quarantined.schema)
    some = Answers(nobody.decided, rows)
    packed_ = pa.concat_tables([pack_answers(some), pack_answers(nobody), pack_answers(some)])
    assert list(unpack_answers(packed_)) == [some, some]
