"""The fitted scorecard: bins, their log-odds, and the points a banker adds up."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.data.errors import ModelError
from relimit.models.binning import Bins
from relimit.models.crosses import CELL_COLUMNS, Cross, cross_from_json, cross_to_json
from relimit.models.serial import decode, encode

SCORECARD_FILE: Final = "scorecard.json"


@dataclass(frozen=True, slots=True)
class Scale:
    """How log-odds become points: `base_points` at `base_odds` goods to one bad."""

    base_points: float
    base_odds: float
    points_to_double_odds: float

    @property
    def factor(self) -> float:
        """Points per unit of log-odds."""
        return self.points_to_double_odds / float(np.log(2.0))

    @property
    def offset(self) -> float:
        """Points at even odds."""
        return self.base_points - self.factor * float(np.log(self.base_odds))


@dataclass(frozen=True, slots=True)
class BinnedFeature:
    """One feature of the card.

    `evidence` is the bins' weight of evidence, `coefficient` what multiplies it beside the other
    features' evidence, and `log_odds` what each bin adds to the log-odds of bad, fitted together
    with all bins; the last bin is of missing values.
    """

    name: str
    bins: Bins
    evidence: NDArray[np.float64]
    coefficient: float
    log_odds: NDArray[np.float64]

    @property
    def mean(self) -> float:
        """The average of `log_odds` over the training rows."""
        return float(self.log_odds @ self.bins.rows / self.bins.rows.sum())


@dataclass(frozen=True, slots=True)
class ScorecardHead:
    """A scorecard that scores: the intercept plus one number a feature and one a cross.

    The sum goes feature by feature, then cross by cross, so a row scores to the last bit as it
    does in a batch. Crosses are of features on the card.
    """

    family: ClassVar[str] = "scorecard"
    columns: tuple[str, ...]
    intercept: float
    features: tuple[BinnedFeature, ...]
    scale: Scale
    crosses: tuple[Cross, ...] = ()

    def along(self, slope: float, intercept: float) -> Self:
        """Return the card whose log-odds are `slope` times these plus `intercept`."""
        features = tuple(
            replace(
                feature,
                coefficient=slope * feature.coefficient,
                log_odds=slope * feature.log_odds,
            )
            for feature in self.features
        )
        crosses = tuple(replace(one, log_odds=slope * one.log_odds) for one in self.crosses)
        line = slope * self.intercept + intercept
        return replace(self, intercept=line, features=features, crosses=crosses)

    @property
    def size(self) -> int:
        """How many features are on the card."""
        return len(self.features)

    def log_odds(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds of bad, float64 [n]; in a `RiskModel` after calibration if that is a line."""
        total = np.full(len(X), self.intercept)
        bins = self._bins(X)
        for feature in self.features:
            total += feature.log_odds[bins[feature.name]]
        for cross in self.crosses:
            total += cross.part(bins)
        return total

    def contributions(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds by column against the average training row, [n, columns + 1], base last.

        A cross's part goes to its two features, half to each: their Shapley values, as it is what
        neither says alone.
        """
        out = np.zeros((len(X), len(self.columns) + 1))
        out[:, -1] = self.intercept
        bins = self._bins(X)
        for feature in self.features:
            part = feature.log_odds[bins[feature.name]]
            out[:, self.columns.index(feature.name)] = part - feature.mean
            out[:, -1] += feature.mean
        for cross in self.crosses:
            half = (cross.part(bins) - cross.mean) / 2.0
            for name in cross.features:
                out[:, self.columns.index(name)] += half
            out[:, -1] += cross.mean
        return out

    def credit_score(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points, not rounded; higher is safer."""
        return self.scale.offset - self.scale.factor * self.log_odds(X)

    def points_table(self) -> pd.DataFrame:
        """Return the card as a banker reads it, one row a bin.

        `lower` and `upper` (NaN for missing values, equal for a special code), `rows` and `bads`
        counted by weight, `row_share`, `bad_rate`, `weight_of_evidence` (above 0 is riskier),
        `information_value`, the feature's `coefficient`, the bin's `log_odds` and whole `points`: a
        borrower's score is the sum of one bin's points a feature and one cell's points a cross (see
        `crosses_table`), and differs from `credit_score` by rounding only.
        """
        return pd.DataFrame([row for feature in self.features for row in self._rows(feature)])

    def crosses_table(self) -> pd.DataFrame:
        """Return the card's crosses, one row a cell; none if the card is additive.

        `first` and `second` feature with the cell's `first_bin` and `second_bin`, each of which is
        one or more neighbouring bins of `points_table`; `rows` and `bads` counted by weight,
        `row_share`, `bad_rate` (NaN without rows), `log_odds` and whole `points` to add, below 0
        where the two together are riskier than their own points say.
        """
        labels = {feature.name: _bin_limits(feature.bins) for feature in self.features}
        cells = [
            cell
            for cross in self.crosses
            for cell in cross.cells(
                [
                    [_interval(*limits) for limits in _joined(labels[name], levels)]
                    for name, levels in zip(cross.features, cross.levels, strict=True)
                ],
                self.scale.factor,
            )
        ]
        return pd.DataFrame(cells, columns=list(CELL_COLUMNS))

    def files(self) -> dict[str, bytes]:
        """Return the file that `from_files` reads."""
        card = {
            "intercept": self.intercept,
            "scale": {name: getattr(self.scale, name) for name in Scale.__slots__},
            "features": [_feature_to_json(feature) for feature in self.features],
            "crosses": [cross_to_json(cross) for cross in self.crosses],
        }
        return {SCORECARD_FILE: encode(card)}

    @classmethod
    def from_files(
        cls,
        files: Mapping[str, bytes],
        columns: tuple[str, ...],
        _num_threads: int = 1,
        _predictor: str = "auto",
    ) -> Self:
        """Read the card back, to the last bit.

        Raises
        ------
        ModelError
            If the file doesn't hold a scorecard over these columns.
        """
        card = decode(files[SCORECARD_FILE], SCORECARD_FILE)
        try:
            features = tuple(_feature_from_json(item) for item in card["features"])
            sizes = {feature.name: len(feature.log_odds) for feature in features}
            # Cards were written without crosses before there were any.
            crosses = tuple(cross_from_json(item, sizes) for item in card.get("crosses", ()))
            scale = Scale(**card["scale"])
            head = cls(columns, float(card["intercept"]), features, scale, crosses)
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(
                f"not a scorecard ({error!r})", where=SCORECARD_FILE, mend="Save the model again."
            ) from error
        strangers = [feature.name for feature in features if feature.name not in columns]
        if strangers:
            raise ModelError(
                f"points for unknown columns {strangers}",
                where=SCORECARD_FILE,
                mend="Save the model again.",
            )
        return head

    def _bins(self, X: NDArray[np.float64]) -> dict[str, NDArray[np.intp]]:
        return {
            feature.name: feature.bins.index(X[:, self.columns.index(feature.name)])
            for feature in self.features
        }

    def _rows(self, feature: BinnedFeature) -> list[dict[str, Any]]:
        bins = feature.bins
        limits = _bin_limits(bins)
        base = (self.scale.offset - self.scale.factor * self.intercept) / len(self.features)
        points = base - self.scale.factor * feature.log_odds
        information = bins.information(feature.evidence)
        rate = np.divide(
            bins.bads, bins.rows, out=np.full(len(bins.rows), np.nan), where=bins.rows > 0
        )
        return [
            {
                "feature": feature.name,
                "bin": _interval(*limits[i]),
                "lower": limits[i][0],
                "upper": limits[i][1],
                "rows": bins.rows[i],
                "bads": bins.bads[i],
                "row_share": bins.rows[i] / bins.rows.sum(),
                "bad_rate": rate[i],
                "weight_of_evidence": feature.evidence[i],
                "information_value": information[i],
                "coefficient": feature.coefficient,
                "log_odds": feature.log_odds[i],
                "points": round(float(points[i])),
            }
            for i in range(len(points))
        ]


def _bin_limits(bins: Bins) -> list[tuple[float, float]]:
    """Return where each bin begins and ends: equal for a code, NaN for missing values."""
    lower = [-np.inf, *bins.edges.tolist(), *bins.codes, np.nan]
    upper = [*bins.edges.tolist(), np.inf, *bins.codes, np.nan]
    return list(zip(lower, upper, strict=True))


def _joined(
    limits: list[tuple[float, float]], levels: NDArray[np.intp]
) -> list[tuple[float, float]]:
    """Return where each level begins and ends, that joins neighbouring bins."""
    firsts = np.flatnonzero(np.diff(levels, prepend=-1))
    lasts = np.append(firsts[1:], len(levels)) - 1
    return [(limits[a][0], limits[b][1]) for a, b in zip(firsts, lasts, strict=True)]


def _interval(lower: float, upper: float) -> str:
    if np.isnan(lower):
        return "missing"
    if lower == upper:
        return f"code {_edge(lower)}"
    if np.isinf(lower):
        return "any" if np.isinf(upper) else f"up to {_edge(upper)}"
    return f"over {_edge(lower)}" + ("" if np.isinf(upper) else f" to {_edge(upper)}")


def _edge(value: float) -> str:
    return f"{value:,.0f}" if value == round(value) else f"{value:,.6g}"


def _feature_to_json(feature: BinnedFeature) -> dict[str, Any]:
    return {
        "name": feature.name,
        "coefficient": feature.coefficient,
        "edges": feature.bins.edges,
        "codes": feature.bins.codes,
        "rows": feature.bins.rows,
        "bads": feature.bins.bads,
        "weight_of_evidence": feature.evidence,
        "log_odds": feature.log_odds,
    }


def _feature_from_json(item: Mapping[str, Any]) -> BinnedFeature:
    edges, codes, rows, bads, evidence, log_odds = (
        np.array([float(value) for value in item[key]], dtype=np.float64)
        for key in ("edges", "codes", "rows", "bads", "weight_of_evidence", "log_odds")
    )
    sizes = {len(rows), len(bads), len(evidence), len(log_odds)}
    if sizes != {len(edges) + len(codes) + 2}:
        raise ValueError(f"{item['name']}: bins of unequal length")
    if (np.diff(edges) <= 0).any():
        raise ValueError(f"{item['name']}: edges do not rise")
    bins = Bins(edges, rows, bads, tuple(codes.tolist()))
    return BinnedFeature(str(item["name"]), bins, evidence, float(item["coefficient"]), log_odds)
