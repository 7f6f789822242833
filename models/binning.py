"""Monotone optimal binning of one feature; missing values and special codes have their own bins.

The intervals are optbinning's (Navas-Palencia 2020, "Optimal binning: mathematical programming
formulation"): of all binnings that keep the direction, the one of the largest information value.
It is imported when a card is fitted and never to score.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import logit
from scipy.stats import chi2

from relimit.data.errors import ModelError

Float = NDArray[np.float64]

LEVELS: Final = 200
"""A feature's values are ranked into so many levels of equal weight before it is binned: the cost
no longer depends on the rows, and edges are values that occur."""
PREBINS: Final = 20
TRENDS: Final = {1: "ascending", -1: "descending", 0: "auto_heuristic"}
"""optbinning's trend of the bad rate by direction; the free ones may also peak or dip once."""
MOST_CHANCE: Final = 0.05
"""Neighbours whose bad rates differ with a larger p-value share an interval."""
SOLVER_SECONDS: Final = 60
"""Never reached on 20 pre-bins, some 0.05 s; a solver cut short would not be repeatable."""


@dataclass(frozen=True, slots=True)
class Bins:
    """The bins of one feature: k intervals closed on the right, s codes, and the missing values.

    `edges` float64 [k - 1], rising; `codes` the s special values, each a bin that belongs to no
    interval; `rows` and `bads` float64 [k + s + 1], weighted counts, the last of missing values.
    """

    edges: Float
    rows: Float
    bads: Float
    codes: tuple[float, ...] = ()

    def index(self, x: Float) -> NDArray[np.intp]:
        """Return the bin of every value, [n]."""
        return bin_index(self.edges, x, self.codes)

    def weight_of_evidence(self, smoothing: float) -> Float:
        """Log-odds of bad in each bin less those of all rows: positive is riskier.

        Each bin is given `smoothing` more rows at the overall rate, so that an empty one says
        nothing (0) and a small one little.
        """
        return _evidence(self.rows, self.bads, smoothing, self.bads.sum() / self.rows.sum())

    def information(self, evidence: Float) -> Float:
        """Return what each bin adds to the information value, given its weight of evidence.

        (Share of bads - share of goods) x evidence; the sum over the bins is the feature's.
        """
        goods = self.rows - self.bads
        gap = self.bads / self.bads.sum() - goods / goods.sum()
        return np.asarray(gap * evidence, dtype=np.float64)


def chance_information(bins: Bins, direction: int, values: int, level: float = 0.99) -> float:
    """Return what the information value of a feature that says nothing stays below, this often.

    Chi-squared with a degree of freedom less than there are bins, times 1/bads + 1/goods (Yurdakul
    2018, of the same divergence). Without a direction the search could choose among all pre-bins,
    of which there are no more than `values`, the distinct ones that are not missing; and theirs are
    the degrees of freedom.
    """
    bads = bins.bads.sum()
    filled = int((bins.rows > 0.0).sum()) if direction else min(PREBINS, values + 1)
    goods = bins.rows.sum() - bads
    return float(chi2.ppf(level, max(filled - 1, 1)) * (1.0 / bads + 1.0 / goods))


def bin_index(edges: Float, x: Float, codes: Sequence[float] = ()) -> NDArray[np.intp]:
    """Return the bin of every value: 0 up to `edges[0]`, ..., the codes, and the last for NaN.

    Examples
    --------
    >>> bin_index(np.array([0.0, 5.0]), np.array([-1.0, 0.0, 0.1, 9.0, np.nan]))
    array([0, 0, 1, 2, 3])
    >>> bin_index(np.array([0.0]), np.array([-9.0, 0.0, 1.0, np.nan]), codes=[-9.0])
    array([2, 0, 1, 3])
    """
    index = np.searchsorted(edges, x, side="left")
    for place, code in enumerate(codes, start=len(edges) + 1):
        index[x == code] = place
    index[np.isnan(x)] = len(edges) + len(codes) + 1
    return index


def fit_bins(
    x: Float,
    bad: NDArray[np.bool_],
    weight: Float,
    *,
    direction: int = 0,
    codes: Sequence[float] = (),
    max_bins: int,
    min_share: float,
    smoothing: float,
) -> Bins:
    """Bin one feature (NaN = missing) against the outcome.

    With a direction (+1, -1) the weight of evidence never falls, or never rises, from one
    interval to the next. Every interval holds about `min_share` of all rows or more. A row counts
    by its weight, which is about 1 on average: optbinning cuts sums of weights to integers.

    Raises
    ------
    ModelError
        If optbinning isn't installed.
    """
    codes = tuple(float(code) for code in codes)
    ordered = ~(np.isnan(x) | np.isin(x, codes))
    values, rows, bads = _levels(x[ordered], bad[ordered], weight[ordered])
    outside = weight[~ordered & ~bad].sum(), weight[~ordered & bad].sum()
    last = _optimal_splits(
        rows, bads, outside, direction=direction, max_bins=max_bins, min_share=min_share
    )
    edges = values[last]
    rate = weight[bad].sum() / weight.sum()
    while True:
        bins = _counted(edges, codes, x, bad, weight)
        k = len(edges) + 1
        evidence = _evidence(bins.rows[:k], bins.bads[:k], smoothing, rate)
        # Smoothing moves a small bin more than a large one, and may so break the order.
        against = -np.diff(evidence) * direction
        if not direction or not len(edges) or against.max() <= 0.0:
            return bins
        edges = np.delete(edges, int(against.argmax()))


def require_optbinning() -> Any:
    """Return optbinning's binning of one feature.

    Raises
    ------
    ModelError
        If it isn't installed.
    """
    try:
        from optbinning import OptimalBinning
    except ImportError as error:
        raise ModelError(
            "a scorecard is trained with optbinning, which is not installed",
            mend="Install the extra: pip install 'relimit[scorecard]'. Scoring doesn't need it.",
        ) from error
    return OptimalBinning


def _levels(x: Float, bad: NDArray[np.bool_], weight: Float) -> tuple[Float, Float, Float]:
    """Return the largest value, the weight and the bad weight of each level, by rising value."""
    values, place = np.unique(x, return_inverse=True)
    rows, bads = _sums(place, bad, weight, len(values))
    if not len(values):
        return values, rows, bads
    level = np.ceil(np.cumsum(rows) / rows.sum() * LEVELS)
    first = np.flatnonzero(np.diff(level, prepend=-1.0))
    last = np.append(first[1:], len(values)) - 1
    return values[last], np.add.reduceat(rows, first), np.add.reduceat(bads, first)


def _optimal_splits(
    rows: Float,
    bads: Float,
    outside: tuple[float, float],
    *,
    direction: int,
    max_bins: int,
    min_share: float,
) -> NDArray[np.intp]:
    """Return the levels that end an interval; the last level is not among them.

    Each level is given as two weighted rows, its goods and its bads; what lies outside the order
    as missing, so that shares are shares of all rows.
    """
    binning = require_optbinning()
    x = np.concatenate([np.arange(len(rows)), np.arange(len(rows)), [np.nan, np.nan]])
    y = np.repeat([0, 1, 0, 1], [len(rows), len(rows), 1, 1])
    weight = np.concatenate([rows - bads, bads, outside])
    kept = weight > 0.0
    if len(np.unique(x[kept & ~np.isnan(x)])) < 2 or len(np.unique(y[kept & ~np.isnan(x)])) < 2:
        return np.empty(0, dtype=np.intp)
    fitted = binning(
        monotonic_trend=TRENDS[direction],
        max_n_prebins=PREBINS,
        min_prebin_size=min_share,
        max_n_bins=max_bins,
        max_pvalue=MOST_CHANCE,
        time_limit=SOLVER_SECONDS,
        random_state=0,
    ).fit(x[kept], y[kept], sample_weight=weight[kept])
    return np.asarray(np.floor(fitted.splits), dtype=np.intp)


def _counted(
    edges: Float, codes: tuple[float, ...], x: Float, bad: NDArray[np.bool_], weight: Float
) -> Bins:
    index = bin_index(edges, x, codes)
    rows, bads = _sums(index, bad, weight, len(edges) + len(codes) + 2)
    return Bins(edges, rows, bads, codes)


def _sums(
    place: NDArray[np.intp], bad: NDArray[np.bool_], weight: Float, size: int
) -> tuple[Float, Float]:
    """Return the weight and the bad weight at each place, [size]."""
    rows: Float = np.asarray(np.bincount(place, weight, size), dtype=np.float64)
    return rows, np.asarray(np.bincount(place, weight * bad, size), dtype=np.float64)


def _evidence(rows: Float, bads: Float, smoothing: float, rate: float) -> Float:
    goods = rows - bads
    odds = (bads + smoothing * rate) / (goods + smoothing * (1.0 - rate))
    return np.where(rows > 0, np.log(odds) - logit(rate), 0.0)
