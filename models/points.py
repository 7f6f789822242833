"""The fitted scorecard: bins, their log-odds, and the points a banker adds up."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.data.errors import ModelError
from relimit.models.binning import Bins
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
    """A scorecard that scores: the log-odds are the intercept plus one number a feature.

    The sum goes feature by feature, so a row scores to the last bit as it does in a batch.
    """

    family: ClassVar[str] = "scorecard"
    columns: tuple[str, ...]
    intercept: float
    features: tuple[BinnedFeature, ...]
    scale: Scale

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
        return replace(self, intercept=slope * self.intercept + intercept, features=features)

    @property
    def size(self) -> int:
        """How many features are on the card."""
        return len(self.features)

    def log_odds(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds of bad, float64 [n]; in a `RiskModel` after calibration if that is a line."""
        total = np.full(len(X), self.intercept)
        for feature in self.features:
            total += self._part(feature, X)
        return total

    def contributions(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Log-odds by column against the average training row, [n, columns + 1], base last."""
        out = np.zeros((len(X), len(self.columns) + 1))
        out[:, -1] = self.intercept
        for feature in self.features:
            out[:, self.columns.index(feature.name)] = self._part(feature, X) - feature.mean
            out[:, -1] += feature.mean
        return out

    def credit_score(self, X: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points, not rounded; higher is safer."""
        return self.scale.offset - self.scale.factor * self.log_odds(X)

    def points_table(self) -> pd.DataFrame:
        """Return the card as a banker reads it, one row a bin.

        `lower` and `upper` (NaN for missing values, equal for a special code), `rows` and `bads`
        counted by weight, `row_share`, `bad_rate`, `weight_of_evidence` (above 0 is riskier),
        `information_value`, the feature's `coefficient`, the bin's `log_odds` and whole `points`: a
        borrower's score is the sum of one bin's points a feature, and differs from `credit_score`
        by rounding only.
        """
        return pd.DataFrame([row for feature in self.features for row in self._rows(feature)])

    def files(self) -> dict[str, bytes]:
        """Return the file that `from_files` reads."""
        card = {
            "intercept": self.intercept,
            "scale": {name: getattr(self.scale, name) for name in Scale.__slots__},
            "features": [_feature_to_json(feature) for feature in self.features],
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
            head = cls(columns, float(card["intercept"]), features, Scale(**card["scale"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ModelError(f"not a scorecard ({error!r})", where=SCORECARD_FILE) from error
        strangers = [feature.name for feature in features if feature.name not in columns]
        if strangers:
            raise ModelError(f"points for unknown columns {strangers}", where=SCORECARD_FILE)
        return head

    def _part(self, feature: BinnedFeature, X: NDArray[np.float64]) -> NDArray[np.float64]:
        column = X[:, self.columns.index(feature.name)]
        return feature.log_odds[feature.bins.index(column)]

    def _rows(self, feature: BinnedFeature) -> list[dict[str, Any]]:
        bins = feature.bins
        lower = [-np.inf, *bins.edges, *bins.codes, np.nan]
        upper = [*bins.edges, np.inf, *bins.codes, np.nan]
        base = (self.scale.offset - self.scale.factor * self.intercept) / len(self.features)
        points = base - self.scale.factor * feature.log_odds
        information = bins.information(feature.evidence)
        rate = np.divide(
            bins.bads, bins.rows, out=np.full(len(bins.rows), np.nan), where=bins.rows > 0
        )
        return [
            {
                "feature": feature.name,
                "bin": _interval(lower[i], upper[i]),
                "lower": lower[i],
                "upper": upper[i],
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
