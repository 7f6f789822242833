"""Events become one block in one total order, whatever the order in which they come."""

import numpy as np
import pyarrow as pa
import pytest

from relimit.data import total_order
from relimit.data.errors import DataError
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.schema import TIME, events_schema
from relimit.data.vocabulary import KINDS

FIELDS = [
    "ts",
    "known_at",
    "kind",
    "amount",
    "has_amount",
    "value",
    "has_value",
    "loan_id",
    "has_loan_id",
    "detail",
    "starts",
]


def events(**columns: object) -> pa.Table:
    schema = {field.name: field.type for field in events_schema()}
    return pa.table({name: pa.array(data, schema[name]) for name, data in columns.items()})


def same(a: EventBlock, b: EventBlock) -> bool:
    return a.details == b.details and all(
        np.array_equal(getattr(a, name), getattr(b, name)) for name in ("account_ids", *FIELDS)
    )


@pytest.fixture
def tied() -> pa.Table:
    """Two accounts; the second has six events of one instant that differ in one column each."""
    return events(
        account_id=[1, 1, 2, 2, 2, 2, 2, 2],
        ts=[5, 6, 7, 7, 7, 7, 7, 8],
        known_at=[5, None, 9, 9, 9, 9, 9, 9],
        kind=["limit", "draw", "draw", "draw", "draw", "draw", "draw", "limit"],
        amount=[100, 50, None, 1, 1, 1, 2, 3],
        value=[None, None, None, 1, 2, 2, None, None],
        loan_id=[None, None, 4, 4, 4, 4, 3, None],
        detail=[None, "home", None, None, "home", "other", None, None],
    )


@pytest.fixture(params=["as few rows", "as many rows"])
def sorted_as(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few rows and many are sorted in two ways; these tests hold both to the same order."""
    monkeypatch.setattr(total_order, "FEW_ROWS", 100 if request.param == "as few rows" else 0)


@pytest.mark.usefixtures("sorted_as")
def test_rows_in_any_order_give_the_same_block(tied: pa.Table) -> None:
    expected = blocks_from_table(tied)
    for seed in range(20):
        order = np.random.default_rng(seed).permutation(tied.num_rows)
        assert same(blocks_from_table(tied.take(pa.array(order))), expected)


@pytest.mark.usefixtures("sorted_as")
def test_ties_are_ordered_by_content_nulls_first(tied: pa.Table) -> None:
    block = blocks_from_table(tied)
    assert block.starts.tolist() == [0, 2, 8]
    assert block.loan_id[2:].tolist() == [3, 4, 4, 4, 4, 0]
    assert block.amount[3:7].tolist() == [0, 1, 1, 1]
    assert block.has_amount[3:7].tolist() == [False, True, True, True]
    assert block.value[4:7].tolist() == [1, 2, 2]
    assert block.detail[4:7].tolist() == [-1, 0, 1]
    assert block.details == ("home", "other")


def test_known_at_is_ts_where_null_or_absent(tied: pa.Table) -> None:
    assert blocks_from_table(tied).known_at[:2].tolist() == [5, 6]
    absent = blocks_from_table(tied.drop_columns(["known_at"]))
    assert absent.known_at.tolist() == absent.ts.tolist()


def test_optional_columns_may_be_absent_or_null_typed() -> None:
    bare = events(account_id=[1], ts=[5], kind=["draw"], amount=[None])
    null = bare.append_column("detail", pa.nulls(1)).set_column(3, "amount", pa.nulls(1))
    assert same(blocks_from_table(bare), blocks_from_table(null))
    assert blocks_from_table(bare).has_amount.tolist() == [False]


def test_ids_may_be_strings() -> None:
    table = pa.table(
        {
            "account_id": ["b", "a", "b"],
            "ts": pa.array([2, 1, 1], TIME),
            "kind": ["draw", "limit", "no_such_kind"],
            "amount": [1, 2, 3],
        }
    )
    block = blocks_from_table(table)
    assert block.account_ids.tolist() == ["a", "b"]
    assert block.starts.tolist() == [0, 1, 3]
    assert block.kind.tolist() == [KINDS.index("limit"), -1, KINDS.index("draw")]


def test_other_resolutions_of_time_are_taken_if_exact() -> None:
    table = pa.table(
        {
            "account_id": pa.array([1]),
            "ts": pa.array([3], pa.timestamp("ms", "Asia/Shanghai")),
            "kind": ["draw"],
            "amount": [1],
        }
    )
    assert blocks_from_table(table).ts.tolist() == [3000]


def test_an_empty_table_is_an_empty_block() -> None:
    block = blocks_from_table(events_schema().empty_table())
    assert len(block.account_ids) == 0
    assert block.starts.tolist() == [0]


@pytest.mark.parametrize(
    ("column", "data", "message"),
    [
        ("amount", pa.array([1.5]), "column amount is double"),
        ("ts", pa.array([1], pa.timestamp("us")), "column ts is timestamp"),
        ("ts", pa.array([None], TIME), "column ts is null in 1 of 1 rows"),
        ("account_id", pa.array([None], pa.int64()), "column account_id is null in 1 of 1 rows"),
        ("account_id", pa.array([1.0]), "column account_id is double"),
        ("kind", pa.array([None], pa.string()), "column kind is null in 1 of 1 rows"),
        ("ts", pa.array([1], pa.timestamp("ns", "UTC")), "not whole microseconds in 1"),
    ],
)
def test_what_breaks_the_contract_is_refused(column: str, data: pa.Array, message: str) -> None:
    table = events(account_id=[1], ts=[5], kind=["draw"], amount=[1])
    place = table.schema.get_field_index(column)
    with pytest.raises(DataError, match=message):
        blocks_from_table(table.set_column(place, column, data))


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match="column kind is missing"):
        blocks_from_table(events(account_id=[1], ts=[5], amount=[1]))


@pytest.mark.parametrize("unknown", [0, 200, 253, 254, 255, 300])
def test_kinds_are_told_among_many_unknown_words(unknown: int) -> None:
    words = [*(f"strange {number}" for number in range(unknown)), *KINDS]
    kind = [*reversed(words), *words]
    rows = list(range(len(kind)))
    block = blocks_from_table(events(account_id=[1] * len(kind), ts=rows, kind=kind, amount=rows))
    assert block.kind.tolist() == [KINDS.index(word) if word in KINDS else -1 for word in kind]
