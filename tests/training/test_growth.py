from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from relimit.models import BoostedTrees, Scorecard
from relimit.training import growth
from relimit.training.discrimination import auc
from relimit.training.growth import Grown, grow, part_of_a_bad
from relimit.training.splits import OUT_OF_ACCOUNT, OUT_OF_TIME, Split

ROWS = 1_600


def table(signal: float) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Two rows an account; an account's outcome follows `x` as far as the signal goes."""
    rng = np.random.default_rng(3)
    account = np.repeat(np.arange(ROWS // 2), 2)
    X = pd.DataFrame({f"x{i}": rng.normal(size=ROWS // 2)[account] for i in range(6)})
    bad = rng.random(ROWS // 2)[account] < 1 / (1 + np.exp(2.0 - signal * X["x0"]))
    return X, bad.to_numpy(), account


def slices(kind: str = OUT_OF_ACCOUNT) -> Split:
    rows = np.arange(ROWS)
    return Split(rows[:900], rows[900:1_200], rows[1_200:], kind, None, 0, "")


def grown(signal: float, split: Split, **changes: float) -> tuple[BoostedTrees, Grown]:
    X, bad, account = table(signal)
    trees = BoostedTrees(max_trees=200, min_child_samples=5, learning_rate=0.1, **changes)
    take: Callable[..., object] = lambda rows: (X.iloc[rows], bad[rows], None)  # noqa: E731
    return trees, grow(trees, take, split, bad, account, arm_effect=None, to_come=10)


def test_few_bads_of_both_slices_teach_the_trees_and_calibrate_them() -> None:
    trees, found = grown(1.5, slices())
    assert found.cross_fitted
    np.testing.assert_array_equal(found.learnt, np.arange(1_200))
    assert found.log_odds.shape == (1_200,)
    assert 1 < trees.best_iteration_ < 200


def test_no_account_is_calibrated_by_trees_that_have_learnt_its_outcome() -> None:
    # Nothing tells bad from good, but trees that have seen an account know it again.
    _, found = grown(0.0, slices(), early_stopping_rounds=199)
    X, bad, _ = table(0.0)
    again = BoostedTrees(max_trees=200, min_child_samples=5, learning_rate=0.1)
    again.fit(X[:1_200], bad[:1_200], trees=40)
    assert auc(bad[:1_200], again.log_odds(X[:1_200])) > 0.8
    assert auc(bad[:1_200], found.log_odds) < 0.6


def test_the_trees_are_those_of_all_rows_and_of_that_many() -> None:
    trees, _ = grown(1.5, slices())
    X, bad, _ = table(1.5)
    all_rows = BoostedTrees(max_trees=200, min_child_samples=5, learning_rate=0.1)
    all_rows.fit(X[:1_200], bad[:1_200], trees=trees.best_iteration_)
    np.testing.assert_array_equal(trees.log_odds(X), all_rows.log_odds(X))
    # The settings that are recorded are those that were given.
    assert trees.get_params() == all_rows.get_params()


def test_slices_apart_in_time_stay_apart() -> None:
    trees, found = grown(1.5, slices(OUT_OF_TIME))
    X, bad, _ = table(1.5)
    alone = BoostedTrees(max_trees=200, min_child_samples=5, learning_rate=0.1)
    alone.fit(X[:900], bad[:900], eval_set=(X[900:1_200], bad[900:1_200]))
    assert not found.cross_fitted
    np.testing.assert_array_equal(found.learnt, np.arange(900))
    np.testing.assert_array_equal(found.calibrates, np.arange(900, 1_200))
    np.testing.assert_array_equal(found.log_odds, alone.log_odds(X[900:1_200]))
    np.testing.assert_array_equal(trees.log_odds(X), alone.log_odds(X))


@pytest.mark.parametrize(
    ("limit", "value"), [("MOST_BADS", 10), ("MOST_ROWS", 1_199), ("LEAST_BADS", 500)]
)
def test_enough_bads_or_rows_need_no_folds_and_too_few_can_have_none(
    monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    monkeypatch.setattr(growth, limit, value)
    assert not grown(1.5, slices())[1].cross_fitted


def test_a_card_is_calibrated_on_rows_that_taught_it_nothing() -> None:
    X, bad, account = table(1.5)
    take = lambda rows: (X.iloc[rows], bad[rows], None)  # noqa: E731
    card = Scorecard(max_crosses=0)
    found = grow(card, take, slices(), bad, account, arm_effect=None, to_come=10)
    assert not found.cross_fitted
    np.testing.assert_array_equal(found.calibrates, np.arange(900, 1_200))


def test_arrears_that_did_not_become_a_bad_count_as_often_as_they_do() -> None:
    bad = np.array([1, 0, 0, 0, 0, 1, 0, 0], dtype=bool)
    late = np.array([1, 1, 0, 1, 1, 1, 0, 1], dtype=bool)
    # Of five in arrears among the first six rows, two go bad.
    target = part_of_a_bad(bad, late, learn=np.arange(6))
    np.testing.assert_allclose(target, [1, 0.4, 0, 0.4, 0.4, 1, 0, 0.4])


def test_bads_that_the_events_do_not_show_count_whole() -> None:
    bad, late = np.array([True, True, False, False]), np.array([False, True, True, False])
    target = part_of_a_bad(bad, late, learn=np.arange(4))
    np.testing.assert_allclose(target, [1, 1, 2 / 3, 0])


def test_without_other_arrears_there_is_nothing_more_to_learn() -> None:
    bad = np.array([True, False, True, False])
    assert part_of_a_bad(bad, bad, learn=np.arange(4)) is None
    assert part_of_a_bad(bad, np.zeros(4, bool), learn=np.arange(4)) is None
    # Those of the test slice are not looked at.
    assert part_of_a_bad(bad, np.array([1, 0, 1, 1], bool), learn=np.arange(3)) is None
