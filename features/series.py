"""One sort of event of a block: which rows, their values, sums and extremes over ranges."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


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
    whole
        The series that this one is part of, if any: its ranks are then looked up there.
    part
        `[len(whole.rows)]` bool: which of its rows this series has.
    """

    def __init__(
        self,
        rows: Ints,
        value: Ints,
        size: int,
        whole: "Series | None" = None,
        part: Bools | None = None,
    ) -> None:
        self.rows = rows
        self.value = value
        self.size = size
        self.whole = whole
        self.part = part
        self._rank: NDArray[np.int32] | None = None
        self._total: Ints | None = None
        self._tables: dict[str, list[Ints]] = {}

    @property
    def rank(self) -> NDArray[np.int32]:
        """How many rows of the series come before each row of the whole, or of the block."""
        if self._rank is None:
            mark = self.part
            if mark is None:
                mark = np.zeros(self.size, np.bool_)
                mark[self.rows] = True
            self._rank = np.zeros(len(mark) + 1, np.int32)
            np.cumsum(mark, dtype=np.int32, out=self._rank[1:])
        return self._rank

    def before(self, row: Ints) -> Ints:
        """Return how many rows of the series come before a row of the block."""
        within = row if self.whole is None else self.whole.before(row)
        return self.rank[within].astype(np.int64)

    @property
    def total(self) -> Ints:
        """`[m + 1]`: the sum of the values before each place; int64, hence exact."""
        if self._total is None:
            self._total = np.zeros(len(self.value) + 1, np.int64)
            np.cumsum(self.value, out=self._total[1:])
        return self._total

    def largest(self, first: Ints, last: Ints) -> Floats:
        """Return the largest of the values `first:last`; NaN where that is empty."""
        return extreme(self._table("largest", self.value), first, last)

    def smallest(self, first: Ints, last: Ints) -> Floats:
        """Return the smallest of the values `first:last`; NaN where that is empty."""
        return -extreme(self._table("smallest", -self.value), first, last)

    def peak(self, first: Ints, last: Ints) -> Floats:
        """Return the highest that the running total stood, before, within or after `first:last`."""
        return extreme(self._table("peak", self.total), first, last + 1)

    def _table(self, name: str, value: Ints) -> list[Ints]:
        return self._tables.setdefault(name, [value])


def extreme(levels: list[Ints], first: Ints, last: Ints) -> Floats:
    """Return the maximum of each `levels[0][first:last]`; NaN where that is empty.

    A sparse table (Bender and Farach-Colton 2000): level k holds the maximum of 2**k values from
    each place, and two overlapping halves cover any range. `levels` is grown as far as the longest
    range needs, and kept by the caller.
    """
    length = last - first
    result: Floats = np.full(len(first), np.nan)
    longest = int(length.max(initial=0))
    while 2 ** len(levels) <= longest:
        below, half = levels[-1], 2 ** (len(levels) - 1)
        levels.append(np.maximum(below[:-half], below[half:]))
    level = np.frexp(length)[1] - 1
    for k in range(longest.bit_length()):
        mine = np.flatnonzero(level == k)
        if len(mine):
            result[mine] = np.maximum(levels[k][first[mine]], levels[k][last[mine] - 2**k])
    return result
