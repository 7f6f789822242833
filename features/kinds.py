"""The events of a block by kind: which rows, and how many before any row, for all kinds at once."""

from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import KINDS
from relimit.features.bits import Bools, Ints, Words, padded, words_of
from relimit.features.series import Series

_PLACES: Final = np.arange(len(KINDS) + 1, dtype=np.int8)
_PLACE: Final = {kind: place for place, kind in enumerate(KINDS)}


class ByKind:
    """The rows of each kind of a block's events.

    Parameters
    ----------
    kind
        `[events]` int8, the place in `KINDS`; any other number is of no kind.
    """

    def __init__(self, kind: NDArray[np.int8]) -> None:
        self.size = len(kind)
        self._kind = kind

    def rows(self, kind: str) -> Ints:
        """Return the ascending rows of a kind."""
        order, starts = self._order
        place = _PLACE[kind]
        rows: Ints = order[starts[place] : starts[place + 1]]
        return rows

    @cached_property
    def _order(self) -> tuple[Ints, Ints]:
        """The rows sorted by kind, ascending within each, and where each kind begins.

        Sorting bytes takes no longer than looking for six of the kinds.
        """
        order = np.argsort(self._kind, kind="stable")
        return order, self._kind.take(order).searchsorted(_PLACES)

    def chosen(self, kind: str) -> Bools:
        """Return `[events]` whether each row is of a kind."""
        chosen: Bools = self._flags[_PLACE[kind], : self.size]
        return chosen

    @cached_property
    def _flags(self) -> Bools:
        flags = np.empty((len(KINDS), padded(self.size)), np.bool_)
        np.equal(self._kind, _PLACES[:-1, np.newaxis], out=flags[:, : self.size])
        flags[:, self.size :] = False
        return flags

    def words(self, kind: str) -> Words:
        """Return a kind's bit vector."""
        words: Words = self._words[_PLACE[kind]]
        return words

    @cached_property
    def _words(self) -> Words:
        """The bit vectors of all kinds: one call each for what would be one a kind."""
        return words_of(self._flags)


class Kind(Series):
    """The events of one kind with their amounts; looked up once somebody asks.

    Parameters
    ----------
    kind
        One of `KINDS`.
    by_kind
        The block's events by kind.
    amount
        `[events]` int64 fen.
    """

    def __init__(self, kind: str, by_kind: ByKind, amount: Ints) -> None:
        super().__init__(amount[:0], amount[:0], by_kind.size)
        self._kind = kind
        self._by_kind = by_kind
        self._amount = amount

    @cached_property
    def rows(self) -> Ints:
        """`[m]` int64, ascending rows of the block."""
        return self._by_kind.rows(self._kind)

    @cached_property
    def value(self) -> Ints:
        """`[m]`: the amount of each row."""
        value: Ints = self._amount.take(self.rows)
        return value

    @property
    def chosen(self) -> Bools:
        """`[events]`: whether the series has each row of the block; don't write."""
        return self._by_kind.chosen(self._kind)

    @cached_property
    def words(self) -> Words:
        """A bit for each row of the block: see `words_of`."""
        return self._by_kind.words(self._kind)
