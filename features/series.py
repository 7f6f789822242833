"""One sort of event of a block: which rows, their values, sums and extremes over ranges."""

from collections.abc import Callable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.features.bits import Bools, Cut, Ints, Words, padded, words_of
from relimit.features.once import once

Floats = NDArray[np.float64]

LOOKUPS = 256
"""Up to this many rows are searched for one by one: making a bit vector costs more."""


RANGES: Final = 64
"""Up to this many ranges, their largest values are looked for one by one."""

_NONE: Final = np.empty(0, np.int64)


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
        self._rows = rows
        self._value = value
        self.size = size
        self._tables: dict[str, SparseTable] = {}

    @property
    def rows(self) -> Ints:
        """`[m]` int64, ascending rows of the block."""
        return self._rows

    @property
    def value(self) -> Ints:
        """`[m]`: the number that goes with each row."""
        return self._value

    @property
    def chosen(self) -> Bools:
        """`[events]`: whether the series has each row of the block."""
        return self._flags[: self.size]

    @property
    def _flags(self) -> Bools:
        flags = np.zeros(padded(self.size), np.bool_)
        flags[self.rows] = True
        return flags

    @once
    def words(self) -> Words:
        """A bit for each row of the block: see `words_of`."""
        return words_of(self._flags)

    def before(self, row: Ints | Cut) -> Ints:
        """Return how many rows of the series come before a row of the block."""
        cut = row if isinstance(row, Cut) else Cut(row)
        if cut.row.size <= LOOKUPS:
            return self.rows.searchsorted(cut.row)
        return cut.count(self.words)

    @once
    def total(self) -> Ints:
        """`[m + 1]`: the sum of the values before each place; int64, hence exact.

        Only differences mean anything.
        """
        return running(self.value)

    def largest(self, first: Ints, last: Ints) -> Floats:
        """Return the largest of the values `first:last`; NaN where that is empty."""
        if first.size <= RANGES:
            return _of_few(max, self.value, first, last)
        return self._table("largest", self.value).largest(first, last)

    def smallest(self, first: Ints, last: Ints) -> Floats:
        """Return the smallest of the values `first:last`; NaN where that is empty."""
        if first.size <= RANGES:
            return _of_few(min, self.value, first, last)
        return 0.0 - self._table("smallest", -self.value).largest(first, last)

    def peak(self, first: Ints, last: Ints) -> Floats:
        """Return the highest that the running total stood, before, within or after `first:last`."""
        if first.size <= RANGES:
            return _of_few(max, self.total, first, last + 1)
        return self._table("peak", self.total).largest(first, last + 1)

    def _table(self, name: str, value: Ints) -> "SparseTable":
        if name not in self._tables:
            self._tables[name] = SparseTable(value)
        return self._tables[name]


class Part(Series):
    """Some rows of another series; counted through the places of the other, which others share.

    Parameters
    ----------
    whole
        The other series.
    chosen
        `[m]` which of its rows.
    value
        `[m]` int64, of which only those of the chosen rows are looked at; None takes the other's.
    """

    def __init__(self, whole: Series, chosen: Bools, value: Ints | None = None) -> None:
        super().__init__(_NONE, _NONE, whole.size)
        self.whole = whole
        self._part = chosen
        self._values = value

    @once
    def rows(self) -> Ints:
        """`[k]` int64, ascending rows of the block."""
        return self.whole.rows[self._part]

    @once
    def value(self) -> Ints:
        """`[k]`: the number that goes with each row."""
        values = self.whole.value if self._values is None else self._values
        return values[self._part]

    @once
    def number(self) -> Ints:
        """`[m + 1]`: how many chosen rows come before each place of the other series."""
        return running(self._part)

    def before(self, row: Ints | Cut) -> Ints:
        """Return how many rows of the series come before a row of the block."""
        cut = row if isinstance(row, Cut) else Cut(row)
        if cut.row.size <= LOOKUPS:
            return self.rows.searchsorted(cut.row)
        return self.number.take(self.whole.before(cut), mode="wrap")


def running(values: Ints | Bools) -> Ints:
    """Return `[m + 1]` int64: the sum of the values before each place."""
    total = np.empty(len(values) + 1, np.int64)
    total[0] = 0
    if values.dtype.kind == "b":
        # To cast as they are added takes thrice as long, and holds up all threads.
        total[1:] = values
        values = total[1:]
    np.add.accumulate(values, out=total[1:])
    return total


def _of_few(most: Callable[..., Any], value: Ints, first: Ints, last: Ints) -> Floats:
    """Return the largest or smallest of every few ranges: a table would cost more calls."""
    length = last - first  # of several windows, where one of the two may be told once
    ends = zip((last - length).ravel().tolist(), length.ravel().tolist(), strict=True)
    found = [most(value[low : low + size].tolist(), default=np.nan) for low, size in ends]
    return np.array(found, np.float64).reshape(length.shape)


class SparseTable:
    """Answers which value is the largest in a range (Bender and Farach-Colton 2000).

    Level k holds the maximum of the 2**k values from each place on; two overlapping halves cover
    any range. Levels are added as far as the longest range needs. An empty range finds NaN in a
    level of its own: to ask of each range whether it is empty would be a guess for the processor.

    Parameters
    ----------
    value
        `[m]` int64.
    """

    def __init__(self, value: Ints) -> None:
        self._value = value
        self._levels = 0

    def largest(self, first: Ints, last: Ints) -> Floats:
        """Return the largest of the values `first:last`; NaN where that is empty."""
        length = last - first
        self._grow(int(length.max(initial=0)))
        left = self._flat.take(self._ahead.take(length, mode="wrap") + first, mode="wrap")
        right = self._flat.take(self._behind.take(length, mode="wrap") + last, mode="wrap")
        found: Floats = np.maximum(left, right, out=left)
        return found

    def _begin(self) -> None:
        """Make the level of the values themselves, and that of empty ranges."""
        size = len(self._value)
        self._highest = self._value.astype(np.float64)
        self._flat = np.concatenate((self._highest, np.full(size + 1, np.nan)))
        self._ahead, self._behind = np.array([size, 0]), np.array([size, -1])
        self._levels = 1

    def _grow(self, longest: int) -> None:
        """Add levels, and by a range's length how far its halves lie from its ends."""
        if self._levels == 0:
            self._begin()
        flat, ahead, behind = [self._flat], [self._ahead], [self._behind]
        begin = len(self._flat)
        while (width := 1 << self._levels) <= longest:
            self._highest = np.maximum(self._highest[: -width // 2], self._highest[width // 2 :])
            flat.append(self._highest)
            ahead.append(np.full(width, begin))
            behind.append(np.full(width, begin - width))
            begin += len(self._highest)
            self._levels += 1
        if len(flat) > 1:
            self._flat, self._ahead, self._behind = map(np.concatenate, (flat, ahead, behind))
