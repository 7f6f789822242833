"""Rows by account: the distinct ids of a column, and which rows are of each."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.columns import encode, plain_words

Ids = NDArray[Any]
"""Account ids: an int64 array, or an object array of strings."""


def group_by_account(
    ids: pa.ChunkedArray,
) -> tuple[Ids, NDArray[np.int64], NDArray[np.int64] | None]:
    """Return the distinct ids, ascending, where each begins once sorted, and what sorts the rows.

    The first `[accounts]`, the second `[accounts + 1]`, the last a stable order of the rows, None
    if they ascend already.
    """
    if (runs := _runs(ids)) is not None:
        return *runs, None
    distinct, place = account_places(ids)
    order = np.argsort(place, kind="stable")
    counts = np.bincount(place, minlength=len(distinct))
    return distinct, np.concatenate(([0], np.cumsum(counts))), order


def _runs(ids: pa.ChunkedArray) -> tuple[Ids, NDArray[np.int64]] | None:
    """Return the distinct ids of an ascending column and `[accounts + 1]` where each begins.

    None if the column does not ascend.
    """
    words = None if pa.types.is_integer(ids.type) else encode(ids)
    parts = [chunk.to_numpy() for chunk in ids.chunks] if words is None else [words[1]]
    heads, starts = _changes(parts)
    if words is not None:
        heads = np.array(plain_words(words[0].take(pa.array(heads))), dtype=object)
    return (heads, starts) if np.all(heads[1:] > heads[:-1]) else None


def _changes(parts: Iterable[NDArray[Any]]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Return the number that each run of like ones has, where it begins, and where the last ends.

    The arrays follow one another; to join them first would take longer than to look at them.
    """
    heads, starts, rows, before = [np.empty(0, np.int64)], [np.empty(0, np.int64)], 0, None
    for part in parts:
        if len(part):
            changed = np.append(part[0] != before, part[1:] != part[:-1])
            places = np.flatnonzero(changed)
            heads.append(part.take(places))
            starts.append(places + rows)
            rows, before = rows + len(part), part[-1]
    return np.concatenate(heads), np.concatenate((*starts, [rows]))


def account_places(ids: pa.ChunkedArray) -> tuple[Ids, NDArray[np.int64]]:
    """Return the distinct ids of a column, ascending, and each row's place among them."""
    if pa.types.is_integer(ids.type):
        numbers = ids.to_numpy().astype(np.int64, copy=False)
        return np.unique(numbers, return_inverse=True)
    words, code = encode(ids)
    used = np.unique(code)
    names = np.array(plain_words(words.take(pa.array(used))), dtype=object)
    order = np.argsort(names)
    place = np.zeros(len(words), np.int64)
    place[used[order]] = np.arange(len(order))
    return names[order], place.take(code)
