"""One risk judged three ways: as the log is, weighted by propensity, and where the log explored."""

from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.training.discrimination import Bools, Floats
from relimit.training.labelled import Labelled
from relimit.training.metrics import evaluate
from relimit.training.propensity import number_arms

NAIVE: Final = "naive"
WEIGHTED: Final = "weighted"
EXPLORED: Final = "explored"
SMALL_SLICE: Final = 25
"""Bads below which a slice's figures are not reported."""
PREFERRED: Final = 0.5
"""An arm of such a propensity, or more, is the one that the older policy preferred."""


@dataclass(frozen=True, slots=True)
class View:
    """Some of the rows, `[m]` numbers, and what each counts; None: all the same."""

    rows: NDArray[np.intp]
    weight: Floats | None


def least_preferred(labelled: Labelled) -> float:
    """Return the logged propensity below which the older policy preferred another arm.

    A half, where most rows have an arm of such a propensity. A softer policy seldom gives an arm
    as much: of K arms in its log, one below 1/K is then surely not the preferred, since another
    has more.
    """
    known = labelled.propensity[np.isfinite(labelled.propensity)]
    if (known >= PREFERRED).sum() >= known.size / 2.0:
        return PREFERRED
    return 1.0 / len(number_arms(labelled.arms)[0])


def explored(labelled: Labelled) -> Bools:
    """Return `[n]`: rows whose arm the older policy drew although it preferred another.

    Their outcomes come from accounts that it did not choose for the arm. Rows without a logged
    propensity are not among them. `least_preferred` says how a preference is told.
    """
    return np.asarray(labelled.propensity < least_preferred(labelled), dtype=np.bool_)


def views_of(test: Labelled, weight: Floats | None) -> dict[str, View]:
    """Return the views that rows can give: naive; with weights also weighted, and explored.

    Parameters
    ----------
    test
        `[n]` rows with their outcomes.
    weight
        `[n]` propensity weights; None if the rows have no arms.
    """
    everyone = np.arange(len(test))
    found = {NAIVE: View(everyone, None)}
    if weight is None:
        return found
    found[WEIGHTED] = View(everyone, weight)
    rows = explored(test)
    if SMALL_SLICE <= test.bad[rows].sum() < rows.sum():
        found[EXPLORED] = View(np.flatnonzero(rows), None)
    return found


def three_views(test: Labelled, risk: Floats, weight: Floats | None) -> dict[str, dict[str, float]]:
    """Return the metrics of a risk by view; a view that the rows can't give is absent.

    Parameters
    ----------
    test, weight
        As for `views_of`.
    risk
        `[n]` calibrated risk at the arm that each row took.
    """
    account = pd.factorize(test.account_id)[0]
    return {
        name: evaluate(test.bad[view.rows], risk[view.rows], view.weight, account[view.rows])
        for name, view in views_of(test, weight).items()
    }
