"""Rows by account: the distinct ids of a column, and which rows are of each."""

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
    code = ids.to_numpy() if words is None else words[1]
    starts = np.concatenate(([0], np.flatnonzero(code[1:] != code[:-1]) + 1, [len(code)]))
    if len(code) == 0:
        starts = starts[:1]
    heads: Ids = code[starts[:-1]]
    if words is not None:
        heads = np.array(plain_words(words[0].take(pa.array(heads))), dtype=object)
    if not np.all(heads[1:] > heads[:-1]):
        return None
    return heads, starts.astype(np.int64)


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
