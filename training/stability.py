"""Whether rows still look like those that a model was fitted on: PSI of its risk, CSI of inputs."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from relimit.models import Distribution, RiskModel

Floats = NDArray[np.float64]

WATCH: Final = 0.1
SHIFTED: Final = 0.25
"""The trade's limits for a population stability index (Siddiqi 2006): watch, and shifted."""
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


def index_noise(bins: int, before: int, now: int, level: float = NOISE_LEVEL) -> float:
    """Return what the index of two samples of one distribution stays below with this probability.

    It is close to chi-squared with `bins` − 1 degrees of freedom, times 1/before + 1/now (Yurdakul
    2018, Statistical properties of the population stability index).
    """
    return float(chi2.ppf(level, max(bins - 1, 1))) * (1.0 / before + 1.0 / now)


def risk_shift(model: RiskModel, risk: Floats) -> Shift:
    """Return the PSI of the restoration risk `[n]` against the rows that the model was fitted on.

    The risks are those at arm (1, 0), as in the model's reference.
    """
    return _shift("risk", model.reference.risk, model.reference.rows, risk)


def feature_shifts(model: RiskModel, X: Floats) -> list[Shift]:
    """Return the CSI of each feature of `X` `[n, F]`, the largest first; missing is a bin."""
    reference = model.reference
    shifts = [
        _shift(name, reference.features[name], reference.rows, X[:, place])
        for place, name in enumerate(model.feature_names)
    ]
    return sorted(shifts, key=lambda shift: -shift.index)


def _shift(name: str, reference: Distribution, rows: int, x: Floats) -> Shift:
    before = np.asarray(reference.shares) * rows
    now = reference.shares_of(x) * len(x)
    bins = int(((before + now) > 0.0).sum())
    return Shift(
        name=name,
        index=stability_index(before, now),
        noise=index_noise(bins, rows, len(x)),
        missing_before=reference.shares[-1],
        missing_now=float(now[-1] / len(x)),
    )
