"""Risk models: a scorecard and monotone trees, calibrated, with an expected-loss head."""

from relimit.models.arms import (
    ARM_COLUMNS,
    ARM_DIRECTIONS,
    arm_grid,
    arms_tried,
    at_arm,
    bound_by_tried,
)
from relimit.models.artifact import Artifact, load_model, save_model
from relimit.models.base import Frame, Head, RiskEstimator, design_matrix
from relimit.models.boosting import BoostedHead, BoostedTrees
from relimit.models.calibration import (
    Beta,
    Calibration,
    Isotonic,
    Level,
    NoCalibration,
    Platt,
)
from relimit.models.calibration_choice import (
    CalibrationChoice,
    choose_calibration,
    fit_beta,
    fit_isotonic,
    fit_level,
    fit_platt,
)
from relimit.models.catalogue import installed_features
from relimit.models.families import FAMILIES, Family, family_named
from relimit.models.loss import (
    assumed_loss,
    expected_loss,
    fit_loss,
)
from relimit.models.points import ScorecardHead
from relimit.models.prediction import PREDICTORS, Predictor
from relimit.models.reference import Distribution, Reference
from relimit.models.risk import RiskModel
from relimit.models.scorecard import Scorecard
from relimit.models.severity import ConstantSeverity, LossHead, LossSettings, TreeSeverity
from relimit.models.severity_curve import CurveSeverity

__all__ = [
    "ARM_COLUMNS",
    "ARM_DIRECTIONS",
    "FAMILIES",
    "PREDICTORS",
    "Artifact",
    "Beta",
    "BoostedHead",
    "BoostedTrees",
    "Calibration",
    "CalibrationChoice",
    "ConstantSeverity",
    "CurveSeverity",
    "Distribution",
    "Family",
    "Frame",
    "Head",
    "Isotonic",
    "Level",
    "LossHead",
    "LossSettings",
    "NoCalibration",
    "Platt",
    "Predictor",
    "Reference",
    "RiskEstimator",
    "RiskModel",
    "Scorecard",
    "ScorecardHead",
    "TreeSeverity",
    "arm_grid",
    "arms_tried",
    "assumed_loss",
    "at_arm",
    "bound_by_tried",
    "choose_calibration",
    "design_matrix",
    "expected_loss",
    "family_named",
    "fit_beta",
    "fit_isotonic",
    "fit_level",
    "fit_loss",
    "fit_platt",
    "installed_features",
    "load_model",
    "save_model",
]
