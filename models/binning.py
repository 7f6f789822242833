"""Supervised binning of one feature, with a bin of its own for missing values.

Quantile pre-bins are pooled until the event rate follows the stated direction (pool adjacent
violators, Ayer et al. 1955) and neighbours differ (ChiMerge, Kerber 1992).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit

PREBINS = 50
MIN_CHI_SQUARE = 3.84
"""Neighbours that differ by less (5% of chi-square with one degree of freedom) are merged."""


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one feature: k intervals closed on the right, and the missing values.

    `edges` float64 [k - 1], rising; `rows` and `bads` float64 [k + 1], weighted counts, the
    last for missing values, which belong to no interval.
    """

    edges: NDArray[np.float64]
    rows: NDArray[np.float64]
    bads: NDArray[np.float64]

    def weight_of_evidence(self, smoothing: float) -> NDArray[np.float64]:
        """Log-odds of bad in each bin less those of all rows: positive is riskier.

        Each bin is given `smoothing` more rows at the overall rate, so that an empty one says
        nothing (0) and a small one little.
        """
        return _evidence(self.rows, self.bads, smoothing, self.bads.sum() / self.rows.sum())

    def information_value(self, smoothing: float) -> float:
        """Sum over bins of (share of bads - share of goods) x weight of evidence."""
        goods = self.rows - self.bads
        gap = self.bads / self.bads.sum() - goods / goods.sum()
        return float(gap @ self.weight_of_evidence(smoothing))


def bin_index(edges: NDArray[np.float64], x: NDArray[np.float64]) -> NDArray[np.intp]:
    """Return the bin of every value: 0 up to `edges[0]`, ..., and the last for NaN.

    Examples
    --------
    >>> bin_index(np.array([0.0, 5.0]), np.array([-1.0, 0.0, 0.1, 9.0, np.nan]))
    array([0, 0, 1, 2, 3])
    """
    index = np.searchsorted(edges, x, side="left")
    index[np.isnan(x)] = len(edges) + 1
    return index


def fit_bins(
    x: NDArray[np.float64],
    bad: NDArray[np.bool_],
    weight: NDArray[np.float64],
    *,
    direction: int = 0,
    max_bins: int,
    min_share: float,
    smoothing: float,
) -> Bins:
    """Bin one feature (NaN = missing) against the outcome.

    With a direction (+1, -1) the weight of evidence never falls, or never rises, from one
    interval to the next. Every interval holds at least `min_share` of all rows, by weight.
    """
    missing = np.isnan(x)
    merging = _Merging(x[~missing], bad[~missing], weight[~missing])
    total, all_bad = weight.sum(), weight[bad].sum()
    merging.follow(direction, smoothing, all_bad / total)
    merging.fill(min_share * total)
    merging.join_alike(max_bins)
    merging.follow(direction, smoothing, all_bad / total)
    return Bins(
        np.array(merging.edges, dtype=np.float64),
        np.append(merging.rows, weight[missing].sum()),
        np.append(merging.bads, weight[missing & bad].sum()),
    )


def _evidence(
    rows: NDArray[np.float64], bads: NDArray[np.float64], smoothing: float, rate: float
) -> NDArray[np.float64]:
    goods = rows - bads
    odds = (bads + smoothing * rate) / (goods + smoothing * (1.0 - rate))
    return np.where(rows > 0, np.log(odds) - logit(rate), 0.0)


class _Merging:
    """Intervals that only ever merge with their neighbours."""

    def __init__(
        self, x: NDArray[np.float64], bad: NDArray[np.bool_], weight: NDArray[np.float64]
    ) -> None:
        values, place = np.unique(x, return_inverse=True)
        rows = np.bincount(place, weight, len(values))
        bads = np.bincount(place, weight * bad, len(values))
        total = rows.sum()
        group = np.ceil(np.cumsum(rows) / (total or 1.0) * PREBINS)
        first = np.flatnonzero(np.diff(group, prepend=-1.0))
        self.edges = values[first[1:] - 1]
        self.rows = np.add.reduceat(rows, first) if len(values) else np.zeros(1)
        self.bads = np.add.reduceat(bads, first) if len(values) else np.zeros(1)

    def follow(self, direction: int, smoothing: float, rate: float) -> None:
        """Merge until the evidence moves in the direction only."""
        while direction and len(self.edges):
            steps = np.diff(_evidence(self.rows, self.bads, smoothing, rate)) * direction
            if steps.min() >= 0:
                return
            self._merge(int(steps.argmin()))

    def fill(self, least: float) -> None:
        """Merge the smallest with the neighbour more like it until none is below `least`."""
        while len(self.edges) and self.rows.min() < least:
            small = int(self.rows.argmin())
            pairs = [pair for pair in (small - 1, small) if 0 <= pair < len(self.edges)]
            self._merge(min(pairs, key=self._chi_squares().__getitem__))

    def join_alike(self, most: int) -> None:
        """Merge the most alike neighbours until at most `most` are left and all differ."""
        while len(self.edges):
            distance = self._chi_squares()
            if len(self.rows) <= most and distance.min() >= MIN_CHI_SQUARE:
                return
            self._merge(int(distance.argmin()))

    def _chi_squares(self) -> NDArray[np.float64]:
        left, right = self.rows[:-1], self.rows[1:]
        gap = self.bads[:-1] * right - self.bads[1:] * left
        bads = self.bads[:-1] + self.bads[1:]
        below = left * right * bads * (left + right - bads)
        return np.divide((left + right) * gap**2, below, out=np.zeros_like(below), where=below > 0)

    def _merge(self, pair: int) -> None:
        self.edges = np.delete(self.edges, pair)
        for name in ("rows", "bads"):
            counts = getattr(self, name)
            merged = np.delete(counts, pair + 1)
            merged[pair] += counts[pair + 1]
            setattr(self, name, merged)
