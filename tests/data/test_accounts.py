"""Rows are grouped by account alike, however a column is cut into chunks."""

from itertools import groupby, pairwise
from typing import Any

import pyarrow as pa
import pytest

from relimit.data.accounts import group_by_account

ASCENDING = [-3, -3, 1, 1, 1, 4, 9, 9]
CUTS = [[], [0, 0, 8], [1], [2], [3], [3, 3, 4], [1, 2, 3, 4, 5, 6, 7]]


def chunked(ids: list[Any], cuts: list[int]) -> pa.ChunkedArray:
    edges = [0, *cuts, len(ids)]
    kind = pa.array(ids).type
    return pa.chunked_array([pa.array(ids[low:high], kind) for low, high in pairwise(edges)], kind)


@pytest.mark.parametrize("cuts", CUTS)
@pytest.mark.parametrize("as_words", [False, True])
def test_ascending_ids_are_told_by_their_runs(cuts: list[int], as_words: bool) -> None:
    ids = [f"{one + 3:02}" if as_words else one for one in ASCENDING]
    distinct, starts, order = group_by_account(chunked(ids, cuts))
    assert order is None
    assert distinct.tolist() == [one for one, _ in groupby(ids)]
    assert starts.tolist() == [0, 2, 5, 6, 8]


@pytest.mark.parametrize("cuts", CUTS)
def test_ids_in_no_order_are_sorted(cuts: list[int]) -> None:
    distinct, starts, order = group_by_account(chunked([4, 4, 1, 9, 9, 1, 1, 4], cuts))
    assert order is not None
    assert order.tolist() == [2, 5, 6, 0, 1, 7, 3, 4]
    assert (distinct.tolist(), starts.tolist()) == ([1, 4, 9], [0, 3, 6, 8])


@pytest.mark.parametrize("kind", [pa.int64(), pa.string()])
@pytest.mark.parametrize("chunks", [[], [[]], [[], []]])
def test_no_rows_are_no_accounts(kind: pa.DataType, chunks: list[list[Any]]) -> None:
    empty = pa.chunked_array([pa.array(chunk, kind) for chunk in chunks], kind)
    distinct, starts, order = group_by_account(empty)
    assert (len(distinct), starts.tolist(), order) == (0, [0], None)
