"""Observed against expected bads: by month, by risk tier, by any segment."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from relimit.data.vocabulary import CALENDAR
from relimit.models import Distribution
from relimit.training.discrimination import Bools, Floats, Interval, weights_or_ones

Groups: TypeAlias = "NDArray[Any] | pd.Categorical[Any]"
MICROSECONDS_PER_QUARTER_HOUR: Final = 900_000_000
"""Every clock on earth differs from UTC by whole quarters, so that none is in two months."""


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
    bad: Bools, risk: Floats, group: Groups, weight: Floats | None = None
) -> list[Expected]:
    """Return observed over expected bads of each group, in the order of the groups' names.

    The limits are Wilson's (1927) for the bad rate, over the mean risk; with weights, for the
    effective number of rows (Kish 1965).

    Parameters
    ----------
    bad, risk, weight
        `[n]`.
    group
        `[n]` labels that sort; a categorical is quickest.
    """
    weights = weights_or_ones(weight, bad.size)
    place, names = pd.factorize(group, sort=True)
    parts = {
        "weight": weights,
        "bad": weights * bad,
        "risk": weights * risk,
        "squares": np.square(weights),
    }
    rows, bads = np.bincount(place, minlength=len(names)), np.bincount(place, bad, len(names))
    sums = {name: np.bincount(place, part, len(names)) for name, part in parts.items()}
    return [
        _of_group(str(name), int(rows[i]), bads[i], **{k: float(x[i]) for k, x in sums.items()})
        for i, name in enumerate(names)
    ]


def wilson(rate: float, rows: float, level: float = 0.95) -> tuple[float, float]:
    """Return the limits of a share observed in so many rows (Wilson 1927)."""
    z = float(ndtri(0.5 + level / 2.0))
    centre = (rate + z**2 / (2.0 * rows)) / (1.0 + z**2 / rows)
    half = z / (1.0 + z**2 / rows) * np.sqrt(rate * (1.0 - rate) / rows + z**2 / (4.0 * rows**2))
    return max(0.0, centre - float(half)), min(1.0, centre + float(half))


def months(as_of: NDArray[np.int64]) -> "pd.Categorical[Any]":
    """Return the calendar month of each instant as `2026-03`, `[n]` strings.

    Examples
    --------
    >>> months(np.array(["2026-03-31T17:00"], "datetime64[us]").astype(np.int64)).tolist()
    ['2026-04']
    """
    place, quarters = pd.factorize(as_of // MICROSECONDS_PER_QUARTER_HOUR)
    starts = pd.to_datetime(quarters * MICROSECONDS_PER_QUARTER_HOUR, unit="us", utc=True)
    local = starts.tz_convert(CALENDAR).tz_localize(None)
    month, names = pd.factorize(local.to_numpy().astype("datetime64[M]"), sort=True)
    return named(month[place], names.astype("datetime64[M]").astype(str).tolist())


def risk_tiers(risk: Floats, reference: Distribution) -> "pd.Categorical[Any]":
    """Return each row's tier, `[n]` strings: tenths of the risk of the rows a model was fitted on.

    The tiers' limits don't move with the rows at hand, so that months and models can be compared.
    """
    edges = np.array(reference.edges)
    limits = [0.0, *edges.tolist(), 1.0]
    names = [
        f"{tier:02d}: {low:.2%} to {high:.2%}"
        for tier, (low, high) in enumerate(pairwise(limits), 1)
    ]
    return named(np.searchsorted(edges, risk, side="left"), names)


def named(place: NDArray[np.integer[Any]], names: Sequence[str]) -> "pd.Categorical[Any]":
    """Return the names at these places, `[n]`; sorted names need not be sorted row by row."""
    return pd.Categorical.from_codes(place, pd.Index(names))


def _of_group(
    name: str, rows: int, bads: float, *, weight: float, bad: float, risk: float, squares: float
) -> Expected:
    rate, expected = bad / weight, risk / weight
    low, high = wilson(rate, weight**2 / squares)
    ratio = Interval(rate / expected, low / expected, high / expected)
    return Expected(name, rows, int(bads), rate, expected, ratio)
