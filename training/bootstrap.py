"""Intervals of means and ratios when the rows of one account go together."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.training.discrimination import Floats, Interval

DRAWS: Final = 1000
MOST_GROUPS: Final = 2_000
"""More clusters are dealt at random over so many groups, which are resampled in their place (random
groups, Wolter 2007): the interval's width is then known to about 2%, at a fiftieth of the cost."""


def bootstrap_ratio(
    top: Floats,
    bottom: Floats,
    clusters: NDArray[Any],
    *,
    level: float = 0.95,
    draws: int = DRAWS,
    seed: int = 0,
) -> Interval:
    """Return Σ top ÷ Σ bottom with its percentile interval over resampled clusters.

    Whole clusters are drawn with replacement (Field & Welsh 2007), so that nothing is assumed
    about the rows inside one.

    Parameters
    ----------
    top, bottom
        `[n]`; `bottom` of ones gives a mean.
    clusters
        `[n]` account ids.
    level, draws, seed
        Confidence level, how many resamples, and what draws them. A single cluster has no interval:
        its limits are infinite.
    """
    _, place = np.unique(clusters, return_inverse=True)
    tops, bottoms = (np.bincount(place, weights=part) for part in (top, bottom))
    value = float(tops.sum() / bottoms.sum())
    groups = len(tops)
    if groups < 2:
        return Interval(value, -float("inf"), float("inf"))
    rng = np.random.default_rng(seed)
    if groups > MOST_GROUPS:
        dealt = rng.permutation(groups) % MOST_GROUPS
        tops, bottoms = (np.bincount(dealt, weights=part) for part in (tops, bottoms))
        groups = MOST_GROUPS
    rows = rng.integers(0, groups, (draws, groups))
    drawn = tops[rows].sum(axis=1) / bottoms[rows].sum(axis=1)
    low, high = np.quantile(drawn, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return Interval(value, float(low), float(high))


def bootstrap_mean(
    values: Floats, clusters: NDArray[Any], *, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return the mean with its percentile interval over resampled clusters."""
    return bootstrap_ratio(values, np.ones(len(values)), clusters, level=level, seed=seed)
