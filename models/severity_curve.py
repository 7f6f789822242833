"""Severity as a curve over the part of the limit that was restored.

What is lost of a restored amount is the balance at default as far as it exceeds the rest of the
limit: who gets little of it back can lose little of that.
"""

from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize
from scipy.special import expit, logit

from relimit.models.severity import LossSettings

LIMIT: Final = "limit_amount"
"""The feature that is the limit, in fen."""
LEAST_PART: Final = 1e-4
"""No part of a limit counts as less, so that its logarithm is finite."""
BELIEVED: Final = 1.0
"""Standard deviation of the slopes that are expected before losses are seen; 0 is a constant."""
FURTHEST: Final = 40.0
"""Log-odds within which a level is sought."""

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class CurveSeverity:
    """Severity with log-odds `level + slope x ln(restored / limit)`, the slope at least 0.

    So it rises with the amount, or stays, and a larger amount never loses less.

    Attributes
    ----------
    columns
        Names of the columns that it is given, `LIMIT` among them.
    unknown
        The severity where no limit above 0 is known.
    bads
        How many it was fitted on.
    settings
        What was assumed in the fit.

    Raises
    ------
    ValueError
        A slope below 0, a number out of its range, or no column `LIMIT`.
    """

    kind: ClassVar[str] = "curve"
    columns: tuple[str, ...]
    level: float
    slope: float
    unknown: float
    bads: int
    settings: LossSettings

    def __post_init__(self) -> None:
        if LIMIT not in self.columns:
            raise ValueError(f"no column {LIMIT}")
        rises = self.slope >= 0.0 and np.isfinite([self.level, self.slope]).all()
        if not (rises and 0.0 <= self.unknown <= 1.0):
            raise ValueError(f"{self.level}, {self.slope}, {self.unknown} are no curve of severity")

    @property
    def reads(self) -> frozenset[str]:
        """The limit alone."""
        return frozenset([LIMIT])

    def severity(self, X: Float, restored: Float) -> Float:
        """Share of the restored amount lost when bad, float64 [n]."""
        return self.at(part_of_limit(restored, X[:, self.columns.index(LIMIT)]))

    def at(self, part: Float) -> Float:
        """Share of a restored amount lost when bad, by restored over limit, float64 [n]."""
        return np.where(np.isnan(part), self.unknown, expit(self.level + self.slope * np.log(part)))

    def to_json(self) -> dict[str, object]:
        """Plain values that `loss_from_json` reads."""
        own = {"level": self.level, "slope": self.slope, "unknown": self.unknown}
        return {"kind": self.kind, **own, "bads": self.bads, "settings": asdict(self.settings)}

    def files(self) -> dict[str, bytes]:
        """No further file."""
        return {}


def part_of_limit(amount: Float, limit: Float) -> Float:
    """Return `[n]` amounts over limits, from `LEAST_PART` to 1; NaN where no limit is known.

    Examples
    --------
    >>> part_of_limit(np.array([50.0, 50, 0, 50]), np.array([200.0, 40, 200, np.nan]))
    array([2.5e-01, 1.0e+00, 1.0e-04,     nan])
    """
    known = np.where(limit > 0.0, limit, np.nan)
    return np.clip(amount / known, LEAST_PART, 1.0)


def fit_curve(part: Float, ratio: Float, exposure: Float, mean: float) -> tuple[float, float]:
    """Return level and slope of the curve that has a given mean over the exposure.

    A fractional logit (Papke & Wooldridge 1996) says how severity rises with the part; the slope is
    drawn towards 0, a constant, as far as few bads tell it. The level is the mean's, which knows
    what was assumed.

    Parameters
    ----------
    part
        `[m]` restored over limit of the bads, none NaN.
    ratio, exposure
        `[m]` what part of the exposure was lost, in [0, 1], and the exposure, above 0.
    mean
        Severity over all the exposure, inside (0, 1).
    """
    weight, log_part = exposure / exposure.mean(), np.log(part)

    def objective(at: Float) -> tuple[float, Float]:
        z = at[0] + at[1] * log_part
        missing = weight * (expit(z) - ratio)
        value = float(weight @ (np.logaddexp(0.0, z) - ratio * z)) + 0.5 * (at[1] / BELIEVED) ** 2
        return value, np.array([missing.sum(), missing @ log_part + at[1] / BELIEVED**2])

    bounds = [(-FURTHEST, FURTHEST), (0.0, FURTHEST)]
    start = np.array([float(logit(mean)), 0.0])
    found: Any = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=bounds)
    slope = float(found.x[1])
    share = weight / weight.sum()

    def too_much(level: float) -> float:
        return float(share @ expit(level + slope * log_part)) - mean

    furthest = FURTHEST - slope * float(log_part.min())
    return float(brentq(too_much, -furthest, furthest)), slope
