"""Crosses of a fitted scorecard: two-way tables of what two features say together.

Lou, Caruana, Gehrke & Hooker 2013, "Accurate intelligible models with pairwise interactions".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float64]
Places = NDArray[np.intp]

CELL_COLUMNS: Final = (
    "first",
    "second",
    "first_bin",
    "second_bin",
    "rows",
    "bads",
    "row_share",
    "bad_rate",
    "log_odds",
    "points",
)
"""A row of the table of crosses, see `ScorecardHead.crosses_table`."""


@dataclass(frozen=True, slots=True)
class Cross:
    """A two-way table on a card.

    `features` are the two features' names, `levels` the row, or column, of the table that each of
    their bins on the card is in; `rows`, `bads` and `log_odds` float64 [levels, levels]: weighted
    counts of the training rows, and what a cell adds to the log-odds of bad, 0 on average.
    """

    features: tuple[str, str]
    levels: tuple[Places, Places]
    rows: Float
    bads: Float
    log_odds: Float

    @property
    def mean(self) -> float:
        """The average of `log_odds` over the training rows."""
        return float((self.log_odds * self.rows).sum() / self.rows.sum())

    def part(self, bins: Mapping[str, Places]) -> Float:
        """Return what it adds to each row's log-odds, [n], by the features' bins [n]."""
        first, second = (
            levels[bins[name]] for name, levels in zip(self.features, self.levels, strict=True)
        )
        return self.log_odds[first, second]

    def cells(self, labels: Sequence[Sequence[str]], factor: float) -> list[dict[str, Any]]:
        """Return its cells with their points, row by row, by `CELL_COLUMNS`.

        Parameters
        ----------
        labels
            Of the levels of either feature.
        factor
            Points by which a unit of log-odds lowers the score.
        """
        return [
            self._cell((first, second), i, j, factor)
            for i, first in enumerate(labels[0])
            for j, second in enumerate(labels[1])
        ]

    def _cell(self, bins: tuple[str, str], i: int, j: int, factor: float) -> dict[str, Any]:
        rows, bads, log_odds = (float(one[i, j]) for one in (self.rows, self.bads, self.log_odds))
        rate = bads / rows if rows > 0.0 else np.nan
        figures = rows, bads, rows / float(self.rows.sum()), rate, log_odds
        row = (*self.features, *bins, *figures, round(-factor * log_odds))
        return dict(zip(CELL_COLUMNS, row, strict=True))


def centred(cross: Cross) -> tuple[Cross, float]:
    """Return the cross less its mean over the training rows, and that mean.

    A level that no training row is in says nothing: 0.
    """
    rows, mean = cross.rows, cross.mean
    seen = np.outer(rows.sum(axis=1) > 0.0, rows.sum(axis=0) > 0.0)
    return replace(cross, log_odds=np.where(seen, cross.log_odds - mean, 0.0)), mean


def cross_to_json(cross: Cross) -> dict[str, Any]:
    """Return plain values that `cross_from_json` reads."""
    return {
        "features": cross.features,
        "levels": [levels.tolist() for levels in cross.levels],
        "rows": cross.rows.tolist(),
        "bads": cross.bads.tolist(),
        "log_odds": cross.log_odds.tolist(),
    }


def cross_from_json(item: Mapping[str, Any], bins: Mapping[str, int]) -> Cross:
    """Read a cross of features that have so many bins.

    Raises
    ------
    ValueError, KeyError, TypeError
        If it holds no two-way table of two of these features.
    """
    first, second = (str(name) for name in item["features"])
    levels = tuple(np.array(one, dtype=np.int64).astype(np.intp) for one in item["levels"])
    rows, bads, log_odds = (
        np.array(item[key], dtype=np.float64) for key in ("rows", "bads", "log_odds")
    )
    for name, one in zip((first, second), levels, strict=True):
        if len(one) != bins[name] or one[0] != 0 or not np.isin(np.diff(one), (0, 1)).all():
            raise ValueError(f"{first} x {second}: levels that are not those of {name}")
    shape = (int(levels[0][-1]) + 1, int(levels[1][-1]) + 1)
    if {rows.shape, bads.shape, log_odds.shape} != {shape}:
        raise ValueError(f"{first} x {second}: tables of unequal shape")
    return Cross((first, second), (levels[0], levels[1]), rows, bads, log_odds)
