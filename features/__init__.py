"""Point-in-time features of accounts' histories, from a numpy engine."""

from relimit.features import (
    cycling,
    delinquency,
    external,
    funding,
    gaps,
    income,
    interest,
    operations,
    payment,
    prepayment,
    purpose,
    system,
    tenure,
    utilisation,
)
from relimit.features.history import History
from relimit.features.matrix import feature_matrix
from relimit.features.plugins import load_plugins, named_plugins
from relimit.features.registry import (
    Feature,
    catalogue,
    catalogue_hash,
    feature,
    feature_names,
    model_feature_names,
)
from relimit.features.select import Select, Window
from relimit.features.series import Series
from relimit.features.stream import FeatureStream, compute_features, iter_features

__all__ = [
    "Feature",
    "FeatureStream",
    "History",
    "Select",
    "Series",
    "Window",
    "catalogue",
    "catalogue_hash",
    "compute_features",
    "cycling",
    "delinquency",
    "external",
    "feature",
    "feature_matrix",
    "feature_names",
    "funding",
    "gaps",
    "income",
    "interest",
    "iter_features",
    "load_plugins",
    "model_feature_names",
    "named_plugins",
    "operations",
    "payment",
    "prepayment",
    "purpose",
    "system",
    "tenure",
    "utilisation",
]
