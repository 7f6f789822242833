"""Whether the loss that came is the loss that was expected: of all rows, by tenth, by group."""

from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.models import RiskModel
from relimit.training.bootstrap import bootstrap_ratio
from relimit.training.discrimination import Floats, Interval, half_width, weights_or_ones
from relimit.training.labelled import Labelled

TENTHS: Final = 10
METRIC: Final = "loss_observed_expected"


@dataclass(frozen=True, slots=True)
class LossRows:
    """Rows that restored something and whose loss is known, `[m]` each.

    Attributes
    ----------
    place
        Their numbers among the rows asked for.
    observed, expected
        Fen at the arm that was taken.
    account_id
        Rows of one account go together.
    """

    place: NDArray[np.intp]
    observed: Floats
    expected: Floats
    account_id: NDArray[Any]

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some of them, by index or by mask."""
        return type(self)(
            self.place[rows], self.observed[rows], self.expected[rows], self.account_id[rows]
        )


@dataclass(frozen=True, slots=True)
class LossGroup:
    """Sums of a group in yuan, and what was lost over what was expected; weighted if asked."""

    group: str
    rows: int
    observed_yuan: float
    expected_yuan: float
    ratio: Interval


def loss_rows(model: RiskModel, X: Floats, test: Labelled, risk: Floats) -> LossRows | None:
    """Return what was lost and what the loss head expects: risk × severity × what was restored.

    Parameters
    ----------
    model
        Whose loss head is checked.
    X, test
        `[n, F]` features and the outcomes; a row without an arm counts as restored in full.
    risk
        `[n]` at the arm that each row took.

    Returns
    -------
    LossRows | None
        None if no loss is known: the head then rests on its assumption.
    """
    exposure = test.freed * np.where(np.isnan(test.share), 1.0, test.share)
    known = np.flatnonzero(np.isfinite(test.loss) & (exposure > 0.0))
    if not test.loss[known].any():
        return None
    expected = risk[known] * model.loss.severity(X[known]) * exposure[known]
    return LossRows(known, test.loss[known], expected, test.account_id[known])


def loss_metrics(found: LossRows | None) -> dict[str, float]:
    """Return `loss_observed_expected` with its limits by account; 1 is right, none if unknown."""
    if found is None:
        return {}
    ratio = bootstrap_ratio(found.observed, found.expected, found.account_id)
    return {METRIC: ratio.value, f"{METRIC}_low": ratio.low, f"{METRIC}_high": ratio.high}


def loss_groups(
    found: LossRows, group: NDArray[Any], weight: Floats | None = None
) -> list[LossGroup]:
    """Return each group's losses, in the order of the groups' names.

    The limits are those of a ratio of sums over accounts (linearised, Woodruff 1971), not below 0.

    Parameters
    ----------
    found
        `[m]` rows.
    group, weight
        `[m]` labels that sort, and what each row counts.
    """
    weights = weights_or_ones(weight, found.observed.size)
    place, names = pd.factorize(group, sort=True)
    return [
        _of_group(str(name), found.take(place == i), weights[place == i])
        for i, name in enumerate(names)
    ]


def loss_tenths(expected: Floats) -> NDArray[Any]:
    """Return each row's tenth by rising expected loss, `[m]` strings; equal ones share a tenth."""
    cuts = np.unique(np.quantile(expected, np.arange(1, TENTHS) / TENTHS))
    names = np.array([f"{place:02d}" for place in range(1, TENTHS + 1)])
    return names[np.searchsorted(cuts, expected, side="left")]


def _of_group(name: str, rows: LossRows, weight: Floats) -> LossGroup:
    observed, expected = weight @ rows.observed, weight @ rows.expected
    if expected == 0.0:
        ratio = Interval(float("nan"), float("nan"), float("nan"))
    else:
        value = float(observed / expected)
        influence = weight * (rows.observed - value * rows.expected) / expected
        half = half_width(influence, rows.account_id)
        ratio = Interval(value, max(0.0, value - half), value + half)
    was, should_be = (float(total) / FEN_PER_YUAN for total in (observed, expected))
    return LossGroup(name, rows.observed.size, was, should_be, ratio)
