"""Many segments of one array at once: binary search inside each, and the places of all."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]

FEW: Final = 16
"""Up to so many queries are answered one by one."""


def first_after(times: Integers, low: Integers, high: Integers, query: Integers) -> Integers:
    """Return, for each query, the first index of its segment whose time is later.

    Parameters
    ----------
    times
        `[n]`, ascending within every segment that is asked for.
    low, high
        `[q]`: the segment of query `i` is `times[low[i]:high[i]]`.
    query
        `[q]`, in the unit of `times`.

    Returns
    -------
    `[q]` indices into `times`; `high[i]` where no time of the segment is later.

    Examples
    --------
    >>> times = np.array([1, 5, 5, 9, 2, 3])
    >>> low, high = np.array([0, 0, 4]), np.array([4, 4, 6])
    >>> first_after(times, low, high, np.array([5, 0, 7])).tolist()
    [3, 0, 6]
    """
    if len(low) <= FEW:
        ranges = zip(low.tolist(), high.tolist(), query.tolist(), strict=True)
        found = [begin + times[begin:end].searchsorted(at, "right") for begin, end, at in ranges]
        return np.array(found, np.int64)
    low, high = low.copy(), high.copy()
    while (open_ := np.flatnonzero(low < high)).size:
        middle = (low[open_] + high[open_]) // 2
        later = times[middle] > query[open_]
        high[open_[later]] = middle[later]
        low[open_[~later]] = middle[~later] + 1
    return low


def places_of(first: Integers, count: Integers) -> tuple[Integers, Integers]:
    """Return which segment each place is of, and the place, segment after segment.

    Parameters
    ----------
    first, count
        `[s]`: segment `i` has the places from `first[i]` on, `count[i]` of them.

    Examples
    --------
    >>> segment, place = places_of(np.array([4, 9, 0]), np.array([2, 0, 3]))
    >>> segment.tolist(), place.tolist()
    ([0, 0, 2, 2, 2], [4, 5, 0, 1, 2])
    """
    segment = np.repeat(np.arange(len(count)), count)
    within = np.arange(len(segment)) - np.repeat(np.cumsum(count) - count, count)
    return segment, np.repeat(first, count) + within
