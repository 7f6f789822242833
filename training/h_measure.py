"""The H-measure: what a risk saves over ignoring it, when the cost of an error is uncertain."""

from typing import Final

import numpy as np
from scipy.optimize import isotonic_regression
from scipy.special import betainc

from relimit.training.discrimination import (
    Bools,
    Floats,
    weight_by_threshold,
    weights_or_ones,
)

SHAPE: Final = 2.0
"""Both parameters of the beta distribution that Hand (2009) proposes for the cost."""


def h_measure(bad: Bools, risk: Floats, weight: Floats | None = None) -> float:
    """Return 1 − (least expected loss with the risk) ÷ (least expected loss without it).

    The cost of refusing a good account is c, that of accepting a bad one 1 − c, and c follows
    Beta(2, 2): the same weights for every model, which the AUC does not give (Hand 2009, Measuring
    classifier performance). 1 is perfect, 0 no better than one answer for all.

    Parameters
    ----------
    bad, risk, weight
        `[n]` outcomes, risks and sample weights. NaN if one class is absent.

    Examples
    --------
    >>> h_measure(np.array([False, False, True]), np.array([0.1, 0.2, 0.7]))
    1.0
    >>> h_measure(np.array([False, True]), np.array([0.5, 0.5]))
    0.0
    """
    if bad.all() or not bad.any():
        return float("nan")
    return h_measure_at(*weight_by_threshold(bad, risk, weights_or_ones(weight, bad.size)))


def h_measure_at(good: Floats, bad: Floats) -> float:
    """Return `h_measure` from the weights at each distinct risk, the highest first."""
    total = good.sum() + bad.sum()
    bad_share = float(bad.sum() / total)
    if bad_share in (0.0, 1.0):
        return float("nan")
    goods, bads, cost = _hull(good[::-1] / total, bad[::-1] / total)
    edges = np.concatenate([[0.0], cost, [1.0]])
    good_refused = np.append(np.cumsum(goods[::-1])[::-1], 0.0)
    bad_accepted = np.concatenate([[0.0], np.cumsum(bads)])
    least = np.sum(good_refused * _cost_between(edges) + bad_accepted * _rest_between(edges))
    halves = np.array([0.0, bad_share, 1.0])
    trivial = (1.0 - bad_share) * _cost_between(halves)[0] + bad_share * _rest_between(halves)[1]
    return float(1.0 - least / trivial)


def _hull(good: Floats, bad: Floats) -> tuple[Floats, Floats, Floats]:
    """Return good weight, bad weight and bad rate of each segment of the ROC's convex hull.

    By rising risk. The segments are the blocks of the isotonic regression of the outcome on the
    risk (Fawcett & Niculescu-Mizil 2007); where c passes a block's bad rate, its answer changes.
    """
    held = (good + bad) > 0.0
    good, bad = good[held], bad[held]
    rising = isotonic_regression(bad / (good + bad), weights=good + bad)
    first = rising.blocks[:-1]
    goods, bads = np.add.reduceat(good, first), np.add.reduceat(bad, first)
    return goods, bads, rising.x[first]


def _cost_between(edges: Floats) -> Floats:
    """Return the integral of c over each interval, under Beta(2, 2)."""
    return np.asarray(np.diff(betainc(SHAPE + 1.0, SHAPE, edges)) * 0.5, dtype=np.float64)


def _rest_between(edges: Floats) -> Floats:
    """Return the integral of 1 − c over each interval, under Beta(2, 2)."""
    return np.asarray(np.diff(betainc(SHAPE, SHAPE + 1.0, edges)) * 0.5, dtype=np.float64)
