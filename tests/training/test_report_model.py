"""The report's drivers where there are some, and where a model has learnt nothing."""

from types import SimpleNamespace

import numpy as np
import pytest
from scipy.special import expit

from relimit.features import catalogue
from relimit.models import Reference
from relimit.training.document import Notice, Picture
from relimit.training.report_model import UNMOVED, drivers

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
