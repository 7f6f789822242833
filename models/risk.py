"""A risk model ready to score: head, calibration, loss head, and what it was trained on."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from relimit.data.errors import ModelError
from relimit.data.vocabulary import ARMS, BAD_DAYS_PAST_DUE, BAD_HORIZON_DAYS, FULL_ARM
from relimit.models.arms import ARM_COLUMNS, Arm, arms_tried, at_arm, bound_by_tried
from relimit.models.base import Frame, Head, RiskEstimator, design_matrix
from relimit.models.boosting import BoostedHead
from relimit.models.calibration import Calibration, NoCalibration
from relimit.models.loss import expected_loss, freed_amounts
from relimit.models.points import ScorecardHead
from relimit.models.prediction import TreeScores
from relimit.models.reference import Reference
from relimit.models.severity import LossHead, TreeSeverity

Float = NDArray[np.float64]
REFERENCE_ROWS: Final = 20_000
"""Rows that the reference is taken from: a tenth is then known to 0.002."""
DOUBLINGS: Final = 5
"""Of the odds, either way from a card's base points, that its scale is shown for."""
MOST_NAMED: Final = 4
"""Arms that a caution names."""


@dataclass(frozen=True)
class RiskModel:
    """Everything a decision needs of a trained version.

    Every method takes `X` float64 [n, F] with the columns `feature_names` in their order, NaN
    for missing, or a DataFrame in any order. Rows are independent: one row scores to the last
    bit as it does in a batch. `version` is the start of the artifact's digest, empty until saved.
    `tried` are the arms that some row fitted on took; (1, 0) alone where rows have no arms, which
    are taken as restored in full at once.
    """

    feature_names: tuple[str, ...]
    family: str
    head: Head
    calibration: Calibration
    loss: LossHead
    has_arms: bool
    reference: Reference
    tried: tuple[Arm, ...] = (FULL_ARM,)
    manifest: dict[str, Any] = field(default_factory=dict)
    version: str = ""

    @classmethod
    def assemble(
        cls,
        estimator: RiskEstimator,
        *,
        calibration: Calibration,
        loss: LossHead,
        reference_rows: Frame,
        arms_taken: Float | None = None,
    ) -> Self:
        """Join a fitted estimator with its calibration and loss head.

        A calibration that is a line through the log-odds becomes part of a scorecard's points.

        `reference_rows` are the training rows; their deciles become the yardstick for drift.
        `arms_taken` [n, 2] are their shares and delays; None: all were restored in full, at once.

        Raises
        ------
        sklearn.exceptions.NotFittedError
            If the estimator has not been fitted.
        ModelError
            If a feature is absent from `reference_rows`, or the loss head reads other columns.
        """
        check_is_fitted(estimator, "head_")
        head = estimator.head_
        if isinstance(head, ScorecardHead) and calibration.line is not None:
            # The card that is read then gives the odds that are used.
            head, calibration = head.along(*calibration.line), NoCalibration()
        names = tuple(name for name in head.columns if name not in ARM_COLUMNS)
        has_arms = len(names) < len(head.columns)
        if loss.columns not in (None, names):
            raise ModelError(
                f"the loss head reads {len(loss.columns or ())} columns that are not the "
                f"{len(names)} of the estimator, or in another order",
                mend="Fit it on the same columns, without the arms.",
            )
        rows = design_matrix(_sampled(reference_rows), names)
        log_odds = head.log_odds(at_arm(rows, FULL_ARM) if has_arms else rows)
        reference = Reference.of(rows, names, calibration.apply(log_odds))
        tried = (FULL_ARM,) if arms_taken is None else arms_tried(arms_taken)
        return cls(names, head.family, head, calibration, loss, has_arms, reference, tried)

    @property
    def horizon_days(self) -> int:
        """In how many days its risk says that an account goes bad; the usual if not recorded."""
        return int(self.manifest.get("settings", {}).get("horizon_days", BAD_HORIZON_DAYS))

    @property
    def days_past_due(self) -> int:
        """From how many days past due its risk calls an account bad; the usual if not recorded."""
        return int(self.manifest.get("settings", {}).get("days_past_due", BAD_DAYS_PAST_DUE))

    def expect(self, rows: int) -> None:
        """Tell how many rows are to come in wide blocks: see `TreeScores.expect`."""
        for scores in self._tree_scores():
            scores.expect(rows)

    def scored_by(self) -> str:
        """Return what scores wide blocks by now, and why: see `TreeScores.scored_by`."""
        told = {scores.scored_by for scores in self._tree_scores()}
        return "; ".join(sorted(told)) or "the scorecard"

    @cached_property
    def reads(self) -> frozenset[str]:
        """The features that anything depends on that is returned here: trees leave some out."""
        if not isinstance(self.head, BoostedHead):
            return frozenset(self.feature_names)
        return (self.head.scores.reads | self.loss.reads).difference(ARM_COLUMNS)

    def _tree_scores(self) -> list[TreeScores]:
        holders = (self.head, self.loss)
        return [one.scores for one in holders if isinstance(one, BoostedHead | TreeSeverity)]

    def log_odds(self, X: Frame, arm: tuple[float, float] = FULL_ARM) -> Float:
        """Return the log-odds of bad under one arm, before calibration, float64 [n]."""
        return self.head.log_odds(self._inputs(X, arm))

    def restoration_risk(self, X: Frame) -> Float:
        """Return P(bad) if the whole freed limit is restored at once, calibrated, float64 [n]."""
        return self.calibration.apply(self.log_odds(X))

    def points_scale(self) -> pd.DataFrame | None:
        """Return what a scorecard's points mean for the risk that is used; None for trees.

        A row for every points to double the odds, around the base points: `points`, the
        `stated_odds` of the scale (goods to one bad), the `risk` and its `odds`. Both odds agree
        unless the calibration is no line, beta or isotonic: then the last two hold.
        """
        if not isinstance(self.head, ScorecardHead):
            return None
        scale = self.head.scale
        doublings = np.arange(-DOUBLINGS, DOUBLINGS + 1, dtype=np.float64)
        points = scale.base_points + doublings * scale.points_to_double_odds
        log_odds: Float = (scale.offset - points) / scale.factor
        risk = self.calibration.apply(log_odds)
        stated = scale.base_odds * np.exp2(doublings)
        columns = {"points": points, "stated_odds": stated, "risk": risk, "odds": (1 - risk) / risk}
        return pd.DataFrame(columns)

    def risk_by_arm(self, X: Frame) -> Float:
        """Return P(bad) under every arm, [n, 25] in the order of `ARMS`.

        A model fitted without arm columns gives every arm the same risk.
        """
        matrix = design_matrix(X, self.feature_names)
        if not self.has_arms:
            return np.repeat(self.restoration_risk(matrix)[:, None], len(ARMS), axis=1)
        risks = [self.calibration.apply(self.log_odds(matrix, arm)) for arm in ARMS]
        return np.column_stack(risks)

    def risk_bounds_by_arm(self, X: Frame) -> tuple[Float, Float]:
        """Return the least and the largest P(bad) that what was tried leaves to each arm, [n, 25].

        Both are `risk_by_arm` where the arm was tried; elsewhere the risks of the nearest tried
        arms bound it, 0 and 1 where there are none. See `bound_by_tried`.
        """
        return bound_by_tried(self.risk_by_arm(X), self.tried)

    @property
    def tried_in_full(self) -> bool:
        """Whether some row fitted on was restored in full at once.

        If none was, `restoration_risk` is extrapolated: read it with `restoration_bounds`.
        """
        return FULL_ARM in self.tried

    @property
    def caution(self) -> str | None:
        """What to say with every restoration risk that is extrapolated; None if it isn't."""
        if self.tried_in_full:
            return None
        named = [f"{share:.0%} after {delay:.0f} days" for share, delay in self.tried]
        more = [f"{len(named) - MOST_NAMED} more"] if len(named) > MOST_NAMED else []
        tried = ", ".join([*named[:MOST_NAMED], *more]) or "none of the 25 arms"
        return (
            f"No row fitted on was restored in full at once (tried: {tried}): the restoration risk "
            "is extrapolated, no lower than at the arms tried, and nothing bounds it from above."
        )

    def restoration_bounds(self, X: Frame) -> tuple[Float, Float]:
        """Return the least and the largest restoration risk that what was tried leaves, [n] each.

        As `risk_bounds_by_arm` at arm (1, 0), which no other is bolder than: untried, nothing
        bounds it from above.
        """
        matrix = design_matrix(X, self.feature_names)
        if self.tried_in_full:
            risk = self.restoration_risk(matrix)
            return risk, risk
        risks = [self.calibration.apply(self.log_odds(matrix, arm)) for arm in self.tried]
        return np.max([np.zeros(len(matrix)), *risks], axis=0), np.ones(len(matrix))

    def expected_loss(self, X: Frame, freed: ArrayLike) -> Float:
        """Return the loss in fen that restoring all of `freed` (fen, [n]) at once can add.

        Raises
        ------
        ModelError
            If a freed amount is negative or missing.
        """
        matrix = design_matrix(X, self.feature_names)
        amount = freed_amounts(freed, len(matrix))
        severity = self.loss.severity(matrix, amount)
        return expected_loss(self.restoration_risk(matrix), severity, amount)

    def contributions(self, X: Frame) -> Float:
        """Return what each feature adds to the log-odds of bad at arm (1, 0), [n, F].

        Against the average training row, before calibration; above 0 raises the risk. With the
        arm's part and the base they add up to `log_odds`.
        """
        return self.head.contributions(self._inputs(X, FULL_ARM))[:, : len(self.feature_names)]

    def _inputs(self, X: Frame, arm: tuple[float, float]) -> Float:
        matrix = design_matrix(X, self.feature_names)
        return at_arm(matrix, arm) if self.has_arms else matrix


def _sampled(rows: Frame) -> Frame:
    """Return at most `REFERENCE_ROWS` of the rows, always the same ones, in their order."""
    if len(rows) <= REFERENCE_ROWS:
        return rows
    drawn = np.sort(np.random.default_rng(0).choice(len(rows), REFERENCE_ROWS, replace=False))
    return rows.iloc[drawn] if isinstance(rows, pd.DataFrame) else rows[drawn]
