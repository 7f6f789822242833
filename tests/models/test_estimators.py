"""What both families promise alike."""

from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.utils import estimator_checks as checks

from relimit.data.errors import ModelError
from relimit.models import RiskEstimator

Make = Callable[..., RiskEstimator]


@pytest.fixture(scope="module")
def table(make_table: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return make_table(2000, 6)


@pytest.fixture(scope="module")
def fitted(family: str, make_estimator: Make, table: pd.DataFrame) -> RiskEstimator:
    return make_estimator(family).fit(table.drop(columns="bad"), table["bad"])


CHECKS = [
    checks.check_no_attributes_set_in_init,
    checks.check_parameters_default_constructible,
    checks.check_get_params_invariance,
    checks.check_set_params,
    checks.check_estimator_cloneable,
    checks.check_estimator_repr,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_scikit_learns_own_checks_hold(check: Callable[..., None], fitted: RiskEstimator) -> None:
    check(type(fitted).__name__, clone(fitted))


def test_fitting_changes_no_setting(fitted: RiskEstimator, table: pd.DataFrame) -> None:
    copy = clone(fitted)
    before = copy.get_params()
    copy.fit(table.drop(columns="bad"), table["bad"])
    assert copy.get_params() == before
    np.testing.assert_array_equal(copy.log_odds(table), fitted.log_odds(table))


def test_scikit_learns_tools_take_it(
    family: str, make_estimator: Make, table: pd.DataFrame
) -> None:
    X, y = table.drop(columns="bad"), table["bad"].astype(int)
    assert cross_val_score(make_estimator(family), X, y, cv=3, scoring="roc_auc").min() > 0.75
    grid = {"C": [0.1, 1.0]} if family == "scorecard" else {"num_leaves": [4, 8]}
    search = GridSearchCV(make_estimator(family), grid, cv=2, scoring="neg_log_loss").fit(X, y)
    assert search.predict_proba(X).shape == (len(X), 2)


def test_it_tells_bad_from_good_on_new_rows(
    fitted: RiskEstimator, make_table: Callable[..., pd.DataFrame]
) -> None:
    new = make_table(2000, 77)
    assert roc_auc_score(new["bad"], fitted.predict_proba(new)[:, 1]) > 0.78


def test_columns_in_another_order_score_the_same(
    fitted: RiskEstimator, table: pd.DataFrame
) -> None:
    shuffled = table[table.columns[::-1]]
    np.testing.assert_array_equal(fitted.log_odds(shuffled), fitted.log_odds(table))


def test_fitted_on_another_order_scores_the_same_matrix_by_its_own_order(
    fitted: RiskEstimator, table: pd.DataFrame
) -> None:
    columns = ["delay_days", "free", "count", "restored_share", "score", "dpd"]
    other = clone(fitted).fit(table[columns], table["bad"])
    np.testing.assert_array_equal(other.log_odds(table[columns].to_numpy()), other.log_odds(table))


def test_an_absent_column_is_named(fitted: RiskEstimator, table: pd.DataFrame) -> None:
    with pytest.raises(ModelError, match="1 of 6 columns are absent: score"):
        fitted.predict_proba(table.drop(columns="score"))


def test_probabilities_and_labels_agree(fitted: RiskEstimator, table: pd.DataFrame) -> None:
    both = fitted.predict_proba(table)
    np.testing.assert_allclose(both.sum(axis=1), 1.0)
    np.testing.assert_array_equal(fitted.predict(table), both[:, 1] >= 0.5)
    np.testing.assert_array_equal(fitted.classes_, [0, 1])


def test_not_fitted_says_so(family: str, make_estimator: Make, table: pd.DataFrame) -> None:
    with pytest.raises(NotFittedError):
        make_estimator(family).predict_proba(table)


def test_weights_move_the_base_rate(family: str, make_estimator: Make, table: pd.DataFrame) -> None:
    X, bad = table.drop(columns="bad"), table["bad"]
    heavy = np.where(bad, 3.0, 1.0)
    plain = make_estimator(family).fit(X, bad).predict_proba(X)[:, 1].mean()
    weighted = make_estimator(family).fit(X, bad, sample_weight=heavy).predict_proba(X)[:, 1].mean()
    assert weighted > plain * 1.3


def test_booleans_and_numbers_are_the_same_outcome(
    family: str, make_estimator: Make, table: pd.DataFrame
) -> None:
    X = table.drop(columns="bad")
    by_bool = make_estimator(family).fit(X, table["bad"]).log_odds(X)
    nullable = table["bad"].astype("boolean")
    for y in (table["bad"].astype(float), nullable, list(table["bad"])):
        np.testing.assert_array_equal(make_estimator(family).fit(X, y).log_odds(X), by_bool)
