"""Whether groups are treated alike: the audit columns are read here and are never features."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from scipy.stats import norm

from relimit.training.discrimination import Bools, Floats, Interval

AUDIT_COLUMNS: Final = ("sex", "age_band", "region")
FOUR_FIFTHS: Final = 0.8
"""An adverse impact ratio below it calls for an explanation (US EEOC 1978, 29 CFR 1607.4 D)."""
SMALL_GROUP: Final = 30
"""Rows below which a group is shown and no group is measured against it."""
UNKNOWN: Final = "not stated"


@dataclass(frozen=True, slots=True)
class GroupTreatment:
    """How a group fares against the group that fares best.

    Attributes
    ----------
    attribute, group, rows
        For instance `sex`, `female`, and how many rows.
    favourable
        Share of rows with the favourable outcome.
    impact
        Adverse impact ratio: its share over the reference's, with Katz's 95% limits.
    risk_difference
        Standardised difference of mean risk, in pooled standard deviations (Cohen's d).
    days
        Mean days until the limit returns, where it does; NaN if unknown.
    days_gap
        Those days less the reference's.
    days_difference
        The same in pooled standard deviations.
    """

    attribute: str
    group: str
    rows: int
    favourable: float
    impact: Interval
    risk_difference: float
    days: float
    days_gap: float
    days_difference: float


def audit_groups(accounts: pa.Table, account_id: NDArray[Any]) -> dict[str, NDArray[Any]]:
    """Return by audit column each row's group, `[n]` strings; an unknown one is `not stated`.

    Parameters
    ----------
    accounts
        The `accounts` table; columns that it lacks, or never fills, are left out.
    account_id
        `[n]` of the rows.
    """
    place = pd.Index(accounts["account_id"].to_numpy()).get_indexer(pd.Index(account_id))
    found = {}
    for name in AUDIT_COLUMNS:
        # A column that the file lacks is read as one of nulls.
        if name in accounts.column_names and accounts[name].null_count < accounts.num_rows:
            values = accounts[name].to_pandas().to_numpy(dtype=object, na_value=None)
            stated = np.array([UNKNOWN if v is None else str(v) for v in values] + [UNKNOWN])
            found[name] = stated[place]  # −1, an account that the table lacks, is the last
    return found


def treatment(
    attribute: str, group: NDArray[Any], favourable: Bools, risk: Floats, days: Floats
) -> list[GroupTreatment]:
    """Return how each group fares; the reference is the one with the most favourable outcomes.

    Parameters
    ----------
    attribute
        The column's name.
    group
        `[n]` strings.
    favourable, risk
        `[n]` outcomes and risks.
    days
        `[n]` until the limit returns, NaN where it doesn't or isn't known.
    """
    names, place, counts = np.unique(group, return_inverse=True, return_counts=True)
    rates = np.bincount(place, weights=favourable) / counts
    eligible = np.where((counts >= SMALL_GROUP) & (names != UNKNOWN), rates, -1.0)
    best = int(np.argmax(eligible if eligible.max() >= 0.0 else rates))
    reference = place == best
    returned = ~np.isnan(days)
    found = []
    for i, name in enumerate(names):
        rows = place == i
        waits = _mean(days[rows])
        found.append(
            GroupTreatment(
                attribute=attribute,
                group=str(name),
                rows=int(counts[i]),
                favourable=float(rates[i]),
                impact=impact_ratio(favourable[rows], favourable[reference]),
                risk_difference=standardised_difference(risk[rows], risk[reference]),
                days=waits,
                days_gap=waits - _mean(days[reference]),
                days_difference=standardised_difference(
                    days[rows & returned], days[reference & returned]
                ),
            )
        )
    return found


def impact_ratio(group: Bools, reference: Bools, level: float = 0.95) -> Interval:
    """Return the ratio of two favourable rates with Katz's log limits (Katz et al. 1978).

    NaN if the reference has none; the limits are NaN if the group has none.
    """
    a, b = float(group.mean()), float(reference.mean())
    if b == 0.0:
        return Interval(float("nan"), float("nan"), float("nan"))
    if a == 0.0:
        return Interval(0.0, float("nan"), float("nan"))
    spread = (1.0 - a) / (a * group.size) + (1.0 - b) / (b * reference.size)
    factor = float(np.exp(norm.ppf(0.5 + level / 2.0) * np.sqrt(spread)))
    return Interval(a / b, a / b / factor, a / b * factor)


def standardised_difference(group: Floats, reference: Floats) -> float:
    """Return the difference of means in pooled standard deviations; NaN if they are 0."""
    if min(group.size, reference.size) < 2:
        return float("nan")
    sizes = group.size - 1, reference.size - 1
    pooled = (sizes[0] * group.var(ddof=1) + sizes[1] * reference.var(ddof=1)) / sum(sizes)
    return float((group.mean() - reference.mean()) / np.sqrt(pooled)) if pooled > 0 else np.nan


def _mean(values: Floats) -> float:
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")
