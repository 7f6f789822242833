"""Weights that make logged decisions stand for decisions taken at random.

Who was restored was decided by an older policy, so each row reveals the outcome of its own arm
alone. A row is weighted by the inverse of the probability with which it got its arm, stabilised by
how common the arm is (Robins, Hernan & Brumback 2000) and clipped.
"""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import QuantileTransformer

from relimit.data.errors import DataError
from relimit.data.vocabulary import ARMS
from relimit.models import arms_tried

Floats = NDArray[np.float64]

LEAST_WEIGHT: Final = 1.0 / 3.0
MOST_WEIGHT: Final = 3.0
"""With 5% exploration over 25 arms an explored row would weigh a hundred times as much as another;
clipped at 3, a log of that kind keeps about half of its rows' worth, at 20 it keeps 6%."""
ROWS_TO_FIT: Final = 20_000
"""Rows that a fitted propensity learns from; more change little and cost minutes."""
TOLERANCE: Final = 1e-3
"""Where the fit stops: a tenth of this takes three times the steps for the same weights."""


@dataclass(frozen=True, slots=True)
class Propensities:
    """Weights of logged decisions and what to know before trusting them.

    Attributes
    ----------
    weight
        `[n]`, mean 1.
    propensity
        `[n]` probability of the arm that was taken.
    effective_rows
        (Σw)² / Σw²: how many equally weighted rows tell as much (Kish 1965).
    clipped
        Rows whose stabilised weight lay outside [1/3, 3].
    fitted
        Rows whose propensity was not logged.
    arms_never_tried
        How many of the 25 arms no row learnt from took: there is but extrapolation.
    """

    weight: Floats
    propensity: Floats
    effective_rows: float
    clipped: int
    fitted: int
    arms_never_tried: int

    def to_dict(self) -> dict[str, float]:
        """Return the figures for a run or a manifest."""
        return {
            "effective_rows": self.effective_rows,
            "clipped": self.clipped,
            "fitted": self.fitted,
            "arms_never_tried": self.arms_never_tried,
        }


def weigh_decisions(
    X: Floats, arms: Floats, logged: Floats, *, learn: NDArray[np.int64], seed: int = 0
) -> Propensities:
    """Weigh each row by the inverse of its propensity.

    Parameters
    ----------
    X
        `[n, F]` features at the decision, NaN where null: what a fitted propensity depends on.
    arms
        `[n, 2]` share and delay in days, without NaN.
    logged
        `[n]` propensity from the log, NaN where unknown: there a multinomial logistic regression
        on the features' quantiles stands in.
    learn
        Row numbers that the regression and the arms' frequencies may be taken from.
    seed
        Draws the rows that the regression learns from.

    Raises
    ------
    DataError
        If a logged propensity is not in (0, 1].
    """
    wrong = np.isfinite(logged) & ~((logged > 0.0) & (logged <= 1.0))
    if wrong.any():
        raise DataError(
            f"{int(wrong.sum())} of {len(logged)} values are not in (0, 1]",
            where="observations, column propensity",
            mend="Log the probability of the arm that was taken, or leave it null",
        )
    distinct, arm = number_arms(arms)
    propensity = logged.copy()
    unknown = np.isnan(logged)
    if unknown.any():
        propensity[unknown] = _fitted_propensity(X, arm, learn, seed)[unknown]
    common = np.bincount(arm[learn], minlength=len(distinct)) / len(learn)
    stabilised = common[arm] / propensity
    weight = np.clip(stabilised, LEAST_WEIGHT, MOST_WEIGHT)
    weight /= weight.mean()
    return Propensities(
        weight=weight,
        propensity=propensity,
        effective_rows=float(weight.sum() ** 2 / np.square(weight).sum()),
        clipped=int(((stabilised < LEAST_WEIGHT) | (stabilised > MOST_WEIGHT)).sum()),
        fitted=int(unknown.sum()),
        arms_never_tried=len(ARMS) - len(arms_tried(distinct[common > 0.0])),
    )


def number_arms(arms: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the distinct arms, ascending, and which of them each row took.

    As `numpy.unique` over rows, which takes ten times as long.
    """
    (share, shares), (delay, delays) = (pd.factorize(part, sort=True) for part in arms.T)
    pair, arm = np.unique(share * len(delays) + delay, return_inverse=True)
    distinct = np.column_stack([shares[pair // len(delays)], delays[pair % len(delays)]])
    return distinct, arm


def _fitted_propensity(X: Floats, arm: NDArray[Any], learn: NDArray[Any], seed: int) -> Floats:
    """Return the fitted probability of each row's own arm, at least that of a rare arm."""
    rng = np.random.default_rng(seed)
    rows = learn if len(learn) <= ROWS_TO_FIT else rng.choice(learn, ROWS_TO_FIT, replace=False)
    tried, code = np.unique(arm[rows], return_inverse=True)
    least = 1.0 / len(rows)
    result = np.full(len(arm), least)
    if len(tried) == 1:
        return np.where(arm == tried[0], 1.0, least)
    model = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True),
        QuantileTransformer(n_quantiles=min(100, len(rows)), random_state=seed),
        LogisticRegression(C=0.1, tol=TOLERANCE, max_iter=300),
    ).fit(X[rows], code)
    known = np.isin(arm, tried)
    chances = model.predict_proba(X[known])
    own = chances[np.arange(len(chances)), np.searchsorted(tried, arm[known])]
    result[known] = np.maximum(own, least)
    return result
