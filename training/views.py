"""One risk judged three ways: as the log is, weighted by propensity, and where the log explored."""

from typing import Final

import numpy as np
import pandas as pd

from relimit.training.discrimination import Bools, Floats
from relimit.training.labelled import Labelled
from relimit.training.metrics import evaluate

NAIVE: Final = "naive"
WEIGHTED: Final = "weighted"
EXPLORED: Final = "explored"
SMALL_SLICE: Final = 25
"""Bads below which a slice's figures are not reported."""
PREFERRED: Final = 0.5
"""A logged propensity below it: the older policy did not take the arm that it preferred."""


def explored(labelled: Labelled) -> Bools:
    """Return `[n]`: rows whose arm the older policy drew although it preferred another.

    Their outcomes come from accounts that it did not choose for the arm. Rows without a logged
    propensity are not among them.
    """
    return np.asarray(labelled.propensity < PREFERRED, dtype=np.bool_)


def three_views(test: Labelled, risk: Floats, weight: Floats | None) -> dict[str, dict[str, float]]:
    """Return the metrics of a risk by view; a view that the rows can't give is absent.

    Parameters
    ----------
    test
        `[n]` rows with their outcomes.
    risk
        `[n]` calibrated risk at the arm that each row took.
    weight
        `[n]` propensity weights; None if the rows have no arms.
    """
    account = pd.factorize(test.account_id)[0]
    found = {NAIVE: evaluate(test.bad, risk, clusters=account)}
    if weight is None:
        return found
    found[WEIGHTED] = evaluate(test.bad, risk, weight, clusters=account)
    rows = explored(test)
    if SMALL_SLICE <= test.bad[rows].sum() < rows.sum():
        found[EXPLORED] = evaluate(test.bad[rows], risk[rows], clusters=account[rows])
    return found
