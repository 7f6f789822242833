"""The risk of rows at the arm that each took, which is what their outcomes test."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import FULL_ARM
from relimit.models import RiskModel
from relimit.models.arms import with_arms
from relimit.training.discrimination import Floats
from relimit.training.labelled import Labelled

SCORED_ROWS: Final = 16_384
"""Rows that are given their arms, and scored, at a time."""


def logged_risk(
    model: RiskModel, X: Floats, labelled: Labelled, rows: NDArray[np.int64] | None = None
) -> Floats:
    """Return the calibrated risk at the arm that each row took, `[n]`, or of some `rows`, `[m]`.

    It is what an outcome can be held against. A row without an arm counts as restored in full; a
    model without arms gives its only risk.
    """
    taken = np.where(np.isnan(labelled.arms), FULL_ARM, labelled.arms)
    rows = np.arange(len(X)) if rows is None else rows
    log_odds = np.empty(len(rows))
    for start in range(0, len(rows), SCORED_ROWS):
        some = rows[start : start + SCORED_ROWS]
        matrix = with_arms(X, taken, some) if model.has_arms else X[some]
        log_odds[start : start + SCORED_ROWS] = model.head.log_odds(matrix)
    return np.asarray(model.calibration.apply(log_odds), dtype=np.float64)
