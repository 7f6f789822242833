"""The scorecard family: a logistic regression on binned features, written as points.

Siddiqi, "Credit Risk Scorecards" (2006), with the weight of evidence signed towards risk. The
points of all bins are then fitted together, see `bin_points`, with those of a few two-way tables
where they say more on held-out rows, see `cross_points`.
"""

from collections.abc import Mapping, Sequence
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.utils.validation import check_is_fitted

from relimit.data.errors import ModelError
from relimit.models.arms import ARM_COLUMNS
from relimit.models.base import Frame, RiskEstimator
from relimit.models.bin_points import Characteristic
from relimit.models.binning import Bins, chance_information, fit_bins, require_optbinning
from relimit.models.cross_points import fit_card
from relimit.models.points import BinnedFeature, Scale, ScorecardHead


class Scorecard(RiskEstimator):
    """Binned logistic regression of bad, with points.

    Parameters
    ----------
    monotone
        Expected direction of risk by feature: 1 rises, -1 falls, 0 or absent free. Arm columns
        have theirs already. Names that are no column are ignored.
    special_codes
        By column, values that mean something else than a quantity: each has its own bin, as
        missing values have. A name that is no column is an error.
    max_bins, min_bin_share, smoothing
        At most so many intervals a feature, each with about this share of the rows or more; rows
        at the overall bad rate added to every bin.
    min_information_value, max_correlation, max_features
        A feature enters by falling information value if it has at least this much and more than
        chance explains, correlates less than this with those already in, and there is room. Arm
        columns always enter.
    C
        Inverse strength of the ridge penalty on the coefficients of the weight of evidence.
    step_penalty
        How strongly each bin is held to coefficient times weight of evidence when all bins are
        fitted together, see `fit_bin_points`; a large one leaves the classical card.
    max_crosses, cross_penalty
        At most so many two-way tables of what two features say together, each taken only if
        held-out rows confirm it, see `choose_pairs`; and how strongly their points are held to 0.
    base_points, base_odds, points_to_double_odds
        The scale: `base_points` at `base_odds` goods to one bad.

    Attributes
    ----------
    head_ : ScorecardHead
        The fitted card.
    information_value_ : dict[str, float]
        By column, before selection.
    dropped_ : dict[str, str]
        Columns that are not on the card, and why.
    """

    def __init__(
        self,
        monotone: Mapping[str, int] | None = None,
        *,
        special_codes: Mapping[str, Sequence[float]] | None = None,
        max_bins: int = 8,
        min_bin_share: float = 0.02,
        smoothing: float = 10.0,
        min_information_value: float = 0.02,
        max_correlation: float = 0.95,
        max_features: int = 30,
        C: float = 1.0,
        step_penalty: float = 10.0,
        max_crosses: int = 8,
        cross_penalty: float = 50.0,
        base_points: float = 600.0,
        base_odds: float = 50.0,
        points_to_double_odds: float = 20.0,
    ) -> None:
        self.monotone = monotone
        self.special_codes = special_codes
        self.max_bins = max_bins
        self.min_bin_share = min_bin_share
        self.smoothing = smoothing
        self.min_information_value = min_information_value
        self.max_correlation = max_correlation
        self.max_features = max_features
        self.C = C
        self.step_penalty = step_penalty
        self.max_crosses = max_crosses
        self.cross_penalty = cross_penalty
        self.base_points = base_points
        self.base_odds = base_odds
        self.points_to_double_odds = points_to_double_odds

    def fit(
        self,
        X: Frame,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        groups: ArrayLike | None = None,
    ) -> Self:
        """Bin, select and fit.

        Parameters
        ----------
        X
            [n, F]; NaN is missing and has its own bin. Arm columns are optional.
        y
            1 or true for bad; none null.
        sample_weight
            [n], at least 0, on average about 1: binning counts rows by weight.
        groups
            [n], the account of each row: rows of one account don't confirm a cross to each other.

        Raises
        ------
        ModelError
            If the input is unusable, no column tells bad from good, or optbinning, which finds the
            bins, isn't installed.
        """
        require_optbinning()
        self._check_settings()
        matrix, bad, weight, columns = self._start_fit(X, y, sample_weight)
        directions = self._directions(columns)
        self._check_codes(columns)
        bins = {
            name: self._bin(name, matrix[:, i], bad, weight, directions[i])
            for i, name in enumerate(columns)
        }
        evidence = {name: item.weight_of_evidence(self.smoothing) for name, item in bins.items()}
        self.information_value_ = {
            name: float(item.information(evidence[name]).sum()) for name, item in bins.items()
        }
        self.dropped_: dict[str, str] = {}
        design = np.empty(matrix.shape)
        for i, name in enumerate(columns):
            design[:, i] = evidence[name][bins[name].index(matrix[:, i])]
        chance = {
            name: chance_information(bins[name], directions[i], _distinct(matrix[:, i]))
            for i, name in enumerate(columns)
        }
        chosen = self._select(columns, design, weight, chance)
        chosen, coefficients, intercept = self._regress(columns, chosen, design, bad, weight)
        shapes = {
            columns[i]: Characteristic(
                bins[columns[i]].index(matrix[:, i]),
                len(bins[columns[i]].edges) + 1,
                coefficient * evidence[columns[i]],
                directions[i],
            )
            for i, coefficient in zip(chosen, coefficients, strict=True)
        }
        points, crosses, intercept = fit_card(
            shapes,
            intercept,
            bad,
            weight,
            penalty=self.step_penalty,
            cross_penalty=self.cross_penalty,
            max_crosses=self.max_crosses,
            groups=groups,
        )
        card = tuple(
            BinnedFeature(name, bins[name], evidence[name], coefficient, log_odds)
            for name, coefficient, log_odds in zip(
                shapes, coefficients.tolist(), points, strict=True
            )
        )
        scale = Scale(self.base_points, self.base_odds, self.points_to_double_odds)
        self.head_: ScorecardHead = ScorecardHead(columns, intercept, card, scale, crosses)
        return self

    def points_table(self) -> pd.DataFrame:
        """Return the card: one row a bin, as `ScorecardHead.points_table` says."""
        check_is_fitted(self, "head_")
        return self.head_.points_table()

    def crosses_table(self) -> pd.DataFrame:
        """Return its crosses: one row a cell, as `ScorecardHead.crosses_table` says."""
        check_is_fitted(self, "head_")
        return self.head_.crosses_table()

    def credit_score(self, X: Frame) -> NDArray[np.float64]:
        """Return the points of every row, float64 [n], higher is safer, not rounded."""
        scale = Scale(self.base_points, self.base_odds, self.points_to_double_odds)
        return scale.offset - scale.factor * self.log_odds(X)

    def _check_settings(self) -> None:
        fits = {
            "max_bins": self.max_bins >= 2,
            "min_bin_share": 0 < self.min_bin_share <= 0.5,
            # With none, a bin without bads or goods would have no finite evidence.
            "smoothing": self.smoothing > 0,
            "max_features": self.max_features >= 1,
            "C": self.C > 0,
            "step_penalty": self.step_penalty > 0,
            "max_crosses": self.max_crosses >= 0,
            "cross_penalty": self.cross_penalty > 0,
            "base_odds": self.base_odds > 0,
            "points_to_double_odds": self.points_to_double_odds > 0,
        }
        for name, good in fits.items():
            if not good:
                raise ModelError(f"{name} is {getattr(self, name)}", where="Scorecard")

    def _check_codes(self, columns: Sequence[str]) -> None:
        strangers = sorted((self.special_codes or {}).keys() - set(columns))
        if strangers:
            raise ModelError(
                f"special codes for columns that are absent: {', '.join(strangers)}",
                mend="Name features of the catalogue: relimit features --list.",
            )

    def _bin(
        self,
        name: str,
        x: NDArray[np.float64],
        bad: NDArray[np.bool_],
        weight: NDArray[np.float64],
        direction: int,
    ) -> Bins:
        return fit_bins(
            x,
            bad,
            weight,
            direction=direction,
            codes=(self.special_codes or {}).get(name, ()),
            max_bins=self.max_bins,
            min_share=self.min_bin_share,
            smoothing=self.smoothing,
        )

    def _select(
        self,
        columns: tuple[str, ...],
        design: NDArray[np.float64],
        weight: NDArray[np.float64],
        chance: Mapping[str, float],
    ) -> list[int]:
        correlation = _correlations(design, weight)
        varies = np.ptp(design, axis=0) > 0
        value = self.information_value_
        chosen = [i for i, name in enumerate(columns) if name in ARM_COLUMNS and varies[i]]
        arms = len(chosen)
        for i in sorted(range(len(columns)), key=lambda i: -value[columns[i]]):
            if columns[i] in ARM_COLUMNS:
                continue
            twins = [columns[j] for j in chosen if correlation[i, j] >= self.max_correlation]
            least = max(self.min_information_value, chance[columns[i]])
            if not varies[i] or value[columns[i]] < least:
                self.dropped_[columns[i]] = f"information value {value[columns[i]]:.4f}"
            elif twins:
                self.dropped_[columns[i]] = f"moves with {twins[0]}"
            elif len(chosen) - arms >= self.max_features:
                self.dropped_[columns[i]] = "the card is full"
            else:
                chosen.append(i)
        return chosen

    def _regress(
        self,
        columns: tuple[str, ...],
        chosen: list[int],
        design: NDArray[np.float64],
        bad: NDArray[np.bool_],
        weight: NDArray[np.float64],
    ) -> tuple[list[int], NDArray[np.float64], float]:
        """Fit, and drop the feature of the most negative coefficient until none is negative.

        Evidence is signed towards risk, so a negative coefficient contradicts its own bins.
        """
        while chosen:
            fitted = LogisticRegression(C=self.C, solver="newton-cholesky", tol=1e-8)
            fitted.fit(design[:, chosen], bad, sample_weight=weight)
            coefficients = fitted.coef_[0]
            worst = int(coefficients.argmin())
            if coefficients[worst] >= 0:
                return chosen, coefficients, float(fitted.intercept_[0])
            self.dropped_[columns[chosen[worst]]] = f"coefficient {coefficients[worst]:.3f}"
            chosen = [i for i in chosen if i != chosen[worst]]
        raise ModelError(
            f"no column of {len(columns)} tells bad from good in {len(bad)} rows, {bad.sum()} bad",
            mend="Check that the events reach back before as_of; give more history or more bads",
        )


def _distinct(x: NDArray[np.float64]) -> int:
    """Return how many values a column has, the missing ones not counted."""
    return len(np.unique(x[~np.isnan(x)]))


def _correlations(design: NDArray[np.float64], weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Absolute weighted correlations between columns; 0 where a column is constant."""
    centred = design - np.average(design, axis=0, weights=weight)
    covariance = (centred * weight[:, None]).T @ centred
    spread = np.sqrt(np.diag(covariance))
    below = np.outer(spread, spread)
    out: NDArray[np.float64] = np.zeros_like(below)
    np.divide(np.abs(covariance), below, out=out, where=below > 0)
    return out
