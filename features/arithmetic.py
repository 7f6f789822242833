"""Arithmetic with missing numbers: a share of nothing is unknown, not zero."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import MICROSECONDS_PER_DAY

Floats = NDArray[np.float64]


def ratio(part: NDArray[Any], whole: NDArray[Any]) -> Floats:
    """Return `part / whole`; NaN where the whole is not above zero, or either is NaN.

    Examples
    --------
    >>> ratio(np.array([1, 1, -3]), np.array([4, 0, 2]))
    array([ 0.25,   nan, -1.5 ])
    """
    result: Floats = part / np.where(whole > 0, whole, np.nan)
    return result


def days(microseconds: NDArray[Any]) -> Floats:
    """Return microseconds as days."""
    found: Floats = microseconds / MICROSECONDS_PER_DAY
    return found


def mean_of_recent(recent: Floats) -> Floats:
    """Return the mean down each column of `[most, snapshots]`, NaN left out; NaN if all are.

    The rows are added one by one: a reduction could add in another order for another number of
    snapshots, and a snapshot must not depend on which others come along.
    """
    there = ~np.isnan(recent)
    return ratio(_sum_of_recent(np.where(there, recent, 0.0)), np.count_nonzero(there, axis=0))


def _sum_of_recent(recent: Floats) -> Floats:
    total: Floats = recent[0]
    for row in recent[1:]:
        total = total + row
    return total


def median_of_recent(recent: Floats) -> Floats:
    """Return the median down each column of `[most, snapshots]`, NaN left out; NaN if all are."""
    ordered = np.sort(recent, axis=0)
    count = np.count_nonzero(~np.isnan(recent), axis=0)
    column = np.arange(recent.shape[1])
    low = ordered[np.maximum(count - 1, 0) // 2, column]
    high = ordered[np.maximum(count, 1) // 2, column]
    middle: Floats = (low + high) / 2
    return middle


def slope_of_recent(recent: Floats) -> Floats:
    """Return the least-squares rise a step up each column of `[most, snapshots]`, NaN left out.

    The first row is the latest. NaN with fewer than two numbers.

    Examples
    --------
    >>> slope_of_recent(np.array([[0.5, 0.5], [0.4, np.nan], [0.3, np.nan]]))
    array([0.1, nan])
    """
    there = ~np.isnan(recent)
    step = -np.arange(len(recent), dtype=np.float64)[:, np.newaxis]
    count = np.count_nonzero(there, axis=0)
    off = step - ratio(_sum_of_recent(np.where(there, step, 0.0)), count)
    rise = _sum_of_recent(np.where(there, off * recent, 0.0))
    return ratio(rise, _sum_of_recent(np.where(there, off**2, 0.0)))


def variation_of_recent(recent: Floats) -> Floats:
    """Return the coefficient of variation down each column of `[most, snapshots]`, NaN left out.

    NaN with fewer than two numbers, or if their mean is not above zero.
    """
    there = ~np.isnan(recent)
    count = np.add.reduce(there, axis=0, dtype=np.int64)
    mean = ratio(_sum_of_recent(np.where(there, recent, 0.0)), count)
    squares = np.where(there, (recent - mean) ** 2, 0.0)
    deviation = np.sqrt(ratio(_sum_of_recent(squares), count))
    return np.where(count >= 2, ratio(deviation, mean), np.nan)
