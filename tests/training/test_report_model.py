"""The report's drivers where there are some, and where a model has learnt nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit

from relimit.features import catalogue
from relimit.models import Reference
from relimit.training.document import Notice, Picture
from relimit.training.report import _summary
from relimit.training.report_model import SAME_MONTHS, UNMOVED, drivers, stability
from relimit.training.splits import OUT_OF_ACCOUNT, OUT_OF_TIME
from relimit.training.stability import Shift

NAMES = tuple(feature.name for feature in catalogue()[:3])


class Linear:
    """A model whose log-odds are a weighted sum, and whose contributions are its parts."""

    has_arms, feature_names, head = False, NAMES, None

    def __init__(self, weights, X):
        self.weights = np.array(weights)
        self.reference = Reference.of(X, NAMES, expit(X @ self.weights))

    def contributions(self, X):
        return X * self.weights

    def log_odds(self, X):
        return X @ self.weights


@pytest.mark.parametrize(("weights", "drawn"), [([0.0, 0.0, 0.0], 0), ([0.0, 2.0, 1.0], 2)])
def test_pictures_are_drawn_of_what_moves_the_risk(weights, drawn):
    X = np.random.default_rng(0).normal(size=(200, 3))
    fitted = SimpleNamespace(model=Linear(weights, X))
    sections = drivers(SimpleNamespace(fitted=fitted, test_features=lambda most: X[:most]))
    blocks = [block for section in sections for block in section.blocks]
    assert sum(isinstance(block, Picture) for block in blocks) == drawn
    assert (Notice(UNMOVED) in blocks) == (drawn == 0)


@pytest.mark.parametrize(("kind", "told"), [(OUT_OF_TIME, False), (OUT_OF_ACCOUNT, True)])
def test_shifts_between_accounts_are_not_taken_for_shifts_over_time(kind, told):
    shifts = {"naive": [Shift("risk", 0.01, 0.02, 0.0, 0.0)]}
    assert (Notice(SAME_MONTHS) in stability(shifts, kind).blocks) == told
    figures = ("auc", "ks", "h_measure", "rows", "bads", "ece", "calibration_slope",
               "calibration_intercept")  # fmt: skip
    metrics = {f"{name}{end}": 0.5 for name in figures for end in ("", "_low", "_high")}
    judged = SimpleNamespace(
        cautions=(),
        fitted=SimpleNamespace(metrics=metrics),
        data=SimpleNamespace(split=SimpleNamespace(kind=kind)),
    )
    *_, last = _summary(judged, shifts).blocks
    assert "0.010 (stable)" in last
    assert (SAME_MONTHS in last) == told
