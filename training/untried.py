"""What to say where history never tried an arm: a count, and bounds in place of a figure."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS
from relimit.models import RiskModel
from relimit.policy.support import LEAST_TRIES
from relimit.policy.worth import COMES_TO
from relimit.training.discrimination import Floats
from relimit.training.splits import sample_rows

BOUNDED_ROWS: Final = 20_000
"""Rows that the mean bounds are taken from."""
MOST_GUESSED: Final = 0.01
"""A larger part of the decisions than this must not get untried arms unsaid."""


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


def log_cautions(taken: NDArray[np.int64], given: NDArray[np.int64]) -> tuple[str, ...]:
    """Return what to say of a policy that gives arms which a log has hardly or never taken.

    Parameters
    ----------
    taken
        `[m]` the places in `ARMS` of what was decided.
    given
        `[n]` those of what the policy decides. All arms that return nothing are one.
    """
    tries = np.bincount(COMES_TO[taken], minlength=len(ARMS))
    rows = np.bincount(COMES_TO[given], minlength=len(ARMS))
    untried = np.flatnonzero((rows > 0) & (tries < LEAST_TRIES))
    part = rows[untried].sum() / len(given)
    if part <= MOST_GUESSED:
        return ()
    named = "; ".join(_arm_name(place) for place in untried[np.argsort(-rows[untried])])
    return (
        f"These tiers give {part:.0%} of the decisions an arm that the log took fewer than "
        f"{LEAST_TRIES} times ({named}): what it brings is a guess that no outcome confirms, and "
        "that the 95% limits don't doubt. Try it on a few first; `relimit policy evaluate` says "
        "what this log can answer.",
    )


def _arm_name(place: int) -> str:
    share, days = ARMS[place]
    if not share:
        return "nothing back"
    return f"{share:.0%} back " + (f"after {days} days" if days else "at once")
