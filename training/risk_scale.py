"""Risk by arm put on what the log shows: its level, its spread, and how it rises with the share.

Few bads leave boosted trees no room for the arm: regularised, they find how borrowers differ and
next to nothing of what restoring does, and their rare high risks come out too low. Three numbers
fitted afterwards set that right. The delay is left out: older rules delay most what they share
least, so that a log can't tell the two apart.
"""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit, log_expit

Floats = NDArray[np.float64]

WIDEST: Final = 30.0
PRIOR_OF_SLOPE: Final = 0.5
PRIOR_OF_SHARE: Final = 2.0
"""Standard deviations around a slope of 1 and a share that changes nothing."""


@dataclass(frozen=True, slots=True)
class RiskScale:
    """Log-odds of bad: `level + slope x what the trees say + of_share x share`."""

    level: float
    slope: float
    of_share: float

    @classmethod
    def fit(cls, log_odds: Floats, share: Floats, bad: Floats) -> Self:
        """Fit the three by penalised likelihood; more restored never lowers the risk.

        Parameters
        ----------
        log_odds
            `[n]` of trees that have not seen the rows, at the arm that was taken.
        share
            `[n]` the share restored.
        bad
            `[n]` 0 or 1, both occurring.
        """
        X = np.column_stack([np.ones(len(bad)), log_odds, share])

        def objective(at: Floats) -> tuple[float, Floats]:
            score = X @ at
            prior = np.array([0.0, (at[1] - 1.0) / PRIOR_OF_SLOPE**2, at[2] / PRIOR_OF_SHARE**2])
            penalty = 0.5 * float(prior[1] * (at[1] - 1.0) + prior[2] * at[2])
            value = -float((bad * score + log_expit(-score)).sum()) + penalty
            return value, X.T @ (expit(score) - bad) + prior

        found: Any = minimize(
            objective,
            np.array([0.0, 1.0, 0.0]),
            jac=True,
            method="L-BFGS-B",
            bounds=[(-WIDEST, WIDEST), (0.0, WIDEST), (0.0, WIDEST)],
        )
        return cls(*map(float, found.x))

    def risk(self, log_odds: Floats, share: Floats) -> Floats:
        """Return P(bad); the arguments broadcast."""
        return np.asarray(expit(self.level + self.slope * log_odds + self.of_share * share))
