from collections.abc import Callable

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from relimit.data.errors import ModelError
from relimit.models import BoostedHead, BoostedTrees

SMALL = {"max_trees": 40, "learning_rate": 0.1, "min_child_samples": 20}


@pytest.fixture(scope="module")
def table(make_table: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return make_table(2000, 4)


@pytest.fixture(scope="module")
def trees(table: pd.DataFrame, directions: dict[str, int]) -> BoostedTrees:
    return BoostedTrees(directions, **SMALL).fit(table.drop(columns="bad"), table["bad"])


def head_text(estimator: BoostedTrees) -> str:
    return estimator.head_.files()["model.txt"].decode()


@pytest.mark.parametrize("threads", [1, 2])
def test_fitting_again_gives_the_same_trees(
    threads: int,
    table: pd.DataFrame,
    trees: BoostedTrees,
    directions: dict[str, int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relimit.models.boosting.ROWS_WORTH_THREADS", 0)
    again = BoostedTrees(directions, **SMALL, num_threads=threads)
    again.fit(table.drop(columns="bad"), table["bad"])
    assert f"[num_threads: {threads}]" in head_text(again)
    assert head_text(again).split("parameters:")[0] == head_text(trees).split("parameters:")[0]


def test_another_seed_gives_other_trees(table: pd.DataFrame, trees: BoostedTrees) -> None:
    other = BoostedTrees(trees.monotone, **SMALL, random_state=7)
    other.fit(table.drop(columns="bad"), table["bad"])
    assert (other.log_odds(table) != trees.log_odds(table)).any()


def test_growing_stops_where_the_later_slice_is_best(
    table: pd.DataFrame, make_table: Callable[..., pd.DataFrame]
) -> None:
    later = make_table(1000, 12)
    columns = [name for name in table if name != "bad"]
    fast = BoostedTrees(max_trees=300, learning_rate=0.3, early_stopping_rounds=20)
    fast.fit(table[columns], table["bad"], eval_set=(later[columns[::-1]], later["bad"]))
    assert 1 <= fast.best_iteration_ < 200
    assert fast.head_.size == fast.best_iteration_

    def later_loss(trees: int) -> float:
        grown = BoostedTrees(max_trees=trees, learning_rate=0.3, early_stopping_rounds=1000)
        grown.fit(table[columns], table["bad"], eval_set=(later[columns], later["bad"]))
        risk = grown.predict_proba(later)[:, 1]
        return float(-np.log(np.where(later["bad"], risk, 1 - risk)).mean())

    best = later_loss(fast.best_iteration_)
    assert best <= later_loss(max(fast.best_iteration_ // 2, 1))
    assert best <= later_loss(fast.best_iteration_ + 20)


def test_the_weights_of_the_later_slice_are_its_own(table: pd.DataFrame) -> None:
    columns = [name for name in table if name != "bad"]
    half = np.arange(len(table)) < len(table) // 2
    X, y = table[columns], table["bad"]

    def fitted(weight: np.ndarray | None, rows: np.ndarray) -> BoostedTrees:
        weighted = None if weight is None else weight[rows]
        later = (X[rows], y[rows], weighted)
        return BoostedTrees(max_trees=200, learning_rate=0.3).fit(X[half], y[half], eval_set=later)

    only_some = (np.arange(len(table)) % 3 == 0).astype(float)
    by_weight = fitted(only_some, ~half)
    by_rows = fitted(None, ~half & (only_some > 0))
    assert by_weight.best_iteration_ == by_rows.best_iteration_


def test_contributions_add_up_to_the_log_odds(table: pd.DataFrame, trees: BoostedTrees) -> None:
    X = table[list(trees.head_.columns)].to_numpy()[:200]
    np.testing.assert_allclose(
        trees.head_.contributions(X).sum(axis=1), trees.head_.log_odds(X), atol=1e-9
    )


def test_the_trees_read_back_score_to_the_last_bit(
    table: pd.DataFrame, trees: BoostedTrees
) -> None:
    again = BoostedHead.from_files(trees.head_.files(), trees.head_.columns)
    X = table[list(again.columns)].to_numpy()
    np.testing.assert_array_equal(again.log_odds(X), trees.head_.log_odds(X))


def test_the_wrapper_agrees_with_lightgbm_itself(table: pd.DataFrame, trees: BoostedTrees) -> None:
    booster = lgb.Booster(model_str=head_text(trees))
    X = table[list(trees.head_.columns)]
    np.testing.assert_allclose(trees.predict_proba(table)[:, 1], booster.predict(X), rtol=1e-12)


def test_trees_over_other_columns_are_refused(trees: BoostedTrees) -> None:
    with pytest.raises(ModelError, match=r"model\.txt: trees over 6 columns"):
        BoostedHead.from_files(trees.head_.files(), trees.head_.columns[::-1])


def test_no_rows_give_no_scores(trees: BoostedTrees) -> None:
    empty = np.empty((0, len(trees.head_.columns)))
    assert trees.head_.log_odds(empty).shape == (0,)
    assert trees.head_.contributions(empty).shape == (0, len(trees.head_.columns) + 1)


def test_a_name_that_the_file_cannot_hold_is_refused() -> None:
    X = pd.DataFrame({"a b": [0.0, 1.0, 2.0, 3.0]})
    with pytest.raises(ModelError, match="'a b'"):
        BoostedTrees().fit(X, [0, 1, 0, 1])


def test_a_share_that_holds_out_nothing_is_refused(table: pd.DataFrame) -> None:
    with pytest.raises(ModelError, match="validation_share is 0"):
        BoostedTrees(validation_share=0).fit(table[["dpd"]], table["bad"])


def test_few_rows_still_fit() -> None:
    X = pd.DataFrame({"x": np.arange(12.0), "empty": np.nan, "constant": 1.0})
    risk = BoostedTrees().fit(X, np.arange(12) > 8).predict_proba(X)[:, 1]
    assert np.isfinite(risk).all()


def test_the_rows_held_out_are_the_same_share_of_bads_and_goods() -> None:
    bad = np.arange(1000) < 40
    held = ~BoostedTrees(validation_share=0.25)._kept(bad)
    assert (held[bad].sum(), held[~bad].sum()) == (10, 240)


def test_so_many_trees_are_grown_on_all_rows(make_table: Callable[..., pd.DataFrame]) -> None:
    table = make_table(400, 1)
    X, bad = table.drop(columns="bad"), table["bad"]
    fitted = BoostedTrees(max_trees=9, bagging_fraction=1.0).fit(X, bad, trees=25)
    assert fitted.best_iteration_ == fitted.head_.size == 25
    root = fitted.head_.scores.booster.dump_model()["tree_info"][0]["tree_structure"]
    assert root["internal_count"] == 400


def test_a_part_of_a_bad_counts_as_that_part_of_a_row(
    make_table: Callable[..., pd.DataFrame],
) -> None:
    table = make_table(600, 2)
    X, bad = table.drop(columns="bad"), table["bad"].to_numpy()
    part = np.where(bad, 1.0, np.where(X["count"] > 3, 0.25, 0.0))
    soft = BoostedTrees(bagging_fraction=1.0).fit(X, part, trees=20)
    # The same rows twice, once as bads and once as goods, by weight.
    twice = pd.concat([X, X], ignore_index=True)
    weight = np.concatenate([part, 1.0 - part])
    hard = BoostedTrees(bagging_fraction=1.0, min_child_samples=100).fit(
        twice, np.repeat([True, False], 600), weight, trees=20
    )
    gap = np.abs(soft.log_odds(X) - hard.log_odds(X))
    assert np.quantile(gap, 0.9) < 0.15
    risk = soft.predict_proba(X)[:, 1]
    assert risk.mean() == pytest.approx(part.mean(), rel=0.05)


def test_parts_of_bads_stop_the_growth_too(make_table: Callable[..., pd.DataFrame]) -> None:
    table = make_table(600, 2)
    X, part = table.drop(columns="bad"), np.where(table["bad"], 1.0, 0.1)
    stopped = BoostedTrees(learning_rate=0.3).fit(
        X[:400], part[:400], eval_set=(X[400:], part[400:])
    )
    assert 1 <= stopped.best_iteration_ < 300
    alone = BoostedTrees(learning_rate=0.3).fit(X, part)
    assert 1 <= alone.best_iteration_ < 300


@pytest.mark.parametrize("wrong", [-0.5, 1.5, np.nan])
def test_parts_that_are_none_are_refused(
    make_table: Callable[..., pd.DataFrame], wrong: float
) -> None:
    table = make_table(50, 2)
    part = np.where(table["bad"], 1.0, 0.1)
    part[3] = wrong
    with pytest.raises(ModelError, match="outcomes"):
        BoostedTrees().fit(table.drop(columns="bad"), part)
