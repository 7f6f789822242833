"""Importance, directions and family sensitivity on models whose answers are known."""

import itertools
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit
from scipy.stats import spearmanr
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score

from relimit.features import catalogue
from relimit.models import (
    BoostedTrees,
    NoCalibration,
    Reference,
    RiskModel,
    Scorecard,
    assumed_loss,
)
from relimit.training.explain import (
    check_directions,
    family_refits,
    family_sensitivity,
    importances,
)
from relimit.training.labelled import Labelled
from relimit.training.splits import sample_rows

RISING = next(f for f in catalogue() if f.risk == 1)
FALLING = next(f for f in catalogue() if f.risk == -1 and f.family != RISING.family)
FREE = next(
    f for f in catalogue() if f.risk == 0 and f.family not in {RISING.family, FALLING.family}
)
NAMES = (RISING.name, FALLING.name, FREE.name)


class Linear:
    """A model whose log-odds are a weighted sum."""

    has_arms = False
    calibration = NoCalibration()
    feature_names = NAMES

    def __init__(self, weights, X):
        self.weights = np.array(weights)
        self.reference = Reference.of(X, NAMES, expit(X @ self.weights))
        self.head = SimpleNamespace(log_odds=self.log_odds)

    def log_odds(self, X):
        return X @ self.weights


@pytest.fixture
def X():
    return np.random.default_rng(0).normal(size=(3_000, 3))


def test_importance_is_the_mean_absolute_contribution(X):
    model = Linear([1.0, -2.0, 0.0], X)
    found = importances(model, X * model.weights)
    assert [item.name for item in found] == [NAMES[1], NAMES[0], NAMES[2]]
    assert found[0].contribution == pytest.approx(2 * np.abs(X[:, 1]).mean())
    assert sum(item.share for item in found) == pytest.approx(1.0)
    assert found[0].family == FALLING.family


def test_a_model_that_keeps_its_directions_passes_and_one_that_does_not_is_named(X):
    kept = Linear([1.0, -2.0, 3.0], X)
    found = check_directions(kept, X, X * kept.weights)
    assert [(d.name, d.expected, d.against) for d in found] == [
        (RISING.name, 1, 0),
        (FALLING.name, -1, 0),
    ]
    assert all(d.steps == d.moved == 20 * 10 for d in found)
    broken = Linear([-1.0, -2.0, 0.0], X)
    wrong, right = check_directions(broken, X, X * broken.weights)
    assert (wrong.against, right.against) == (wrong.steps, 0)
    assert wrong.correlation == pytest.approx(-1.0)


def test_a_special_code_is_no_step_of_a_sweep():
    rng = np.random.default_rng(3)
    x = np.where(rng.random(4_000) < 0.3, 0.0, rng.integers(1, 9, 4_000) * 1.0)
    bad = rng.random(4_000) < np.where(x == 0.0, 0.6, 0.05 + 0.03 * x)  # the code is the riskiest
    X = pd.DataFrame({RISING.name: x})
    card = Scorecard({RISING.name: 1}, special_codes={RISING.name: [0.0]}).fit(X, bad)
    model = RiskModel.assemble(
        card, calibration=NoCalibration(), loss=assumed_loss(), reference_rows=X
    )
    assert 0.0 in model.reference.features[RISING.name].edges
    rows = X.to_numpy()
    (found,) = check_directions(model, rows, model.contributions(rows))
    assert found.moved > 0
    assert found.against == 0


class ByArm(Linear):
    """As `Linear`, with what share and delay add to the log-odds."""

    has_arms = True

    def __init__(self, X, share, delay):
        super().__init__([1.0, -2.0, 0.0], X)
        self.added = share, delay

    def log_odds(self, X, arm=(1.0, 0.0)):
        return X @ self.weights + self.added[0] * arm[0] + self.added[1] * arm[1]


@pytest.mark.parametrize(
    ("share", "delay", "moved", "against"),
    [(0.5, -0.1, [400, 400], [0, 0]), (-0.5, 0.1, [400, 400], [400, 400]), (0, 0, [0, 0], [0, 0])],
)
def test_the_arms_are_swept_too(X, share, delay, moved, against):
    model = ByArm(X, share, delay)
    *_, by_share, by_delay = check_directions(model, X, X * model.weights)
    assert [by_share.name, by_delay.name] == ["restored_share", "delay_days"]
    assert [by_share.expected, by_delay.expected] == [1, -1]
    assert [by_share.moved, by_delay.moved] == moved
    assert [by_share.against, by_delay.against] == against


def test_correlation_agrees_with_scipy_and_is_nan_where_nothing_varies(X):
    model = Linear([1.0, 0.0, 0.0], X)
    contributions = X * model.weights + 0.5 * np.random.default_rng(1).normal(size=X.shape)
    contributions[:, 1] = 0.0
    X = np.round(X, 1)
    found = check_directions(model, X, contributions)
    assert found[0].correlation == pytest.approx(spearmanr(X[:, 0], contributions[:, 0]).statistic)
    assert np.isnan(found[1].correlation)


def test_shuffling_a_family_costs_what_it_tells(X):
    model = Linear([1.0, -2.0, 0.0], X)
    bad = np.random.default_rng(2).random(len(X)) < expit(X @ model.weights)
    nothing = np.full(len(X), np.nan)
    test = Labelled(
        np.arange(len(X)),
        np.zeros(len(X), np.int64),
        bad,
        nothing,
        nothing,
        nothing,
        nothing,
        nothing,
    )
    found = {s.family: s for s in family_sensitivity(model, X, test)}
    assert found[FREE.family].auc_loss == found[FREE.family].log_loss_rise == 0.0
    assert found[FALLING.family].log_loss_rise > found[RISING.family].log_loss_rise > 0.05
    mixed = X.copy()
    mixed[:, 1] = X[np.random.default_rng(0).permutation(len(X)), 1]
    risk, base = expit(mixed @ model.weights), expit(X @ model.weights)
    falling = found[FALLING.family]
    assert falling.auc_loss == pytest.approx(roc_auc_score(bad, base) - roc_auc_score(bad, risk))
    assert falling.log_loss_rise == pytest.approx(log_loss(bad, risk) - log_loss(bad, base))


def test_fitting_without_a_family_costs_only_what_no_other_tells():
    rng = np.random.default_rng(7)
    X = rng.normal(size=(12_000, 4))
    X[:, 2] = X[:, 0] + 0.01 * rng.normal(size=len(X))  # another family that tells the same
    X[:, 3] = rng.integers(0, 2, len(X))
    bad = rng.random(len(X)) < expit(X[:, 0] - 1.5 * X[:, 1] - 2.0)
    learn, test = (X[:8_000], bad[:8_000]), (X[8_000:], bad[8_000:])
    found = {r.family: r for r in family_refits([*NAMES, "restored_share"], learn, test)}
    assert set(found) == {RISING.family, FALLING.family, FREE.family}

    def by_regression(columns):
        fitted = LogisticRegression(C=np.inf).fit(learn[0][:, columns], learn[1])
        risk = fitted.predict_proba(test[0][:, columns])[:, 1]
        return roc_auc_score(test[1], risk), log_loss(test[1], risk)

    area, loss = by_regression([0, 1, 2])
    for family, columns in {FALLING: [0, 2], RISING: [1, 2], FREE: [0, 1]}.items():
        without = by_regression(columns)
        refit = found[family.family]
        assert refit.auc_loss == pytest.approx(area - without[0], abs=0.012)
        assert refit.log_loss_rise == pytest.approx(without[1] - loss, abs=0.02)
    assert found[FALLING.family].auc_loss > 0.1
    assert abs(found[RISING.family].auc_loss) < 0.012


def test_a_sample_is_of_distinct_rows_in_order():
    assert sample_rows(3, 5).tolist() == [0, 1, 2]
    drawn = sample_rows(1_000, 50)
    assert len(set(drawn.tolist())) == 50
    assert (np.diff(drawn) > 0).all()


def cover_mean(node, x, known):
    """A tree's value when only some features are known: the others follow the training rows."""
    if "leaf_value" in node:
        return node["leaf_value"]
    sides = node["left_child"], node["right_child"]
    if node["split_feature"] in known:
        return cover_mean(sides[int(x[node["split_feature"]] > node["threshold"])], x, known)
    rows = [side.get("leaf_count", side.get("internal_count")) for side in sides]
    means = [cover_mean(side, x, known) for side in sides]
    return (rows[0] * means[0] + rows[1] * means[1]) / sum(rows)


def shapley(value, features):
    """The definition (Shapley 1953): the mean gain of each feature over all orders of arrival."""
    found = np.zeros(len(features))
    orders = list(itertools.permutations(features))
    for order in orders:
        for place, feature in enumerate(order):
            gain = value({*order[: place + 1]}) - value({*order[:place]})
            found[feature] += gain / len(orders)
    return found


def test_contributions_of_trees_are_shapley_values_by_their_definition():
    rng = np.random.default_rng(6)
    X = rng.normal(size=(600, 3))
    bad = rng.random(600) < expit(X[:, 0] - X[:, 1] * X[:, 2])
    settings = {"max_trees": 6, "num_leaves": 6, "min_child_samples": 20, "feature_fraction": 1.0}
    model = BoostedTrees(**settings, learning_rate=0.3, num_threads=1).fit(X, bad)
    trees = [
        tree["tree_structure"] for tree in model.head_.scores.booster.dump_model()["tree_info"]
    ]
    found = model.head_.contributions(X[:15])
    for x, contributions in zip(X[:15], found, strict=True):
        value = lambda known, x=x: sum(cover_mean(tree, x, known) for tree in trees)  # noqa: E731
        assert contributions[-1] == pytest.approx(value(set()))
        np.testing.assert_allclose(contributions[:-1], shapley(value, range(3)), atol=1e-9)
    assert np.abs(found[:, :-1]).min(axis=0).max() > 0.0
