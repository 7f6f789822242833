"""The engine's hottest loops, for numba to compile; `compiled.py` runs them on arrays.

They take addresses and whole numbers alone: what numba makes of them then needs nothing of it.
Whole numbers without a sign are places, which can't be counted from the end.
"""

from typing import Any, Final

import numpy as np
from numba import types
from numba.extending import intrinsic

from relimit.data.native import compiled

_INT: Final = types.int64
_INTS: Final = types.CPointer(types.int64)
_WORDS: Final = types.CPointer(types.uint64)
_BYTES: Final = types.CPointer(types.uint8)

_ONE: Final = np.uint64(1)
_SHIFT, _IN_WORD, _HALF = np.uint64(5), np.uint64(31), np.uint64(32)
"""A word has 32 rows in its lower half, and in its upper half a count: see `bits.words_of`."""

_RANGE: Final = np.uint64(16)
"""So few rows are compared one and all, by vector instructions, and not halved further."""

_BYTE: Final = 256


@intrinsic  # type: ignore[untyped-decorator]
def _bit_count(_: Any, word: Any) -> Any:
    """Return how many bits a word has."""
    return types.uint64(word), lambda _context, builder, _signature, given: builder.ctpop(given[0])


def order_by_kind(kind: Any, size: Any, kinds: Any, starts: Any, order: Any, place: Any) -> None:
    """Sort rows by kind; `place` is room for 256 numbers, which are 0."""
    for row in range(size):
        place[kind[row]] += 1
    begin = 0
    for one in range(_BYTE):
        count = place[one]
        place[one] = begin
        if one <= kinds:
            starts[one] = begin
        begin += count
    for row in range(size):
        one = kind[row]
        order[place[one]] = row
        place[one] += 1


def words_of_kinds(kind: Any, size: Any, kinds: Any, words: Any, width: Any, room: Any) -> None:
    """Write the bit vectors of all kinds; `room` is for 512 words, which are 0."""
    for word in range(width):
        bit = _ONE
        for row in range(32 * word, min(32 * word + 32, size)):
            room[kind[row]] |= bit
            bit <<= _ONE
        for one in range(kinds):
            bits = room[one]
            words[one * width + word] = room[_BYTE + one] << _HALF | bits
            room[_BYTE + one] += _bit_count(bits)
            room[one] = np.uint64(0)


def totals(rows: Any, size: Any, amount: Any, total: Any) -> None:
    """Write what the amounts of some rows add up to before each."""
    so_far = 0
    total[0] = 0
    for place in range(size):
        so_far += amount[rows[place]]
        total[place + 1] = so_far


def bits_before(row: Any, size: Any, words: Any, count: Any) -> None:
    """Write how many bits come before each row."""
    for place in range(size):
        asked = np.uint64(row[place])
        word = words[asked >> _SHIFT]
        below = word & ((_ONE << (asked & _IN_WORD)) - _ONE)
        count[place] = np.int64((word >> _HALF) + _bit_count(below))


def rows_known(
    known_at: Any, starts: Any, account: Any, moment: Any, size: Any, ago: Any, ends: Any, rows: Any
) -> None:
    """Write the row after the last one known some time before each moment, `[ends, size]`."""
    for place in range(size):
        if account[place] < 0:
            for end in range(ends):
                rows[end * size + place] = 0
            continue
        first = np.uint64(starts[account[place]])
        length = np.uint64(starts[account[place] + 1]) - first
        for end in range(ends):
            time = moment[place] - ago[end]
            row, left = first, length
            while left > _RANGE:
                half = left >> _ONE
                row += half * np.uint64(known_at[row + half - _ONE] <= time)
                left -= half
            known = np.uint64(0)
            for further in range(left):
                known += np.uint64(known_at[row + further] <= time)
            rows[end * size + place] = np.int64(row + known)


LOOPS: Final = {
    "order_by_kind": compiled(order_by_kind, _BYTES, _INT, _INT, _INTS, _INTS, _INTS),
    "words_of_kinds": compiled(words_of_kinds, _BYTES, _INT, _INT, _WORDS, _INT, _WORDS),
    "totals": compiled(totals, _INTS, _INT, _INTS, _INTS),
    "bits_before": compiled(bits_before, _INTS, _INT, _WORDS, _INTS),
    "rows_known": compiled(rows_known, _INTS, _INTS, _INTS, _INTS, _INT, _INTS, _INT, _INTS),
}
