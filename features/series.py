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
        self._tables: dict[str, SparseTable] = {}

    @property
    def rank(self) -> NDArray[np.int32]:
        """How many rows of the series come before each row of the whole, or of the block."""
        if self._rank is None:
            size = self.size if self.part is None else len(self.part)
            rank = np.zeros(size + 1, np.int32)
            if self.part is None:
                rank[self.rows + 1] = 1
            else:
                rank[1:] = self.part
            self._rank = np.add.accumulate(rank, out=rank)
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
            if len(self.value):
                np.add.accumulate(self.value, out=self._total[1:])
        return self._total

    def largest(self, first: Ints, last: Ints) -> Floats:
        """Return the largest of the values `first:last`; NaN where that is empty."""
        return self._table("largest", self.value).largest(first, last)

    def smallest(self, first: Ints, last: Ints) -> Floats:
        """Return the smallest of the values `first:last`; NaN where that is empty."""
        return 0.0 - self._table("smallest", -self.value).largest(first, last)

    def peak(self, first: Ints, last: Ints) -> Floats:
        """Return the highest that the running total stood, before, within or after `first:last`."""
        return self._table("peak", self.total).largest(first, last + 1)

    def _table(self, name: str, value: Ints) -> "SparseTable":
        if name not in self._tables:
            self._tables[name] = SparseTable(value)
        return self._tables[name]


class SparseTable:
    """Answers which value is the largest in a range (Bender and Farach-Colton 2000).

    Level k holds the maximum of the 2**k values from each place on; two overlapping halves cover
    any range. Levels are added as far as the longest range needs.

    Parameters
    ----------
    value
        `[m]` int64.
    """

    def __init__(self, value: Ints) -> None:
        self._flat = value
        self._starts = np.zeros(1, np.int64)
        self._highest = value

    def largest(self, first: Ints, last: Ints) -> Floats:
        """Return the largest of the values `first:last`; NaN where that is empty."""
        length = last - first
        longest = int(length.max(initial=0))
        if longest == 0:
            return np.full(len(first), np.nan)
        self._grow(longest)
        there = length > 0
        level = np.frexp(np.maximum(length, 1))[1] - 1
        start = self._starts[level]
        left = self._flat[np.where(there, start + first, 0)]
        right = self._flat[np.where(there, start + last - (1 << level), 0)]
        return np.where(there, np.maximum(left, right), np.nan)

    def _grow(self, longest: int) -> None:
        levels: list[Ints] = []
        while 2 ** (len(self._starts) + len(levels)) <= longest:
            half = 2 ** (len(self._starts) + len(levels) - 1)
            self._highest = np.maximum(self._highest[:-half], self._highest[half:])
            levels.append(self._highest)
        if levels:
            sizes = [len(level) for level in levels]
            begins = len(self._flat) + np.cumsum([0, *sizes[:-1]])
            self._starts = np.concatenate((self._starts, begins))
            self._flat = np.concatenate((self._flat, *levels))
