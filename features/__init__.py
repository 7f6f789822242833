"""Point-in-time features of accounts' histories, from a numpy engine."""

from relimit.features import delinquency, prepayment, utilisation
from relimit.features.history import History, Select, Window
from relimit.features.matrix import compute_features, feature_matrix, iter_features
from relimit.features.registry import (
    Feature,
    catalogue,
    catalogue_hash,
    feature,
    feature_names,
    model_feature_names,
)
from relimit.features.series import Series

__all__ = [
    "Feature",
    "History",
    "Select",
    "Series",
    "Window",
    "catalogue",
    "catalogue_hash",
    "compute_features",
    "delinquency",
    "feature",
    "feature_matrix",
    "feature_names",
    "iter_features",
    "model_feature_names",
    "prepayment",
    "utilisation",
]
