"""Whether the loss that came is the loss that was expected: of all rows, by tenth, by group."""

from dataclasses import dataclass, replace
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import ndtri

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.models import RiskModel
from relimit.training.bootstrap import bootstrap_ratio
from relimit.training.discrimination import Floats, Interval, weights_or_ones
from relimit.training.expected import Groups, named
from relimit.training.labelled import Labelled

BLOCK: Final = 16_384
"""Rows that are copied for the loss head at a time."""
TENTHS: Final = 10
LEVEL: Final = 0.95
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
    account
        Numbers that rows of one account share.
    """

    place: NDArray[np.intp]
    observed: Floats
    expected: Floats
    account: NDArray[np.int64]

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some of them, by index or by mask."""
        return type(self)(
            self.place[rows], self.observed[rows], self.expected[rows], self.account[rows]
        )


@dataclass(frozen=True, slots=True)
class LossGroup:
    """Sums of a group in yuan, and what was lost over what was expected; weighted if asked."""

    group: str
    rows: int
    observed_yuan: float
    expected_yuan: float
    ratio: Interval


def loss_rows(
    model: RiskModel,
    X: Floats,
    test: Labelled,
    risk: Floats,
    rows: NDArray[np.int64] | None = None,
) -> LossRows | None:
    """Return what was lost and what the loss head expects: risk × severity × what was restored.

    Parameters
    ----------
    model
        Whose loss head is checked.
    X, test
        `[N, F]` features and `[n]` outcomes; a row without an arm counts as restored in full.
    risk
        `[n]` at the arm that each row took.
    rows
        `[n]` where the outcomes' features are in `X`; None: they are all of it.

    Returns
    -------
    LossRows | None
        None if no loss is known: the head then rests on its assumption.
    """
    exposure = test.freed * np.where(np.isnan(test.share), 1.0, test.share)
    known = np.flatnonzero(np.isfinite(test.loss) & (exposure > 0.0))
    if not test.loss[known].any():
        return None
    places = known if rows is None else rows[known]
    restored, severity = exposure[known], np.empty(len(known))
    for start in range(0, len(known), BLOCK):
        block = slice(start, start + BLOCK)
        severity[block] = model.loss.severity(X[places[block]], restored[block])
    expected = risk[known] * severity * restored
    account = pd.factorize(test.account_id[known])[0].astype(np.int64)
    return LossRows(known, test.loss[known], expected, account)


def loss_metrics(found: LossRows | None) -> dict[str, float]:
    """Return `loss_observed_expected` with its limits by account; 1 is right, none if unknown."""
    if found is None:
        return {}
    ratio = _resampled(found)
    return {METRIC: ratio.value, f"{METRIC}_low": ratio.low, f"{METRIC}_high": ratio.high}


def loss_overall(found: LossRows, group: Groups, weight: Floats | None = None) -> list[LossGroup]:
    """Return what `loss_groups` does of rows of one group, with limits as `loss_metrics` has them.

    The report and the version's metrics then say the same of all rows.

    Parameters
    ----------
    found
        `[m]` rows; none give no group.
    group, weight
        `[m]` one label, and what each row counts.
    """
    return [
        one if np.isnan(one.ratio.low) else replace(one, ratio=_resampled(found, weight))
        for one in loss_groups(found, group, weight)
    ]


def _resampled(found: LossRows, weight: Floats | None = None) -> Interval:
    weights = weights_or_ones(weight, found.observed.size)
    return bootstrap_ratio(weights * found.observed, weights * found.expected, found.account)


def loss_groups(found: LossRows, group: Groups, weight: Floats | None = None) -> list[LossGroup]:
    """Return each group's losses, in the order of the groups' names.

    The limits are those of a ratio of sums over accounts (linearised, Woodruff 1971), not below 0;
    NaN where nothing was lost, which would make them 0 and says nothing of what could have been.

    Parameters
    ----------
    found
        `[m]` rows.
    group, weight
        `[m]` labels that sort, a categorical being quickest, and what each row counts.
    """
    weights = weights_or_ones(weight, found.observed.size)
    place, names = pd.factorize(group, sort=True)
    rows = np.bincount(place, minlength=len(names))
    observed, expected = (
        np.bincount(place, weights * part, len(names)) for part in (found.observed, found.expected)
    )
    known = expected > 0.0
    ratio = np.divide(observed, expected, out=np.full(len(names), np.nan), where=known)
    moved = weights * (found.observed - ratio[place] * found.expected)
    spread = _clustered(place, found.account, moved)
    error = np.divide(spread, expected, out=np.full(len(names), np.nan), where=observed > 0.0)
    half = float(ndtri(0.5 + LEVEL / 2.0)) * error
    limits = np.column_stack([ratio, np.maximum(0.0, ratio - half), ratio + half]).tolist()
    yuan = [(part / FEN_PER_YUAN).tolist() for part in (observed, expected)]
    return [
        LossGroup(str(name), int(rows[i]), yuan[0][i], yuan[1][i], Interval(*limits[i]))
        for i, name in enumerate(names)
    ]


def loss_tenths(expected: Floats) -> "pd.Categorical[Any]":
    """Return each row's tenth by rising expected loss, `[m]` strings; equal ones share a tenth."""
    cuts = np.unique(np.quantile(expected, np.arange(1, TENTHS) / TENTHS))
    names = [f"{place:02d}" for place in range(1, TENTHS + 1)]
    return named(np.searchsorted(cuts, expected, side="left"), names)


def _clustered(group: NDArray[np.int64], account: NDArray[np.int64], moved: Floats) -> Floats:
    """Return by group the root of the sum of squares of what each account moves it by."""
    accounts = int(account.max(initial=-1)) + 1
    place, pair = pd.factorize(group * accounts + account)
    squares = np.square(np.bincount(place, moved))
    return np.asarray(np.sqrt(np.bincount(pair // accounts, squares)))
