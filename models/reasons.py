"""From contributions of features to the causes that a borrower can be told."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.features import catalogue

LOW_NEED: Final = "low_need"
CYCLING: Final = "cycling"
DISTRESS: Final = "distress"
PAYMENT_RETURN: Final = "payment_return"
OTHER: Final = "other"

CAUSES: Final = (LOW_NEED, CYCLING, DISTRESS, PAYMENT_RETURN, OTHER)
"""Why a risk is raised. A healthy prepayer has low need; that is no distress."""

CAUSE_OF_FAMILY: Final = {
    "prepayment": LOW_NEED,
    "cycling": CYCLING,
    "gaps": CYCLING,
    "delinquency": DISTRESS,
    "utilisation": DISTRESS,
    "interest": DISTRESS,
    "funding": DISTRESS,
    "income": DISTRESS,
    "external_score": DISTRESS,
    "operations": OTHER,
    "tenure": OTHER,
    "purpose": OTHER,
}
# Features whose family holds more than one cause, by the start of their name.
_CAUSE_OF_PREFIX: Final = {"payment_returned": PAYMENT_RETURN, "coupon": CYCLING}


def cause_of_feature(name: str, family: str) -> str:
    """Return the cause that a feature speaks of; `other` for a family that is not mapped.

    Examples
    --------
    >>> cause_of_feature("dpd_now", "delinquency")
    'distress'
    >>> cause_of_feature("payment_returned_count_30d", "delinquency")
    'payment_return'
    """
    for prefix, cause in _CAUSE_OF_PREFIX.items():
        if name.startswith(prefix):
            return cause
    return CAUSE_OF_FAMILY.get(family, OTHER)


def causes_of_features(families: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the cause by feature, for `families` (feature to family) or the whole catalogue."""
    if families is None:
        families = {item.name: item.family for item in catalogue()}
    return {name: cause_of_feature(name, family) for name, family in families.items()}


def contributions_by_cause(
    contributions: NDArray[np.float64],
    feature_names: Sequence[str],
    families: Mapping[str, str] | None = None,
) -> dict[str, NDArray[np.float64]]:
    """Add up `RiskModel.contributions` ([n, F], log-odds) by cause: float64 [n] for each cause.

    Examples
    --------
    >>> parts = contributions_by_cause(
    ...     np.array([[0.5, 0.25]]), ["dpd_now", "login_failed"], {"dpd_now": "delinquency"}
    ... )
    >>> parts["distress"], parts["other"]
    (array([0.5]), array([0.25]))
    """
    causes = causes_of_features(families)
    out = {cause: np.zeros(len(contributions)) for cause in CAUSES}
    for place, name in enumerate(feature_names):
        out[causes.get(name, OTHER)] += contributions[:, place]
    return out
