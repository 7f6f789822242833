"""How many of some rows come before others: bit vectors with counts."""

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Words = NDArray[np.uint64]

_WORD = 32
"""Rows to a word of a bit vector: its upper half counts, its lower half has a bit a row."""

_HALF = np.uint64(_WORD)
_BELOW = (np.uint64(1) << np.arange(_WORD, dtype=np.uint64)) - np.uint64(1)


def padded(size: int) -> int:
    """Return how many bits the words have that answer for a block of `size` rows."""
    return (size // _WORD + 1) * _WORD


def words_of(chosen: Bools) -> Words:
    """Return a bit for each row, in words that begin with the count of the bits before them.

    Such a vector answers how many rows come before any other (Jacobson 1989), and is made in
    a tenth of the time of one count a row.

    Parameters
    ----------
    chosen
        `[padded(events)]` which rows have a bit.
    """
    words = np.packbits(chosen, bitorder="little").view("<u4").astype(np.uint64)
    count = np.bitwise_count(words).astype(np.uint64)  # to add up bytes holds up all threads
    before = np.add.accumulate(count)
    before -= count
    before <<= _HALF
    words |= before
    return words


class Cut:
    """Rows to count events before; where they lie in a bit vector is worked out once.

    Parameters
    ----------
    row
        int64, rows of the block, or one after its last.
    """

    def __init__(self, row: Ints, bits: tuple[Ints, Words] | None = None) -> None:
        self.row = row
        self._known_bits = bits

    @property
    def _bits(self) -> tuple[Ints, Words]:
        """The word that has each row's bit, and the bits of the rows before it in that word."""
        if self._known_bits is None:
            self._known_bits = self.row >> 5, _BELOW.take(self.row & (_WORD - 1), mode="wrap")
        return self._known_bits

    def __getitem__(self, place: int | slice | list[int]) -> "Cut":
        """Return some of several cuts `[ends, rows]`."""
        word, below = self._bits
        return Cut(self.row[place], (word[place], below[place]))

    def count(self, words: Words) -> Ints:
        """Return how many bits come before each row."""
        place, below = self._bits
        word = words.take(place, mode="wrap")  # the quickest mode; none is beyond
        count: Ints = (word >> _HALF).view(np.int64)
        word &= below
        count += np.bitwise_count(word)
        return count
