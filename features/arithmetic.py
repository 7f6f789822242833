"""Arithmetic with missing numbers: a share of nothing is unknown, not zero."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.features.bits import Bools, Ints
from relimit.features.cells import Asked

Floats = NDArray[np.float64]

FEW: Final = 256
"""Up to so many sums, one call is quicker than one for each row that is added."""

_ZERO: Final = np.zeros(())
"""As an array: numpy takes as long to look at a number of Python's as to compare few rows."""


def ratio(part: NDArray[Any], whole: NDArray[Any] | Asked) -> Floats:
    """Return `part / whole`; NaN where the whole is not above zero, or either is NaN.

    Examples
    --------
    >>> ratio(np.array([1, 1, -3]), np.array([4, 0, 2]))
    array([ 0.25,   nan, -1.5 ])
    """
    if isinstance(whole, Asked):
        asked: Floats = whole.under(part)
        return asked
    above: Floats = whole.astype(np.float64)
    above[above <= _ZERO] = np.nan
    result: Floats = part / above
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
    gone = np.isnan(recent)
    return ratio(sum_down(_without(gone, recent.copy())), _count(~gone))


def _without(gone: Bools, recent: Floats) -> Floats:
    """Return the numbers, written over by 0 where they are gone."""
    recent[gone] = 0.0
    return recent


def _count(there: Bools) -> Ints:
    """Return how many are there down each column."""
    count: Ints = np.add.reduce(there, axis=0, dtype=np.int64)
    return count


def sum_down(recent: Floats) -> Floats:
    """Return the sum down each column, one row added after another."""
    if recent[0].size <= FEW:
        added: Floats = np.add.accumulate(recent, axis=0)[-1]
        return added
    total: Floats = recent[0]
    for row in recent[1:]:
        total = total + row
    return total


def median_of_recent(recent: Floats) -> Floats:
    """Return the median down each column of `[most, snapshots]`, NaN left out; NaN if all are."""
    ordered = np.sort(recent, axis=0)
    count = _count(~np.isnan(recent))
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
    gone = np.isnan(recent)
    step = np.broadcast_to(-np.arange(len(recent), dtype=np.float64)[:, np.newaxis], recent.shape)
    off = step - ratio(sum_down(_without(gone, step.copy())), _count(~gone))
    rise = sum_down(_without(gone, off * recent))
    return ratio(rise, sum_down(_without(gone, off * off)))


def variation_of_recent(recent: Floats) -> Floats:
    """Return the coefficient of variation down each column of `[most, ...]`, NaN left out.

    NaN with fewer than two numbers, or if their mean is not above zero.
    """
    gone = np.isnan(recent)
    count = _count(~gone)
    mean = ratio(sum_down(_without(gone, recent.copy())), count)
    off = recent - mean
    deviation = np.sqrt(ratio(sum_down(_without(gone, off * off)), count))
    variation = ratio(deviation, mean)
    variation[count < 2] = np.nan
    return variation


def pick(source: NDArray[Any], place: Ints, there: Bools, otherwise: Any) -> NDArray[Any]:
    """Return `source[place]` where `there`, else `otherwise`; the source may be empty."""
    if len(source) == 0:
        return np.full(place.shape, otherwise)
    found = source[place] if place.size <= FEW else source.take(place, mode="wrap")
    if isinstance(otherwise, float):
        return np.where(there, found, otherwise)
    found[~there] = otherwise
    return found
