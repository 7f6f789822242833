"""How good a risk is as a probability, and the metrics that every version records."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from relimit.models.calibration import SMALLEST, row_log_loss
from relimit.training.discrimination import (
    Bools,
    Floats,
    Interval,
    auc_interval,
    average_precision_at,
    half_width,
    ks_at,
    weight_by_threshold,
    weights_or_ones,
)
from relimit.training.h_measure import h_measure_at
from relimit.training.metric_limits import BINS, calibration_bins, clustered_intervals

NEWTON_STEPS: Final = 50
NEWTON_TOLERANCE: Final = 1e-10


def brier(bad: Bools, risk: Floats, weight: Floats | None = None) -> float:
    """Return the mean squared difference between the risk and the outcome (Brier 1950).

    Examples
    --------
    >>> round(brier(np.array([True, False]), np.array([0.9, 0.3])), 3)
    0.05
    """
    return float(np.average(np.square(risk - bad), weights=weights_or_ones(weight, bad.size)))


def log_loss(bad: Bools, risk: Floats, weight: Floats | None = None) -> float:
    """Return the mean negative log-likelihood, in nats."""
    return float(np.average(row_log_loss(bad, risk), weights=weights_or_ones(weight, bad.size)))


def expected_calibration_error(
    bad: Bools, risk: Floats, weight: Floats | None = None, bins: int = BINS
) -> float:
    """Return the weighted mean gap between risk and bad rate over bins of equal row count."""
    mean_risk, bad_rate, share = reliability(bad, risk, weight, bins)
    return float(np.sum(share * np.abs(mean_risk - bad_rate)))


def reliability(
    bad: Bools, risk: Floats, weight: Floats | None = None, bins: int = BINS
) -> tuple[Floats, Floats, Floats]:
    """Return `(mean risk, bad rate, share of weight)` of each bin, by rising risk.

    Bins have equal row counts; rows of equal risk share a bin, so that there may be fewer bins.
    """
    weights = weights_or_ones(weight, bad.size)
    place = calibration_bins(risk, bins)
    total = np.bincount(place, weights=weights)
    kept = total > 0.0
    mean_risk = np.bincount(place, weights=weights * risk)[kept] / total[kept]
    bad_rate = np.bincount(place, weights=weights * bad)[kept] / total[kept]
    return mean_risk, bad_rate, total[kept] / total.sum()


def calibration_slope(
    bad: Bools,
    risk: Floats,
    weight: Floats | None = None,
    clusters: NDArray[Any] | None = None,
) -> Interval:
    """Return the slope of a logistic regression of the outcome on the risk's log-odds (Cox 1958).

    1 is right; below 1 the risks are too extreme. NaN where it can't be estimated: one class, one
    risk for all rows, or classes that the risk separates. The 95% limits are robust to rows of one
    cluster going together (Liang & Zeger 1986).
    """
    design = np.column_stack([log_odds(risk), np.ones(bad.size)])
    return _first_coefficient(
        design, bad, np.zeros(bad.size), weight, clusters, start=np.array([1.0, 0.0])
    )


def calibration_intercept(
    bad: Bools,
    risk: Floats,
    weight: Floats | None = None,
    clusters: NDArray[Any] | None = None,
) -> Interval:
    """Return by how much the log-odds must rise to match the bad rate, with the slope held at 1.

    0 is right; above 0 the risks are too low (calibration in the large, Steyerberg 2010). The 95%
    limits are those of `calibration_slope`.
    """
    return _first_coefficient(np.ones((bad.size, 1)), bad, log_odds(risk), weight, clusters)


def spiegelhalter_z(bad: Bools, risk: Floats, weight: Floats | None = None) -> float:
    """Return by how many standard deviations the Brier score is off, were the risks true.

    Standard normal if they are and the rows are independent (Spiegelhalter 1986); above 1.96 or
    below −1.96 calibration is doubtful. NaN where every risk is 0, a half or 1.

    Examples
    --------
    >>> round(spiegelhalter_z(np.array([True, True]), np.array([0.2, 0.2])), 3)
    2.828
    """
    weights = weights_or_ones(weight, bad.size)
    spread = np.sum(np.square(weights * (1.0 - 2.0 * risk)) * risk * (1.0 - risk))
    if spread == 0.0:
        return float("nan")
    return float(np.sum(weights * (bad - risk) * (1.0 - 2.0 * risk)) / np.sqrt(spread))


def log_odds(risk: Floats) -> Floats:
    """Return log(risk / (1 − risk)), risks kept away from 0 and 1."""
    kept = np.clip(risk, SMALLEST, 1.0 - SMALLEST)
    return np.asarray(np.log(kept) - np.log1p(-kept), dtype=np.float64)


LIMITED: Final = (
    "auc",
    "gini",
    "ks",
    "h_measure",
    "pr_auc",
    "brier",
    "log_loss",
    "ece",
    "calibration_slope",
    "calibration_intercept",
)
"""Metrics that have limits."""
METRICS: Final = (
    *(name + suffix for name in LIMITED for suffix in ("", "_low", "_high")),
    "spiegelhalter_z",
)


def evaluate(
    bad: Bools,
    risk: Floats,
    weight: Floats | None = None,
    clusters: NDArray[Any] | None = None,
) -> dict[str, float]:
    """Return every metric by name, with 95% limits as `<name>_low` and `<name>_high`.

    The limits are DeLong's for the AUC and the Gini, those of `clustered_intervals` for KS, PR-AUC,
    H-measure and calibration error, and sandwich limits for the others; `clusters` (account ids)
    go together in all of them.

    Raises nothing: a metric that the rows can't give is NaN.
    """
    counts = {"rows": float(bad.size), "bads": float(bad.sum())}
    if counts["bads"] in (0.0, counts["rows"]):
        return counts | dict.fromkeys(METRICS, float("nan"))
    area = auc_interval(bad, risk, weight, clusters)
    at = weight_by_threshold(bad, risk, weights_or_ones(weight, bad.size))
    resampled = {
        "ks": ks_at(*at),
        "h_measure": h_measure_at(*at),
        "pr_auc": average_precision_at(*at),
        "ece": expected_calibration_error(bad, risk, weight),
    }
    limited = {
        "auc": area,
        "gini": Interval(*(2.0 * x - 1.0 for x in (area.value, area.low, area.high))),
        **clustered_intervals(resampled, bad, risk, weight, clusters),
        "brier": _mean(np.square(risk - bad), weight, clusters),
        "log_loss": _mean(row_log_loss(bad, risk), weight, clusters),
        "calibration_slope": calibration_slope(bad, risk, weight, clusters),
        "calibration_intercept": calibration_intercept(bad, risk, weight, clusters),
    }
    found = {"spiegelhalter_z": spiegelhalter_z(bad, risk, weight)}
    for name, interval in limited.items():
        found |= {name: interval.value, f"{name}_low": interval.low, f"{name}_high": interval.high}
    return counts | {name: found[name] for name in METRICS}


def _mean(values: Floats, weight: Floats | None, clusters: NDArray[Any] | None) -> Interval:
    """Return a weighted mean of what is never negative, with sandwich limits.

    Those of Liang & Zeger (1986), not below 0.
    """
    weights = weights_or_ones(weight, values.size)
    mean = float(np.average(values, weights=weights))
    half = half_width(weights * (values - mean) / weights.sum(), clusters)
    return Interval(mean, max(0.0, mean - half), mean + half)


def _first_coefficient(
    design: Floats,
    bad: Bools,
    offset: Floats,
    weight: Floats | None,
    clusters: NDArray[Any] | None,
    *,
    start: Floats | None = None,
) -> Interval:
    found = fit_logistic(design, bad, offset, weight, start)
    if found is None and start is not None:
        found = fit_logistic(design, bad, offset, weight)
    if found is None:
        return Interval(float("nan"), float("nan"), float("nan"))
    value, half = float(found[0][0]), half_width(found[1][:, 0], clusters)
    return Interval(value, value - half, value + half)


def fit_logistic(
    design: Floats,
    bad: Bools,
    offset: Floats | None = None,
    weight: Floats | None = None,
    start: Floats | None = None,
) -> tuple[Floats, Floats] | None:
    """Return an unpenalised logistic regression's coefficients `[k]`, and their influence `[n, k]`.

    The influence of a row is what it moves a coefficient by. None if Newton's steps, from `start`
    or 0, diverge or the columns of `[n, k]` aren't independent.
    """
    weights = weights_or_ones(weight, bad.size)
    beta = np.zeros(design.shape[1]) if start is None else start.copy()
    columns = np.ascontiguousarray(design.T)
    for _ in range(NEWTON_STEPS):
        score = np.einsum("k,kn->n", beta, columns)
        fitted = expit(score if offset is None else score + offset)
        left = weights * (bad - fitted)
        curved = weights * fitted * (1.0 - fitted)
        curvature = np.einsum("jn,kn->jk", columns * curved, columns)
        if np.linalg.matrix_rank(curvature) < len(beta):
            return None
        step = np.linalg.solve(curvature, np.einsum("kn,n->k", columns, left))
        beta += step
        if np.max(np.abs(step)) < NEWTON_TOLERANCE:
            return beta, np.einsum("jn,n,jk->nk", columns, left, np.linalg.inv(curvature))
    return None
