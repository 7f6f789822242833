"""Series: how many rows come before others, and extremes over ranges, against plain loops."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.vocabulary import KINDS
from relimit.features.bits import Cut
from relimit.features.kinds import MANY, ByKind, Kind
from relimit.features.series import LOOKUPS, Series, SparseTable


@given(
    size=st.integers(0, 200),
    density=st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    asked=st.sampled_from([1, LOOKUPS, LOOKUPS + 1, 1000]),
    seed=st.integers(0, 99),
)
@settings(max_examples=60, deadline=None)
def test_rows_before_any_row_are_counted(size: int, density: float, asked: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    chosen = rng.random(size) < density
    amount = rng.integers(-9, 9, size)
    row = rng.integers(0, size + 1, asked)
    row[-1] = size
    expected = [int(chosen[:place].sum()) for place in row]
    rows = np.flatnonzero(chosen)
    for series in (a_kind(chosen, amount), Series(rows, amount[rows], size)):
        assert series.before(row).tolist() == expected
        assert series.before(Cut(row)).tolist() == expected
        assert series.rows.tolist() == rows.tolist()
        assert series.chosen.tolist() == chosen.tolist()
        assert series.value.tolist() == amount[chosen].tolist()


def a_kind(chosen: np.ndarray, amount: np.ndarray) -> Kind:
    """The chosen rows are draws, the others of an unknown kind."""
    kind = np.where(chosen, KINDS.index("draw"), -1).astype(np.int8)
    return Kind("draw", ByKind(kind, amount))


def test_rows_are_counted_in_a_block_of_many_words() -> None:
    chosen = np.arange(300_000) % 3 == 0
    row = np.array([*range(0, 300_000, 997), 300_000])
    assert np.array_equal(a_kind(chosen, np.zeros(300_000, np.int64)).before(row), (row + 2) // 3)


@pytest.mark.parametrize("size", [0, 1, MANY - 1, MANY])
def test_rows_of_each_kind_ascend_and_those_of_no_kind_come_last(size: int) -> None:
    rng = np.random.default_rng(size)
    kind = rng.integers(-1, len(KINDS), size).astype(np.int8)
    amount = rng.integers(-9, 9, size)
    by_kind = ByKind(kind, amount)
    ranks = [code if code >= 0 else len(KINDS) for code in kind.tolist()]
    assert by_kind.order.tolist() == sorted(range(size), key=lambda row: (ranks[row], row))
    for name in KINDS:
        mine = [row for row in range(size) if kind[row] == KINDS.index(name)]
        series = Kind(name, by_kind)
        assert series.rows.tolist() == mine
        assert series.value.tolist() == amount[mine].tolist()
        totals = itertools.accumulate(amount[mine].tolist(), initial=0)
        assert (series.total - series.total[0]).tolist() == list(totals)


@pytest.mark.parametrize("size", [0, 5])
def test_many_empty_ranges_have_no_largest(size: int) -> None:
    place = np.arange(500) % (size + 1)
    assert np.isnan(SparseTable(np.zeros(size, np.int64)).largest(place, place)).all()


@pytest.mark.parametrize("most", [1, 2, 3, 64, 65, 500])
def test_the_largest_of_every_range_is_found(most: int) -> None:
    rng = np.random.default_rng(most)
    value = rng.integers(-1000, 1000, 500)
    table = SparseTable(value)
    for longest in (1, most):
        first = rng.integers(0, 500, 400)
        last = np.minimum(first + rng.integers(0, longest + 1, 400), 500)
        found = table.largest(first, last)
        spans = zip(first, last, strict=True)
        expected = [value[a:b].max() if b > a else np.nan for a, b in spans]
        assert np.array_equal(found, expected, equal_nan=True)
