"""How many of some rows come before others: bit vectors with counts."""

import numpy as np
from numpy.typing import NDArray

from relimit.features.once import once

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
        `[..., padded(events)]` which rows have a bit.
    """
    packed = np.packbits(chosen.reshape(-1), bitorder="little").view("<u4")
    packed = packed.reshape(*chosen.shape[:-1], -1)
    words = packed.astype(np.uint64)
    bits = np.bitwise_count(packed[..., :-1])
    words[..., 1:] += np.add.accumulate(bits, axis=-1, dtype=np.uint64) << _HALF
    return words


class Cut:
    """Rows to count events before; where they lie in a bit vector is worked out once.

    Parameters
    ----------
    row
        int64, rows of the block, or one after its last.
    """

    def __init__(self, row: Ints) -> None:
        self.row = row

    @once
    def _word(self) -> Ints:
        """The word that has each row's bit."""
        word: Ints = self.row >> 5
        return word

    @once
    def _below(self) -> Words:
        """The bits of the rows of that word that come before each row."""
        below: Words = _BELOW.take(self.row & (_WORD - 1))
        return below

    def count(self, words: Words) -> Ints:
        """Return how many bits come before each row."""
        word = words.take(self._word)
        count: Ints = (word >> _HALF).view(np.int64)
        word &= self._below
        count += np.bitwise_count(word).astype(np.int64)  # adding bytes as they are takes longer
        return count
