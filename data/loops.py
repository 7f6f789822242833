"""The hottest loops of parting events in no order, for numba to compile.

They take addresses and whole numbers alone: what numba makes of them then needs nothing of it.
"""

from typing import Any, Final

import numpy as np
from numba import types

from relimit.data.native import compiled

_INT: Final = types.int64
_WORDS: Final = types.CPointer(types.uint64)
_BYTES: Final = types.CPointer(types.uint8)
_SHORTS: Final = types.CPointer(types.int32)
_INTS: Final = types.CPointer(types.int64)


def packed(values: Any, size: Any, base: Any, shift: Any, words: Any, beyond: Any) -> None:
    """Lay what numbers are beyond a base into words; `beyond` gets all their bits."""
    bits = np.uint64(0)
    for row in range(size):
        over = np.uint64(values[row] - base)
        bits |= over
        words[row] |= over << np.uint64(shift)
    beyond[0] = bits


def parted(bucket: Any, size: Any, words: Any, width: Any, place: Any, out: Any) -> None:
    """Write rows of words by bucket; `place` says where each bucket's next row goes."""
    for row in range(size):
        to = place[bucket[row]]
        place[bucket[row]] = to + 1
        for word in range(width):
            out[word * size + to] = words[word * size + row]


def unpacked(words: Any, size: Any, shift: Any, mask: Any, base: Any, values: Any) -> None:
    """Write the numbers that lie in some bits of words, each with a base added."""
    for row in range(size):
        bits = words[row] >> np.uint64(shift) & np.uint64(mask)
        values[row] = np.int64(bits) + base


LOOPS: Final = {
    "packed_int64": compiled(packed, _INTS, _INT, _INT, _INT, _WORDS, _WORDS),
    "packed_int32": compiled(packed, _SHORTS, _INT, _INT, _INT, _WORDS, _WORDS),
    "packed_uint8": compiled(packed, _BYTES, _INT, _INT, _INT, _WORDS, _WORDS),
    "unpacked": compiled(unpacked, _WORDS, _INT, _INT, _INT, _INT, _INTS),
    "parted": compiled(parted, _BYTES, _INT, _WORDS, _INT, _INTS, _WORDS),
}
