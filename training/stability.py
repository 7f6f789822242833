"""Whether rows still look like those that a model was fitted on: PSI of its risk, CSI of inputs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri

from relimit.models import Distribution, RiskModel
from relimit.models.binning import bin_index

Floats = NDArray[np.float64]

WATCH: Final = 0.1
SHIFTED: Final = 0.25
"""The trade's limits for a population stability index (Siddiqi 2006): watch, and shifted."""
RISK: Final = "risk"
"""The name of the restoration risk's shift."""
NOISE_LEVEL: Final = 0.99
SPARE_ROWS: Final = 0.5
"""Added to every bin, so that an empty one gives a large number and not infinity."""


@dataclass(frozen=True, slots=True)
class Shift:
    """How far a distribution has moved.

    Attributes
    ----------
    name
        `risk`, or a feature.
    index
        The stability index; 0 is the same distribution.
    noise
        What two samples of one distribution exceed once in a hundred times (Yurdakul 2018).
    missing_before, missing_now
        Shares of missing values.
    """

    name: str
    index: float
    noise: float
    missing_before: float
    missing_now: float

    @property
    def verdict(self) -> str:
        """`stable`, `watch` or `shifted`; what noise explains is stable."""
        if self.index < WATCH or self.index <= self.noise:
            return "stable"
        return "watch" if self.index < SHIFTED else "shifted"


def stability_index(before: Floats, now: Floats) -> float:
    """Return the population stability index of two histograms over the same bins.

    Parameters
    ----------
    before, now
        `[k]` row counts. Bins that are empty in both are ignored; half a row is added to others.

    Examples
    --------
    >>> stability_index(np.array([500.0, 500.0]), np.array([500.0, 500.0]))
    0.0
    """
    kept = (before + now) > 0.0
    filled = (counts[kept] + SPARE_ROWS for counts in (before, now))
    was, is_now = (counts / counts.sum() for counts in filled)
    return float(np.sum((is_now - was) * np.log(is_now / was)))


def index_noise(bins: int, before: float, now: float, level: float = NOISE_LEVEL) -> float:
    """Return what the index of two samples of one distribution stays below with this probability.

    It is close to chi-squared with `bins` − 1 degrees of freedom, times 1/before + 1/now (Yurdakul
    2018, Statistical properties of the population stability index).
    """
    return float(chdtri(max(bins - 1, 1), 1.0 - level)) * (1.0 / before + 1.0 / now)


def risk_shift(model: RiskModel, risk: Floats) -> Shift:
    """Return the PSI of the restoration risk `[n]` against the rows that the model was fitted on.

    The risks are those at arm (1, 0), as in the model's reference.
    """
    return _shift(RISK, model.reference.risk, model.reference.rows, risk)


def feature_shifts(model: RiskModel, X: Floats) -> list[Shift]:
    """Return the CSI of each feature of `X` `[n, F]`, the largest first; missing is a bin."""
    reference = model.reference
    shifts = [
        _shift(name, reference.features[name], reference.rows, X[:, place])
        for place, name in enumerate(model.feature_names)
    ]
    return sorted(shifts, key=lambda shift: -shift.index)


def shifts_by_weight(
    name: str,
    reference: Distribution,
    before: tuple[Floats, Mapping[str, Floats]],
    now: tuple[Floats, Mapping[str, Floats]],
) -> dict[str, Shift]:
    """Return the shift of one quantity under each of several weightings of its rows.

    Rows before and now are weighted alike: weights that are given to one side alone would
    show as a shift. A weighted sample's noise is that of its effective rows (Kish 1965).

    Parameters
    ----------
    name, reference
        The quantity, and the distribution that has its bins.
    before, now
        Values `[m]` and `[n]`, with the weights of their rows by weighting; 0 leaves a row out.
    """
    bins = len(reference.edges) + 2
    places = [bin_index(np.array(reference.edges), x) for x, _ in (before, now)]
    found = {}
    for weighting in before[1]:
        weights = before[1][weighting], now[1][weighting]
        counts = [
            np.bincount(place, weight, bins) / weight.sum() * _effective_rows(weight)
            for place, weight in zip(places, weights, strict=True)
        ]
        found[weighting] = _of_counts(name, *counts)
    return found


def _shift(name: str, reference: Distribution, rows: int, x: Floats) -> Shift:
    before = np.asarray(reference.shares) * rows
    return _of_counts(name, before, reference.shares_of(x) * len(x))


def _of_counts(name: str, before: Floats, now: Floats) -> Shift:
    bins = int(((before + now) > 0.0).sum())
    rows = float(before.sum()), float(now.sum())
    return Shift(
        name=name,
        index=stability_index(before, now),
        noise=index_noise(bins, *rows),
        missing_before=float(before[-1]) / rows[0],
        missing_now=float(now[-1]) / rows[1],
    )


def _effective_rows(weight: Floats) -> float:
    return float(weight.sum() ** 2 / np.square(weight).sum())
