"""One kind of event of a block: which rows, their values, and sums and extremes over ranges."""

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Series:
    """Rows of a block with a whole number each; compared by identity, so that it can be a key.

    Parameters
    ----------
    rows
        `[m]` int64, ascending rows of the block.
    value
        `[m]` int64: fen, µs, or what the `value` of an event says.
    size
        The number of rows of the block.
    """

    def __init__(self, rows: Ints, value: Ints, size: int) -> None:
        self.rows = rows
        self.value = value
        self.size = size

    @cached_property
    def _rank(self) -> NDArray[np.int32]:
        """`[size + 1]`: how many rows of the series come before each row of the block."""
        mark = np.zeros(self.size, np.bool_)
        mark[self.rows] = True
        rank = np.zeros(self.size + 1, np.int32)
        np.cumsum(mark, dtype=np.int32, out=rank[1:])
        return rank

    def before(self, row: Ints) -> Ints:
        """Return how many rows of the series come before a row of the block."""
        return self._rank[row].astype(np.int64)

    @cached_property
    def total(self) -> Ints:
        """`[m + 1]`: the sum of the values before each place; int64, hence exact."""
        total = np.zeros(len(self.value) + 1, np.int64)
        np.cumsum(self.value, out=total[1:])
        return total

    def largest(self, first: Ints, last: Ints) -> Floats:
        """Return the largest of the values `first:last`; NaN where that is empty."""
        return extreme(self._peaks, self.value, first, last)

    def smallest(self, first: Ints, last: Ints) -> Floats:
        """Return the smallest of the values `first:last`; NaN where that is empty."""
        return -extreme(self._dips, -self.value, first, last)

    def peak(self, first: Ints, last: Ints) -> Floats:
        """Return the highest that the running total stood, before, within or after `first:last`."""
        return extreme(self._heights, self.total, first, last + 1)

    @cached_property
    def _heights(self) -> list[Ints]:
        return []

    @cached_property
    def _peaks(self) -> list[Ints]:
        return []

    @cached_property
    def _dips(self) -> list[Ints]:
        return []


def extreme(levels: list[Ints], value: Ints, first: Ints, last: Ints) -> Floats:
    """Return the maximum of each `value[first:last]`; NaN where that is empty.

    A sparse table (Bender and Farach-Colton 2000): level k holds the maximum of 2**k values from
    each place, and two overlapping halves cover any range. `levels` is grown as far as the longest
    range needs, and kept by the caller.
    """
    length = last - first
    longest = int(length.max(initial=0))
    if longest == 0:
        return np.full(len(first), np.nan)
    if not levels:
        levels.append(value)
    while 2 ** len(levels) <= longest:
        below, half = levels[-1], 2 ** (len(levels) - 1)
        levels.append(np.maximum(below[:-half], below[half:]))
    result = np.full(len(first), np.nan)
    level = np.frexp(np.maximum(length, 1))[1] - 1
    for k in range(int(level.max()) + 1):
        mine = np.flatnonzero((level == k) & (length > 0))
        result[mine] = np.maximum(levels[k][first[mine]], levels[k][last[mine] - 2**k])
    return result
