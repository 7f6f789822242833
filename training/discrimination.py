"""How well a risk ranks bad above good: AUC with its interval, KS, Gini, average precision."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Interval:
    """An estimate with its confidence limits; all NaN where it is undefined."""

    value: float
    low: float
    high: float


def weights_or_ones(weight: Floats | None, rows: int) -> Floats:
    """Return the sample weights, 1 for every row if there are none."""
    return np.ones(rows) if weight is None else np.asarray(weight, dtype=np.float64)


def auc(bad: Bools, risk: Floats, weight: Floats | None = None) -> float:
    """Return the weighted probability that a bad row outranks a good one, ties counting half.

    NaN if one class is absent.

    Examples
    --------
    >>> auc(np.array([False, True, True]), np.array([0.1, 0.1, 0.9]))
    0.75
    """
    return _auc_with_influence(bad, risk, weights_or_ones(weight, bad.size))[0]


def auc_interval(
    bad: Bools,
    risk: Floats,
    weight: Floats | None = None,
    clusters: NDArray[Any] | None = None,
    level: float = 0.95,
) -> Interval:
    """Return the AUC with DeLong's interval (DeLong, DeLong & Clarke-Pearson 1988).

    Parameters
    ----------
    bad, risk, weight
        `[n]`. With weights, the structural components are weighted in the same way.
    clusters
        `[n]` account ids: rows of one account are then summed before they are squared (Obuchowski
        1997), since they are not independent. None: rows are independent.
    level
        Confidence level; limits are clipped to [0, 1].
    """
    value, influence = _auc_with_influence(bad, risk, weights_or_ones(weight, bad.size))
    half = half_width(influence, clusters, level)
    return Interval(value, max(0.0, value - half), min(1.0, value + half))


def auc_difference(
    bad: Bools,
    risk_a: Floats,
    risk_b: Floats,
    *,
    weight: Floats | None = None,
    clusters: NDArray[Any] | None = None,
    level: float = 0.95,
) -> Interval:
    """Return AUC(b) − AUC(a) on the same rows with DeLong's paired interval.

    The parameters are as in `auc_interval`; here no limit is clipped.
    """
    weights = weights_or_ones(weight, bad.size)
    auc_a, influence_a = _auc_with_influence(bad, risk_a, weights)
    auc_b, influence_b = _auc_with_influence(bad, risk_b, weights)
    half = half_width(influence_b - influence_a, clusters, level)
    return Interval(auc_b - auc_a, auc_b - auc_a - half, auc_b - auc_a + half)


def ks(bad: Bools, risk: Floats, weight: Floats | None = None) -> float:
    """Return the largest gap between the two classes' cumulative score distributions."""
    return ks_at(*weight_by_threshold(bad, risk, weights_or_ones(weight, bad.size)))


def ks_at(good: Floats, bad: Floats) -> float:
    """Return `ks` from the good and the bad weight at each distinct risk, the highest first."""
    gap = np.cumsum(bad) / bad.sum() - np.cumsum(good) / good.sum()
    return float(np.max(np.abs(gap)))


def roc_points(bad: Bools, risk: Floats, weight: Floats | None = None) -> tuple[Floats, Floats]:
    """Return the ROC curve, `(false positive rate, true positive rate)`, from (0, 0) to (1, 1)."""
    good_weight, bad_weight = weight_by_threshold(bad, risk, weights_or_ones(weight, bad.size))
    start = np.zeros(1)
    false_positives = np.concatenate([start, np.cumsum(good_weight) / good_weight.sum()])
    true_positives = np.concatenate([start, np.cumsum(bad_weight) / bad_weight.sum()])
    return false_positives, true_positives


def average_precision_at(good: Floats, bad: Floats) -> float:
    """Return the area under the precision-recall curve, as a sum over steps of recall.

    `good` and `bad` are the weights at each distinct risk, the highest first.
    """
    found = np.cumsum(bad)
    called = found + np.cumsum(good)
    precision = np.divide(found, called, out=np.zeros_like(found), where=called > 0.0)
    return float(np.sum(precision * bad) / bad.sum())


def weight_by_threshold(bad: Bools, risk: Floats, weight: Floats) -> tuple[Floats, Floats]:
    """Return the good and the bad weight at each distinct risk, the highest first."""
    distinct, place = np.unique(-risk, return_inverse=True)
    good, found = (_sum_by(place, weight * side, distinct.size) for side in (~bad, bad))
    return good, found


def _auc_with_influence(bad: Bools, risk: Floats, weight: Floats) -> tuple[float, Floats]:
    """Return the AUC and what each row moves it by: DeLong's components, centred and scaled."""
    distinct, place = np.unique(risk, return_inverse=True)
    totals = [_sum_by(place, weight * side, distinct.size) for side in (bad, ~bad)]
    bad_total, good_total = (float(total.sum()) for total in totals)
    if bad_total == 0.0 or good_total == 0.0:
        return float("nan"), np.full(bad.size, np.nan)
    bad_below, good_below = (np.cumsum(total) - 0.5 * total for total in totals)
    component = np.where(bad, good_below[place] / good_total, 1.0 - bad_below[place] / bad_total)
    value = float(np.sum(weight * bad * component) / bad_total)
    scale = np.where(bad, _scale(weight[bad]) / bad_total, _scale(weight[~bad]) / good_total)
    return value, weight * scale * (component - value)


def _sum_by(place: NDArray[np.intp], values: Floats, size: int) -> Floats:
    return np.asarray(np.bincount(place, weights=values, minlength=size), dtype=np.float64)


def _scale(weight: Floats) -> float:
    """Return the root of m / (m − 1), m the effective number of rows; 1 for a single row."""
    effective = weight.sum() ** 2 / np.square(weight).sum()
    return float(np.sqrt(effective / (effective - 1.0))) if effective > 1.0 else 1.0


def half_width(
    influence: Floats, clusters: NDArray[Any] | None = None, level: float = 0.95
) -> float:
    """Return half a confidence interval from what each row moves an estimate by."""
    return float(ndtri(0.5 + level / 2.0)) * standard_error(influence, clusters)


def standard_error(influence: Floats, clusters: NDArray[Any] | None = None) -> float:
    """Return an estimate's standard error from what each row moves it by.

    Rows of one cluster are taken to go together: their influence is summed before it is squared.
    """
    if clusters is not None:
        place = pd.factorize(clusters)[0]
        influence = _sum_by(place, influence, int(place.max(initial=-1)) + 1)
    return float(np.sqrt(np.sum(np.square(influence))))
