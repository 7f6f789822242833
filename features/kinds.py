"""The events of a block by kind: which rows, and how many before any row, for all kinds at once."""

from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.vocabulary import KINDS, PLACE
from relimit.features.bits import Bools, Ints, Words, padded, words_of
from relimit.features.once import once
from relimit.features.series import Series, running

MANY: Final = 8_192
"""From so many events on, Arrow sorts them by kind more quickly than numpy."""

_PLACES: Final = np.arange(len(KINDS) + 1, dtype=np.uint8)
_EACH: Final = np.arange(len(KINDS))[:, np.newaxis, np.newaxis]
_NONE: Final = np.empty(0, np.int64)


class ByKind:
    """The rows of each kind of a block's events, and their amounts.

    Parameters
    ----------
    kind
        `[events]` int8, the place in `KINDS`; any other number is of no kind.
    amount
        `[events]` int64 fen.
    """

    def __init__(self, kind: NDArray[np.int8], amount: Ints) -> None:
        self.size = len(kind)
        self._kind = kind.view(np.uint8)  # sorted in three quarters of the time; no kind comes last
        self.amount = amount

    @once
    def order(self) -> Ints:
        """The rows sorted by kind, ascending within each: bytes are sorted in one pass."""
        if self.size < MANY:
            return np.argsort(self._kind, kind="stable")
        order: Ints = pc.array_sort_indices(pa.array(self._kind)).to_numpy().view(np.int64)
        return order

    @once
    def starts(self) -> Ints:
        """`[kinds + 1]`: where each kind begins in `order`."""
        return self._kind.searchsorted(_PLACES, sorter=self.order)

    @once
    def values(self) -> Ints:
        """The amounts in `order`."""
        return self.amount.take(self.order)

    @once
    def totals(self) -> Ints:
        """`[events + 1]`: the sum of `values` before each place; int64, hence exact."""
        return running(self.values)

    def span(self, kind: str) -> tuple[int, int]:
        """Return where in `order` a kind begins and ends."""
        place = PLACE[kind]
        return self.starts[place], self.starts[place + 1]

    def places(self, row: Ints) -> Ints:
        """Return `[kinds, ...]`: the place in `order` of each kind's first event from a row on."""
        step = self.size + 1
        key = self._kind.take(self.order) * np.int64(step) + self.order
        return key.searchsorted(_EACH * step + row)

    def chosen(self, kind: str) -> Bools:
        """Return `[events]` whether each row is of a kind."""
        return np.asarray(self._kind == PLACE[kind])

    def words(self, kind: str) -> Words:
        """Return a kind's bit vector."""
        np.equal(self._kind, PLACE[kind], out=self._flags[: self.size])
        return words_of(self._flags)

    def total_of(self, kind: "Kind") -> Ints:
        """Return `[m + 1]`: the sum of a kind's amounts before each place."""
        return running(kind.value)

    @once
    def _flags(self) -> Bools:
        """Room for whether each row is of a kind, the same for all kinds."""
        return np.zeros(padded(self.size), np.bool_)


class Kind(Series):
    """The events of one kind with their amounts; looked up once somebody asks.

    Parameters
    ----------
    kind
        One of `KINDS`.
    by_kind
        The block's events by kind.
    """

    def __init__(self, kind: str, by_kind: ByKind) -> None:
        super().__init__(_NONE, _NONE, by_kind.size)
        self.kind = kind
        self._by_kind = by_kind

    @once
    def rows(self) -> Ints:
        """`[m]` int64, ascending rows of the block."""
        first, last = self._by_kind.span(self.kind)
        return self._by_kind.order[first:last]

    @once
    def value(self) -> Ints:
        """`[m]`: the amount of each row."""
        return self._by_kind.amount.take(self.rows, mode="wrap")

    @once
    def total(self) -> Ints:
        """`[m + 1]`: the sum of the amounts before each place."""
        return self._by_kind.total_of(self)

    @property
    def chosen(self) -> Bools:
        """`[events]`: whether the series has each row of the block; don't write."""
        return self._by_kind.chosen(self.kind)

    @once
    def words(self) -> Words:
        """A bit for each row of the block: see `words_of`."""
        return self._by_kind.words(self.kind)
