"""Answers are cut into the same lots, however they come."""

import itertools

import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from relimit.policy import decisions_schema
from relimit.serving.blocks import Answers
from relimit.serving.lots import Lot, Lots
from relimit.serving.quarantine import quarantine_schema

Kinds = list[tuple[int, int]]
"""How many decided and quarantined rows each account has."""


def answers(kinds: Kinds, first: int) -> Answers:
    def table(schema: pa.Schema, place: int) -> pa.Table:
        ids = [first + n for n, counts in enumerate(kinds) for _ in range(counts[place])]
        columns = [
            pa.array(ids, pa.int64())
            if field.name == "account_id"
            else pa.nulls(len(ids), field.type)
            for field in schema
        ]
        return pa.Table.from_arrays(columns, names=schema.names)

    return Answers(table(decisions_schema(), 0), table(quarantine_schema(), 1))


def lots_of(kinds: Kinds, cuts: list[int], rows: int) -> list[Lot]:
    """Cut accounts, handed over in blocks that end before the accounts `cuts`."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(kinds)), len(kinds)]
    lots = Lots(rows)
    found: list[Lot] = []
    for low, high in itertools.pairwise(edges):
        found += lots.add(answers(kinds[low:high], low))
    return [*found, *lots.rest()]


def content(lot: Lot) -> tuple[object, ...]:
    return (lot.through, *(table["account_id"].to_pylist() for table in lot.answers))


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3)), max_size=30),
    st.lists(st.integers(0, 30), max_size=8),
    st.integers(1, 20),
)
def test_lots_do_not_depend_on_the_blocks(kinds: Kinds, cuts: list[int], rows: int) -> None:
    found = [content(lot) for lot in lots_of(kinds, cuts, rows)]
    assert found == [content(lot) for lot in lots_of(kinds, [], rows)]
    for place in (0, 1):
        ids = [n for n, counts in enumerate(kinds) for _ in range(counts[place])]
        assert [one for lot in found for one in lot[1 + place]] == ids
    sizes = [len(lot[1]) + len(lot[2]) for lot in found]
    assert all(size >= rows for size in sizes[:-1])
    last_account = [sum(lot[1 + p].count(lot[0]) for p in (0, 1)) for lot in found]
    assert all(size - last < rows for size, last in zip(sizes, last_account, strict=True))


def test_a_lot_is_not_held_twice_while_it_is_written() -> None:
    lots = Lots(10**6)
    before = pa.total_allocated_bytes()
    for first in range(0, 20_000, 1_000):
        assert not list(lots.add(answers([(1, 0)] * 1_000, first)))
    for lot in lots.rest():
        size = sum(table.get_total_buffer_size() for table in lot.answers)
        assert size > 10**6
        assert pa.total_allocated_bytes() - before < 1.5 * size
