"""Rows of whole numbers in few 64-bit words, each number in no more bits than its range needs."""

from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from relimit.data import compiled
from relimit.data.errors import DataError
from relimit.data.native import Loops

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

    @property
    def range(self) -> Range:
        """The least and the greatest number for which there is room."""
        return self.base, self.base + 2**self.bits - 1

    @property
    def wrapped_base(self) -> np.uint64:
        """The base as words have it; what is beyond it is reckoned modulo 2^64, and so exact."""
        return np.uint64(self.base % 2**WORD_BITS)


@dataclass(frozen=True, slots=True)
class Layout:
    """Where each column's numbers lie in the words of a row.

    Attributes
    ----------
    fields
        By column; one that has a single number takes no bits.
    words
        How many there are to a row.
    """

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
        return cls(fields, len(used))

    def packed(self, columns: Columns) -> Words | None:
        """Return the words of rows, `[words, rows]`; None if a number is beyond its range."""
        words = np.zeros((self.words, len(next(iter(columns.values())))), np.uint64)
        loops = compiled.loops_for(words.shape[1])
        for name, values in columns.items():
            field = self.fields.get(name)
            if field is None or not field.bits:
                if field is None or (values != field.base).any():
                    return None
                continue
            if self._laid(values, field, words[field.word], loops) >> field.bits:
                return None
        return words

    @staticmethod
    def _laid(values: NDArray[Any], field: Field, word: Words, loops: Loops) -> int:
        """Lay a column's numbers into words; return the bits that any has beyond the base."""
        if loops:
            return compiled.laid(loops, values, field.base, field.shift, word)
        beyond = values.astype(np.int64, copy=False).view(np.uint64) - field.wrapped_base
        bits = int(np.bitwise_or.reduce(beyond))
        beyond <<= np.uint64(field.shift)
        word |= beyond
        return bits

    def column(self, words: Words, name: str) -> NDArray[np.int64]:
        """Return a column's numbers, `[rows]`."""
        field = self.fields[name]
        if not field.bits:
            return np.broadcast_to(np.int64(field.base), words.shape[1])
        if loops := compiled.loops_for(words.shape[1]):
            return compiled.taken(loops, words[field.word], field.shift, field.bits, field.base)
        beyond = words[field.word] >> np.uint64(field.shift)
        if field.shift + field.bits < WORD_BITS:
            beyond &= np.uint64(2**field.bits - 1)
        if field.base:
            beyond += field.wrapped_base
        numbers: NDArray[np.int64] = beyond.view(np.int64)
        return numbers

    def moved(self, words: Words, before: Self) -> Words:
        """Return the words of a layout that has no greater ranges as they are in this one."""
        columns = {name: before.column(words, name) for name in before.fields}
        if (mine := self.packed(columns)) is None:
            raise DataError("rows were laid in too few bits", mend="Report this to relimit")
        return mine

    def flags(self, words: Words, name: str) -> NDArray[np.bool_]:
        """Return a column that has but 0 and 1, `[rows]`."""
        field = self.fields[name]
        if not field.bits:
            return np.full(words.shape[1], field.base, np.bool_)
        found: NDArray[np.bool_] = (words[field.word] & np.uint64(1 << field.shift)) != 0
        return found


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

    def packed(self, columns: Columns) -> tuple[Layout, Words]:
        """Return the words of rows, and the layout in which they are."""
        layout = self.widest
        while (words := layout.packed(columns)) is None:
            layout = self._widened(ranges_of(columns))
        return layout, words

    def _widened(self, ranges: Mapping[str, Range]) -> Layout:
        """Return a layout for numbers of some ranges as well, with room for as many again.

        So that few are made, however the ranges grow from one batch to the next.
        """
        with self._lock:
            before = {name: field.range for name, field in self.widest.fields.items()}
            wider = {name: _with_room(one, before.get(name, one)) for name, one in ranges.items()}
            self.widest = Layout.of(wider)
            return self.widest


def _with_room(one: Range, other: Range) -> Range:
    """Return what covers both ranges, and as much again, half of it on either side."""
    low, high = min(one[0], other[0]), max(one[1], other[1])
    room = (high - low) // 2
    return max(low - room, _LEAST), min(high + room, _GREATEST)
