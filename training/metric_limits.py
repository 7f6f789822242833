"""Limits of the metrics without a formula for them: KS, PR-AUC, H-measure, calibration error."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from relimit.training.bootstrap import clustered_errors, sample_clusters
from relimit.training.discrimination import (
    Bools,
    Floats,
    Interval,
    average_precision_at,
    ks_at,
    weights_or_ones,
)
from relimit.training.h_measure import h_measure_at

MOST_ROWS: Final = 10_000
"""Rows of accounts drawn at random that are resampled where there are more; the errors are then
scaled to all accounts."""
BINS: Final = 10
RESAMPLED: Final = ("ks", "pr_auc", "h_measure", "ece")


def clustered_intervals(
    values: dict[str, float],
    bad: Bools,
    risk: Floats,
    weight: Floats | None = None,
    clusters: NDArray[Any] | None = None,
    *,
    bins: int = BINS,
    level: float = 0.95,
) -> dict[str, Interval]:
    """Return the limits of KS, PR-AUC, H-measure and calibration error: value ± z × error.

    The errors are those of 100 resamples of whole accounts. Percentiles would not do: noise raises
    a KS, an H-measure and a calibration error, and raises it once more in every resample.

    Parameters
    ----------
    values
        The four figures of all rows, by the names in `RESAMPLED`; the limits stay in [0, 1].
    bad, risk, weight
        `[n]`.
    clusters
        `[n]` account ids; None: rows are independent.
    bins
        The calibration error's, cut once: they don't move with the resamples.
    level
        Confidence level.
    """
    account = np.arange(bad.size) if clusters is None else clusters
    rows, part = sample_clusters(account, MOST_ROWS)
    figures = _Figures(bad[rows], risk[rows], weights_or_ones(weight, bad.size)[rows], bins)
    errors = clustered_errors(figures, account[rows]) * np.sqrt(part)
    z = float(ndtri(0.5 + level / 2.0))
    return {
        name: Interval(values[name], max(0.0, low), min(1.0, high))
        for name, low, high in (
            (name, values[name] - z * error, values[name] + z * error)
            for name, error in zip(RESAMPLED, errors.tolist(), strict=True)
        )
    }


class _Figures:
    """The four figures of rows that are each drawn so many times; what never moves is kept."""

    def __init__(self, bad: Bools, risk: Floats, weight: Floats, bins: int) -> None:
        self._place = _levels(bad, risk)
        self._levels = int(self._place.max()) + 1
        self._bad, self._weight = bad, weight
        self._lift = weight * (risk - bad)
        self._bin = calibration_bins(risk, bins)

    def __call__(self, times: Floats) -> tuple[float, float, float, float]:
        """Return them in the order of `RESAMPLED`."""
        weight = times * self._weight
        good, found = (
            np.bincount(self._place, weight * side, self._levels).astype(np.float64)
            for side in (~self._bad, self._bad)
        )
        if not (found.sum() > 0.0 and good.sum() > 0.0):
            return (np.nan,) * 4
        gaps = np.abs(np.bincount(self._bin, weights=times * self._lift)).sum()
        return (
            ks_at(good, found),
            average_precision_at(good, found),
            h_measure_at(good, found),
            float(gaps / weight.sum()),
        )


def _levels(bad: Bools, risk: Floats) -> NDArray[np.intp]:
    """Return each row's place among the distinct risks, the highest first.

    Neighbours that hold no bad row are one: no figure has a threshold between them.
    """
    distinct, place = np.unique(-risk, return_inverse=True)
    holds_bad = np.bincount(place, bad, distinct.size) > 0.0
    begins = holds_bad.copy()
    begins[1:] |= holds_bad[:-1]
    begins[0] = True
    return np.asarray((np.cumsum(begins) - 1)[place], np.intp)


def calibration_bins(risk: Floats, bins: int = BINS) -> NDArray[np.intp]:
    """Return each row's bin by rising risk, `[n]`: equal row counts, equal risks together."""
    cuts = np.quantile(risk, np.arange(1, bins) / bins)
    return np.searchsorted(np.unique(cuts), risk, side="left")
