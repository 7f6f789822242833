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
    result: Floats = np.full(len(part), np.nan)
    np.divide(part, whole, out=result, where=whole > 0)
    return result


def days(microseconds: NDArray[Any]) -> Floats:
    """Return microseconds as days."""
    found: Floats = microseconds / MICROSECONDS_PER_DAY
    return found


def mean_of_recent(recent: Floats) -> Floats:
    """Return the mean of each row's numbers, NaN left out; NaN if there are none.

    The columns are added one by one: a reduction could add in another order for another number of
    rows, and a row must not depend on its company.
    """
    there = ~np.isnan(recent)
    total, count = np.zeros(len(recent)), np.zeros(len(recent))
    for column in range(recent.shape[1]):
        total += np.where(there[:, column], recent[:, column], 0.0)
        count += there[:, column]
    return ratio(total, count)


def median_of_recent(recent: Floats) -> Floats:
    """Return the median of each row's numbers, NaN left out; NaN if there are none."""
    ordered = np.sort(recent, axis=1)
    count = (~np.isnan(recent)).sum(axis=1)
    row = np.arange(len(recent))
    low = ordered[row, np.maximum(count - 1, 0) // 2]
    high = ordered[row, np.maximum(count, 1) // 2]
    middle: Floats = (low + high) / 2
    return middle


def variation_of_recent(recent: Floats) -> Floats:
    """Return the coefficient of variation of each row's numbers, NaN left out.

    NaN with fewer than two numbers, or if their mean is not above zero.
    """
    mean = mean_of_recent(recent)
    squares = mean_of_recent((recent - mean[:, np.newaxis]) ** 2)
    enough = (~np.isnan(recent)).sum(axis=1) >= 2
    return np.where(enough, ratio(np.sqrt(squares), mean), np.nan)
