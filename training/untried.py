"""What to say where history never tried an arm: a count, and bounds in place of a figure."""

from typing import Final

from relimit.data.vocabulary import ARMS
from relimit.models import RiskModel
from relimit.training.discrimination import Floats
from relimit.training.splits import sample_rows

BOUNDED_ROWS: Final = 20_000
"""Rows that the mean bounds are taken from."""


def arm_cautions(model: RiskModel, X: Floats) -> tuple[str, ...]:
    """Return how many arms no row fitted on took and, if (1, 0) is one, what bounds its risk.

    Parameters
    ----------
    model
        Fitted on rows that have arms.
    X
        `[n, F]` rows to take the mean bounds of.
    """
    untried = len(ARMS) - len(model.tried)
    if not untried:
        return ()
    counted = (
        f"History never tried {untried} of the {len(ARMS)} arms: a risk there is extrapolated "
        "along the constraints."
    )
    if model.caution is None:
        return (counted,)
    low, high = model.restoration_bounds(X[sample_rows(len(X), BOUNDED_ROWS)])
    bounds = f"{low.mean():.2%} at least and {high.mean():.0%} at most"
    return (counted, f"{model.caution} The test rows' mean lies between bounds: {bounds}.")
