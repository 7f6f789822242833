"""Intervals of means and ratios when the rows of one account go together."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.training.discrimination import Floats, Interval

DRAWS: Final = 1000


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
    drawn = np.empty(draws)
    for draw in range(draws):
        rows = rng.integers(0, groups, groups)
        drawn[draw] = tops[rows].sum() / bottoms[rows].sum()
    low, high = np.quantile(drawn, [0.5 - level / 2.0, 0.5 + level / 2.0])
    return Interval(value, float(low), float(high))


def bootstrap_mean(
    values: Floats, clusters: NDArray[Any], *, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return the mean with its percentile interval over resampled clusters."""
    return bootstrap_ratio(values, np.ones(len(values)), clusters, level=level, seed=seed)
