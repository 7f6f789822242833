"""Rows of whole numbers in few 64-bit words, each number in no more bits than its range needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

Columns = dict[str, NDArray[Any]]
Range = tuple[int, int]
Words = NDArray[np.uint64]

WORD_BITS: Final = 64
_LEAST, _GREATEST = -(2**63), 2**63 - 1


def ranges_of(columns: Columns) -> dict[str, Range]:
    """Return the least and the greatest number of each column, `[rows]`; there are rows."""
    return {name: (int(values.min()), int(values.max())) for name, values in columns.items()}


@dataclass(frozen=True, slots=True)
class Field:
    """Where a column's numbers lie, as what each is beyond `base`: in some bits of a word."""

    base: int
    bits: int
    word: int
    shift: int


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column's numbers lie in the words of a row.

    Attributes
    ----------
    ranges
        The numbers that each column may have.
    fields
        By column; one that has a single number takes no bits.
    words
        How many there are to a row.
    """

    ranges: Mapping[str, Range]
    fields: Mapping[str, Field]
    words: int

    @classmethod
    def of(cls, ranges: Mapping[str, Range]) -> Self:
        """Return a layout for numbers of some ranges: the widest are placed first."""
        bits = {name: (high - low).bit_length() for name, (low, high) in ranges.items()}
        fields, used = {}, [0]
        for name in sorted(bits, key=bits.__getitem__, reverse=True):
            room = (word for word, taken in enumerate(used) if taken + bits[name] <= WORD_BITS)
            word = next(room, len(used))
            if word == len(used):
                used.append(0)
            fields[name] = Field(ranges[name][0], bits[name], word, used[word])
            used[word] += bits[name]
        return cls(ranges, fields, len(used))

    def holds(self, ranges: Mapping[str, Range]) -> bool:
        """Return whether numbers of some ranges can be laid so."""
        for name, (low, high) in ranges.items():
            if name not in self.ranges or low < self.ranges[name][0] or high > self.ranges[name][1]:
                return False
        return True

    def packed(self, columns: Columns) -> Words:
        """Return the words of rows, `[words, rows]`."""
        words = np.zeros((self.words, len(next(iter(columns.values())))), np.uint64)
        for name, field in self.fields.items():
            if field.bits:
                number = columns[name].astype(np.int64, copy=False).view(np.uint64)
                beyond = number - np.uint64(field.base % 2**WORD_BITS)
                beyond <<= np.uint64(field.shift)
                words[field.word] |= beyond
        return words

    def column(self, words: Words, name: str) -> NDArray[np.int64]:
        """Return a column's numbers, `[rows]`."""
        field = self.fields[name]
        if not field.bits:
            return np.broadcast_to(np.int64(field.base), words.shape[1])
        beyond = words[field.word] >> np.uint64(field.shift)
        beyond &= np.uint64(2**field.bits - 1)
        beyond += np.uint64(field.base % 2**WORD_BITS)
        return beyond.view(np.int64)

    def columns(self, words: Words) -> Columns:
        """Return every column's numbers."""
        return {name: self.column(words, name) for name in self.fields}


class Layouts:
    """The layouts of one batch after another, each of which holds what those before it do.

    Threads may share it.

    Attributes
    ----------
    widest
        The last of them.
    """

    def __init__(self) -> None:
        self.widest = Layout.of({})
        self._lock = Lock()

    def holding(self, ranges: Mapping[str, Range]) -> Layout:
        """Return the last layout, or a new one if that can't hold numbers of some ranges.

        A new one has room for half as many on either side, so that few are made however the ranges
        grow.
        """
        with self._lock:
            if not self.widest.holds(ranges):
                before = self.widest.ranges
                self.widest = Layout.of(
                    {
                        name: _with_room(found, before.get(name, found))
                        for name, found in ranges.items()
                    }
                )
            return self.widest


def _with_room(one: Range, other: Range) -> Range:
    """Return what covers both ranges, and as much again, half of it on either side."""
    low, high = min(one[0], other[0]), max(one[1], other[1])
    room = (high - low) // 2
    return max(low - room, _LEAST), min(high + room, _GREATEST)
