"""Intervals of means, ratios and other figures when the rows of one account go together."""

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.training.discrimination import Floats, Interval

DRAWS: Final = 1000
ERROR_DRAWS: Final = 100
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
        Confidence level, number of resamples and seed. A single cluster has no interval:
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


def clustered_errors(
    figures: Callable[[Floats], Sequence[float]],
    clusters: NDArray[Any],
    *,
    draws: int = ERROR_DRAWS,
    seed: int = 0,
) -> Floats:
    """Return the standard errors of figures that are no mean, over resampled clusters.

    Parameters
    ----------
    figures
        Called with how often each row was drawn, `[n]`; returns `[k]` figures, NaN for one that
        these rows can't give: such a draw doesn't count.
    clusters
        `[n]` account ids.
    draws, seed
        How many resamples (Efron & Tibshirani 1993: 50 to 200 tell an error), and what draws
        them. NaN, `[k]`, where fewer than two draws count.
    """
    place = np.unique(clusters, return_inverse=True)[1]
    groups = int(place.max()) + 1
    rng = np.random.default_rng(seed)

    def times() -> Floats:
        drawn = np.bincount(rng.integers(0, groups, groups), minlength=groups)
        return drawn[place].astype(np.float64)

    drawn = np.array([figures(times()) for _ in range(draws)])
    counted = np.isfinite(drawn)
    rows = np.maximum(counted.sum(axis=0), 1)
    held = np.where(counted, drawn, 0.0)
    mean = held.sum(axis=0) / rows
    squares = np.where(counted, np.square(held - mean), 0.0).sum(axis=0)
    return np.where(rows > 1, np.sqrt(squares / np.maximum(rows - 1, 1)), np.nan)


def sample_clusters(
    clusters: NDArray[Any], most_rows: int, seed: int = 0
) -> tuple[NDArray[np.intp], float]:
    """Return the rows of clusters drawn without replacement, and which part of all clusters.

    Whole clusters are drawn until the next would make more than `most_rows` rows, at least two.
    """
    if len(clusters) <= most_rows:
        return np.arange(len(clusters)), 1.0
    place = np.unique(clusters, return_inverse=True)[1]
    size = np.bincount(place)
    order = np.random.default_rng(seed).permutation(len(size))
    kept = max(int((np.cumsum(size[order]) <= most_rows).sum()), 2)
    chosen = np.zeros(len(size), np.bool_)
    chosen[order[:kept]] = True
    return np.flatnonzero(chosen[place]), kept / len(size)
