"""The loops of parting events in no order, compiled where there are many rows.

Each function returns what numpy would, to the last bit. Where the loops can't be had (see
`relimit.data.native`) whoever asked goes on with numpy, which is the reference.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.native import Loader, Loops, run

_loader: Final = Loader("relimit.data.loops")

Words = NDArray[np.uint64]


def loops_for(rows: int) -> Loops:
    """Return the loops for so many rows; none if they are not to be had, or not worth it."""
    return _loader.loops_for(rows)


def laid(loops: Loops, values: NDArray[Any], base: int, shift: int, word: Words) -> int:
    """Lay what numbers are beyond a base into words; return the bits that any of them has."""
    name = f"packed_{values.dtype.name}"
    if name not in loops:
        values, name = values.astype(np.int64), "packed_int64"
    beyond = np.zeros(1, np.uint64)
    run(loops[name], np.ascontiguousarray(values), len(values), base, shift, word, beyond)
    return int(beyond[0])


def taken(loops: Loops, word: Words, shift: int, bits: int, base: int) -> NDArray[np.int64]:
    """Return the numbers that lie in some bits of words, beyond a base."""
    values, mask = np.empty(len(word), np.int64), (1 << bits) - 1 if bits < 64 else -1
    run(loops["unpacked"], np.ascontiguousarray(word), len(word), shift, mask, base, values)
    return values


def parted(
    loops: Loops, words: Words, bucket: NDArray[np.uint8], edges: NDArray[np.int64]
) -> Words:
    """Return the rows of `[words, rows]` by bucket, in their order; `edges` as in `Parted`."""
    place, out = edges.astype(np.int64), np.empty(words.shape, np.uint64)
    given = (np.ascontiguousarray(words), len(words), place, out)
    run(loops["parted"], np.ascontiguousarray(bucket), len(bucket), *given)
    return out
