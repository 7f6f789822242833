"""Observed against expected bads: by month, by risk tier, by any segment."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import norm

from relimit.data.vocabulary import CALENDAR
from relimit.models import Distribution
from relimit.training.discrimination import Bools, Floats, Interval, weights_or_ones


@dataclass(frozen=True, slots=True)
class Expected:
    """One group of rows.

    Attributes
    ----------
    group
        Its name.
    rows, bads
        Counts, unweighted.
    bad_rate, mean_risk
        Weighted.
    ratio
        Observed over expected bads with its 95% limits; 1 is right.
    """

    group: str
    rows: int
    bads: int
    bad_rate: float
    mean_risk: float
    ratio: Interval


def observed_expected(
    bad: Bools, risk: Floats, group: NDArray[Any], weight: Floats | None = None
) -> list[Expected]:
    """Return observed over expected bads of each group, in the order of the groups' names.

    The limits are Wilson's (1927) for the bad rate, over the mean risk; with weights, for the
    effective number of rows (Kish 1965).

    Parameters
    ----------
    bad, risk, weight
        `[n]`.
    group
        `[n]` labels that sort.
    """
    weights = weights_or_ones(weight, bad.size)
    place, names = pd.factorize(group, sort=True)
    return [
        _of_group(str(name), bad[rows], risk[rows], weights[rows])
        for name, rows in ((name, place == i) for i, name in enumerate(names))
    ]


def wilson(rate: float, rows: float, level: float = 0.95) -> tuple[float, float]:
    """Return the limits of a share observed in so many rows (Wilson 1927)."""
    z = float(norm.ppf(0.5 + level / 2.0))
    centre = (rate + z**2 / (2.0 * rows)) / (1.0 + z**2 / rows)
    half = z / (1.0 + z**2 / rows) * np.sqrt(rate * (1.0 - rate) / rows + z**2 / (4.0 * rows**2))
    return max(0.0, centre - float(half)), min(1.0, centre + float(half))


def months(as_of: NDArray[np.int64]) -> NDArray[Any]:
    """Return the calendar month of each instant as `2026-03`, `[n]` strings.

    Examples
    --------
    >>> months(np.array(["2026-03-31T17:00"], "datetime64[us]").astype(np.int64)).tolist()
    ['2026-04']
    """
    local = pd.to_datetime(as_of, unit="us", utc=True).tz_convert(CALENDAR).tz_localize(None)
    return local.to_numpy().astype("datetime64[M]").astype(str)


def risk_tiers(risk: Floats, reference: Distribution) -> NDArray[Any]:
    """Return each row's tier, `[n]` strings: tenths of the risk of the rows a model was fitted on.

    The tiers' limits don't move with the rows at hand, so that months and models can be compared.
    """
    edges = np.array(reference.edges)
    limits = [0.0, *edges.tolist(), 1.0]
    names = [
        f"{tier:02d}: {low:.2%} to {high:.2%}"
        for tier, (low, high) in enumerate(pairwise(limits), 1)
    ]
    return np.array(names)[np.searchsorted(edges, risk, side="left")]


def _of_group(name: str, bad: Bools, risk: Floats, weight: Floats) -> Expected:
    rate, expected = (float(np.average(x, weights=weight)) for x in (bad, risk))
    effective = float(weight.sum() ** 2 / np.square(weight).sum())
    low, high = wilson(rate, effective)
    ratio = Interval(rate / expected, low / expected, high / expected)
    return Expected(name, bad.size, int(bad.sum()), rate, expected, ratio)
