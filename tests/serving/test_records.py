"""Records that are read without a table give the block that the table gives, or are left to it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.errors import DataError
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.schema import TIME, events_schema
from relimit.serving.history import block_of
from relimit.serving.records import plain_block

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
EVENT = {"ts": NOON.isoformat(), "kind": "prepayment", "amount": 500}


def times() -> st.SearchStrategy[Any]:
    """Few instants, so that there are ties; as text with a zone, or as `datetime`."""
    zones = ("+00:00", "+08:00", "-03:30", "Z")
    texts = [
        f"2026-03-0{day}T0{hour}:00:00.000001{zone}"
        for day, hour, zone in [
            (1, 1, zones[0]),
            (1, 9, zones[1]),
            (2, 3, zones[2]),
            (2, 3, zones[3]),
        ]
    ]
    return st.sampled_from([*texts, NOON, NOON - timedelta(days=400)])


def records() -> st.SearchStrategy[list[dict[str, Any]]]:
    optional = {
        "known_at": st.none() | times(),
        "amount": st.none() | st.integers(-(2**63), 2**63 - 1) | st.sampled_from([0, 7]),
        "value": st.none() | st.integers(-(2**31), 2**31 - 1),
        "loan_id": st.none() | st.sampled_from([0, 3, 2**40]),
        "detail": st.none() | st.sampled_from(["", "home", "房"]),
        "account_id": st.just(7),
    }
    kinds = st.sampled_from(["limit", "draw", "prepayment", "no_such_kind"])
    event = st.fixed_dictionaries({"ts": times(), "kind": kinds}, optional=optional)
    return st.lists(event, min_size=1, max_size=12)


def table_of(account_id: int | str, events: list[dict[str, Any]]) -> pa.Table:
    """The same events as Arrow reads them."""
    word = pa.string() if isinstance(account_id, str) else pa.int64()

    def parsed(value: Any) -> Any:
        return datetime.fromisoformat(value) if isinstance(value, str) else value

    columns = {}
    for field in events_schema(word):
        values = [event.get(field.name) for event in events]
        if field.name == "account_id":
            values = [account_id] * len(events)
        if field.type == TIME:
            values = list(map(parsed, values))
        wanted = pa.string() if pa.types.is_dictionary(field.type) else field.type
        columns[field.name] = pa.array(values, wanted)
    return pa.table(columns)


def assert_same(found: EventBlock | None, expected: EventBlock) -> None:
    assert found is not None
    assert found.details == expected.details
    for name in EventBlock.__slots__:
        mine, its = getattr(found, name), getattr(expected, name)
        if name != "details":
            assert mine.dtype == its.dtype
            assert np.array_equal(mine, its), name


@settings(deadline=None)
@given(records(), st.sampled_from([7, "7"]))
def test_plain_records_give_the_block_of_their_table(
    events: list[dict[str, Any]], account_id: int | str
) -> None:
    own = [
        {**event, "account_id": account_id} if "account_id" in event else event for event in events
    ]
    assert_same(plain_block(account_id, own), blocks_from_table(table_of(account_id, own)))


@pytest.mark.parametrize(
    "odd",
    [
        {"amount": 2.0},
        {"amount": True},
        {"amount": 2**63},
        {"value": 2**31},
        {"loan_id": "3"},
        {"detail": "\ud800"},
        {"detail": 5},
        {"kind": None},
        {"kind": b"draw"},
        {"ts": None},
        {"ts": "2026-03-01T12:00:00"},
        {"ts": "yesterday"},
        {"ts": "0001-01-01T00:00:00+08:00"},
        {"ts": NOON.replace(tzinfo=None)},
        {"known_at": 5},
        {"known_at": []},
        {"colour": "red"},
        {"account_id": 8},
    ],
)
def test_a_field_that_is_odd_is_left_to_the_table(odd: dict[str, Any]) -> None:
    assert plain_block(7, [EVENT, {**EVENT, **odd}]) is None


def test_what_the_table_reads_more_widely_is_read_as_before() -> None:
    wide = [{**EVENT, "kind": b"prepayment", "amount": np.int64(500)}]
    assert_same(block_of(wide, 7), blocks_from_table(table_of(7, [EVENT])))
    with pytest.raises(DataError, match=r"events\[1\].amount is 2.0"):
        block_of([EVENT, {**EVENT, "amount": 2.0}], 7)


@pytest.mark.parametrize("account_id", [True, None, 2.0, 2**63, "\ud800"])
def test_an_id_that_is_odd_is_left_to_the_table(account_id: Any) -> None:
    assert plain_block(account_id, [EVENT]) is None
