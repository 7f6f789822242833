"""The model families by name: a new one is one more entry here."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from relimit.data.errors import ModelError
from relimit.models.base import Head, RiskEstimator
from relimit.models.boosting import BoostedHead, BoostedTrees
from relimit.models.points import ScorecardHead
from relimit.models.prediction import Predictor
from relimit.models.scorecard import Scorecard


@dataclass(frozen=True, slots=True)
class Family:
    """An estimator to fit, and how to read its head from files, columns, threads and predictor."""

    estimator: type[RiskEstimator]
    read: Callable[[Mapping[str, bytes], tuple[str, ...], int, Predictor], Head]


FAMILIES: Final = {
    ScorecardHead.family: Family(Scorecard, ScorecardHead.from_files),
    BoostedHead.family: Family(BoostedTrees, BoostedHead.from_files),
}


def family_named(name: str) -> Family:
    """Return the family.

    Raises
    ------
    ModelError
        If there is none of that name.

    Examples
    --------
    >>> family_named("scorecard").estimator.__name__
    'Scorecard'
    """
    if name not in FAMILIES:
        raise ModelError(f"no model family {name!r}", mend=f"Choose one of {sorted(FAMILIES)}.")
    return FAMILIES[name]
