"""The bit-vector evaluator scores as LightGBM does, to the last bit, or leaves it to LightGBM."""

import copy
import logging
import re
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import ModuleType
from typing import Any

import lightgbm as lgb
import numpy as np
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from numba.core.errors import NumbaError

from relimit.data.errors import ModelError
from relimit.models import prediction
from relimit.models.arm_trees import arm_tree
from relimit.models.arms import arm_grid
from relimit.models.bitvector import BLOCK, evaluate
from relimit.models.ensemble import UnsuitableError, columns_read, read_ensemble
from relimit.models.one_row import OneRow
from relimit.models.prediction import WIDE_BLOCK, TreeScores

QUIET = {"verbosity": -1, "num_threads": 1, "deterministic": True, "seed": 1}
TINY = [1e-35, float(np.float32(1e-35)), -1e-35, 1.1e-35, 5e-324, -5e-324, 2e-308]
LARGE = [np.inf, -np.inf, np.nan, 1e300, -1e300, 1e308]
ODD = np.array([0.0, -0.0, *TINY, *LARGE, 0.1, float(np.float32(0.1))])


def grow(X: np.ndarray, y: np.ndarray, trees: int = 20, **changes: Any) -> lgb.Booster:
    data = lgb.Dataset(X, y, params={"verbosity": -1, "min_data_in_bin": 1})
    given = {**QUIET, "objective": "binary", "min_data_in_leaf": 1, **changes}
    return lgb.train(given, data, num_boost_round=trees)


def lightgbm_scores(booster: lgb.Booster, X: np.ndarray) -> np.ndarray:
    return np.asarray(booster.predict(X, raw_score=True, num_threads=1))


def column(rng: np.random.Generator, rows: int) -> np.ndarray:
    """A column of one of the shapes that features have, with missing values at times."""
    shapes = (
        lambda: rng.normal(size=rows) * 10.0 ** rng.integers(-40, 40),
        lambda: rng.integers(-3, 4, rows).astype(float),
        lambda: rng.normal(size=rows).astype(np.float32).astype(float),
        lambda: rng.choice(ODD[np.isfinite(ODD)], rows),
        lambda: np.full(rows, rng.normal()),
        lambda: np.where(rng.random(rows) < 0.7, 0.0, rng.exponential(size=rows)),
    )
    values = shapes[rng.integers(len(shapes))]()
    return np.where(rng.random(rows) < rng.choice([0.0, 0.2, 0.9]), np.nan, values)


def rows_to_score(rng: np.random.Generator, booster: lgb.Booster, X: np.ndarray) -> np.ndarray:
    """Training rows, odd values, and values on and beside the thresholds of the model itself."""
    trees = read_ensemble(booster.model_to_string())
    edges = trees.threshold if len(trees.threshold) else ODD
    beside = np.concatenate(
        [edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), ODD, X.ravel()]
    )
    return rng.choice(beside, (int(rng.integers(1, 3 * BLOCK)), X.shape[1]))


# A smaller seed is no simpler case: there is nothing to shrink.
@settings(deadline=None, max_examples=60, phases=[Phase.generate])
@given(
    seed=st.integers(0, 2**32 - 1),
    leaves=st.integers(2, 64),
    rows=st.integers(2, 400),
    zero_as_missing=st.booleans(),
    use_missing=st.booleans(),
    monotone=st.booleans(),
    objective=st.sampled_from(["binary", "regression"]),
)
def test_any_model_scores_any_row_as_lightgbm_does(
    seed: int,
    leaves: int,
    rows: int,
    zero_as_missing: bool,
    use_missing: bool,
    monotone: bool,
    objective: str,
) -> None:
    rng = np.random.default_rng(seed)
    width = int(rng.integers(1, 6))
    X = np.column_stack([column(rng, rows) for _ in range(width)])
    y = np.append(rng.integers(0, 2, rows - 2), [0, 1])
    booster = grow(
        X,
        y,
        objective=objective,
        num_leaves=leaves,
        zero_as_missing=zero_as_missing,
        use_missing=use_missing,
        monotone_constraints=[int(monotone)] * width,
        min_data_in_leaf=int(rng.choice([1, 20])),
    )
    some = rows_to_score(rng, booster, X)
    expected = lightgbm_scores(booster, some)
    assert evaluate(read_ensemble(booster.model_to_string()), some).tobytes() == expected.tobytes()
    alone = OneRow(booster)
    assert np.array([alone.raw(row) for row in some]).tobytes() == expected.tobytes()


@pytest.fixture(scope="module")
def table() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = np.column_stack([column(rng, 2000) for _ in range(5)] + [rng.normal(size=2000)])
    return X, (X[:, 5] + rng.normal(size=2000) > 1).astype(int)


@pytest.fixture(scope="module")
def booster(table: tuple[np.ndarray, np.ndarray]) -> lgb.Booster:
    return grow(*table, min_data_in_leaf=20)


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.WARNING, logger=prediction.__name__):
        yield caplog


def test_all_missing_types_and_defaults_occur_in_what_is_tried() -> None:
    rng = np.random.default_rng(3)
    x = np.where(rng.random(900) < 0.4, np.nan, rng.integers(0, 5, 900).astype(float))
    seen = set()
    for goes_with in (0, 1):
        y = np.where(np.isnan(x) | (x == 0), goes_with, 1 - goes_with)
        y[:90] = rng.integers(0, 2, 90)
        for changes in ({}, {"use_missing": False}, {"zero_as_missing": True}):
            trees = read_ensemble(grow(x[:, None], y, **changes).model_to_string())
            seen |= set(zip(trees.missing[trees.view_of], trees.missing_right, strict=True))
    assert {(0, False), (1, False), (1, True), (2, False), (2, True)} <= seen


def test_a_tree_of_one_leaf_scores_its_value() -> None:
    flat = grow(np.ones((40, 1)), np.arange(40) % 4 == 0, trees=3)
    trees = read_ensemble(flat.model_to_string())
    assert len(trees.threshold) == 0
    X = np.ones((5, 1))
    assert evaluate(trees, X).tobytes() == lightgbm_scores(flat, X).tobytes()


def test_trees_that_do_not_fit_are_left_to_lightgbm_which_is_said(
    table: tuple[np.ndarray, np.ndarray], said: pytest.LogCaptureFixture
) -> None:
    X, y = table
    coded = X.copy()
    coded[:, 0] = np.arange(len(X)) % 7
    unsuitable = {
        "leaves, more than 64": grow(X, y, num_leaves=90),
        "categorical": lgb.train(
            {**QUIET, "objective": "binary"},
            lgb.Dataset(coded, coded[:, 0] % 2, categorical_feature=[0]),
            3,
        ),
        "linear": lgb.train(
            {**QUIET, "objective": "regression", "linear_tree": True}, lgb.Dataset(X[:, 5:], y), 3
        ),
        "averaged": grow(X, y, boosting="rf", bagging_fraction=0.5, bagging_freq=1),
        "num_class is 3": grow(X, np.arange(len(y)) % 3, objective="multiclass", num_class=3),
    }
    for reason, booster in unsuitable.items():
        scores = TreeScores(booster, "fast")
        rows = np.ascontiguousarray(X[:, : booster.num_feature()])
        assert scores.raw(rows).tobytes() == lightgbm_scores(booster, rows).tobytes()
        assert reason in scores.why_lightgbm
        assert reason in said.text


def test_an_evaluator_that_differs_is_not_trusted(
    table: tuple[np.ndarray, np.ndarray],
    booster: lgb.Booster,
    said: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = lambda trees, X: np.nextafter(evaluate(trees, X), np.inf)  # noqa: E731
    monkeypatch.setattr(prediction, "_load_evaluator", lambda: wrong)
    scores = TreeScores(booster, "fast")
    assert scores.raw(table[0]).tobytes() == lightgbm_scores(booster, table[0]).tobytes()
    assert "differ" in said.text


def used_by(scores: TreeScores) -> str:
    return "lightgbm" if scores._evaluate is None else "fast"


ROWS_WORTH = 20_000


@pytest.fixture
def _soon_worth_it(booster: lgb.Booster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prediction, "WORK_WORTH_LOADING", ROWS_WORTH * booster.num_trees())


@pytest.mark.usefixtures("_soon_worth_it")
def test_the_evaluator_is_loaded_once_enough_rows_have_come_in_wide_blocks(
    table: tuple[np.ndarray, np.ndarray], booster: lgb.Booster
) -> None:
    X, _ = table
    scores = TreeScores(booster)
    for _ in range(2 * ROWS_WORTH // WIDE_BLOCK):
        scores.raw(X[: WIDE_BLOCK - 1])
    assert used_by(scores) == "lightgbm"
    for _ in range(ROWS_WORTH // len(X) - 1):
        scores.raw(X)
    assert used_by(scores) == "lightgbm"
    scores.raw(X)
    assert used_by(scores) == "fast"
    assert scores.why_lightgbm == ""


@pytest.mark.usefixtures("_soon_worth_it")
def test_lightgbm_scores_alone_where_it_is_asked_for(
    table: tuple[np.ndarray, np.ndarray], booster: lgb.Booster
) -> None:
    scores = TreeScores(booster, "lightgbm")
    for _ in range(1 + ROWS_WORTH // len(table[0])):
        scores.raw(table[0])
    assert used_by(scores) == "lightgbm"


def test_without_numba_lightgbm_scores_and_fast_is_refused(
    table: tuple[np.ndarray, np.ndarray], booster: lgb.Booster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prediction, "find_spec", lambda name: None)
    assert TreeScores(booster).why_lightgbm == "numba is not installed"
    with pytest.raises(ModelError, match=r"relimit\[fast\]"):
        TreeScores(booster, "fast")


@pytest.mark.parametrize(
    ("error", "when"),
    [
        (ImportError("needs NumPy 9"), "imported"),
        (RuntimeError("no locator"), "imported"),
        (NumbaError("no such op"), "called"),
        (OSError(28, "No space left on device"), "called"),
        (EOFError("Ran out of input"), "called"),
    ],
)
def test_a_numba_that_fails_leaves_the_rows_to_lightgbm_which_is_said(
    table: tuple[np.ndarray, np.ndarray],
    booster: lgb.Booster,
    monkeypatch: pytest.MonkeyPatch,
    said: pytest.LogCaptureFixture,
    error: Exception,
    when: str,
) -> None:
    class Failing(ModuleType):
        def __getattr__(self, name: str) -> Any:
            if when == "called":
                return self.fail
            raise error

        def fail(self, *rows: Any) -> Any:
            raise error

    monkeypatch.setitem(sys.modules, "relimit.models.bitvector", Failing("bitvector"))
    scores = TreeScores(booster, "fast")
    assert scores.raw(table[0]).tobytes() == lightgbm_scores(booster, table[0]).tobytes()
    assert str(error) in scores.scored_by
    assert str(error) in said.text


@pytest.mark.usefixtures("_soon_worth_it")
def test_the_evaluator_is_loaded_at_once_where_enough_rows_are_to_come(
    table: tuple[np.ndarray, np.ndarray], booster: lgb.Booster
) -> None:
    for rows, used in ((ROWS_WORTH - 1, "lightgbm"), (ROWS_WORTH, "fast")):
        scores = TreeScores(booster)
        scores.expect(rows)
        scores.raw(table[0])
        assert scores.scored_by.startswith(used)


def test_an_unknown_predictor_is_refused(booster: lgb.Booster) -> None:
    with pytest.raises(ModelError, match="Choose one of auto, lightgbm, fast"):
        TreeScores(booster, "quick")  # type: ignore[arg-type]


@pytest.mark.usefixtures("_soon_worth_it")
def test_threads_that_share_one_model_all_get_lightgbm_scores(
    table: tuple[np.ndarray, np.ndarray], booster: lgb.Booster
) -> None:
    X, _ = table
    expected = lightgbm_scores(booster, X)
    scores = TreeScores(booster)
    parts = [slice(low, low + size) for size in (1, 40, 700) for low in range(0, 1200, 40)] * 3
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda part: scores.raw(X[part], num_threads=2), parts))
    assert used_by(scores) == "fast"
    assert all(
        (answer == expected[part]).all() for answer, part in zip(answers, parts, strict=True)
    )


def test_the_models_are_importable_without_numba() -> None:
    code = "import sys, relimit.models, relimit.serving.scorer; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_row_alone_is_read_as_it_is_meant_or_refused(
    table: tuple[np.ndarray, np.ndarray], booster: lgb.Booster
) -> None:
    X, _ = table
    alone, expected = OneRow(booster), lightgbm_scores(booster, X[:2])
    assert alone.raw(np.asfortranarray(X)[1]) == expected[1]
    assert copy.deepcopy(alone).raw(X[1]) == expected[1]
    with pytest.raises(ValueError, match="columns"):
        alone.raw(X[0, 1:])


def test_trees_of_another_version_are_not_guessed_at(
    booster: lgb.Booster, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = booster.model_to_string().replace("version=v4", "version=v5")
    monkeypatch.setattr(booster, "model_to_string", lambda: text)
    with pytest.raises(UnsuitableError, match="version is v5"):
        read_ensemble(booster.model_to_string())


@pytest.mark.parametrize("changes", [{}, {"linear_tree": True}, {"num_leaves": 4}])
def test_no_score_and_no_contribution_depends_on_a_column_that_is_not_read(
    changes: dict[str, Any],
) -> None:
    rng = np.random.default_rng(4)
    X = rng.normal(size=(300, 30))
    booster = grow(X, (X[:, 3] + X[:, 8] * X[:, 20] > 0).astype(float), trees=3, **changes)
    reads = TreeScores(booster).reads
    assert {"Column_3"} <= reads < {f"Column_{place}" for place in range(30)}
    others = [place for place in range(30) if f"Column_{place}" not in reads]
    changed = X.copy()
    changed[:, others] = np.nan
    assert np.array_equal(lightgbm_scores(booster, changed), lightgbm_scores(booster, X))
    if "linear_tree" not in changes:
        given, again = (booster.predict(rows, pred_contrib=True) for rows in (X, changed))
        assert np.array_equal(given, again)


def test_a_tree_that_was_written_reads_its_columns_though_they_gained_nothing() -> None:
    tree = arm_tree(("x", "restored_share", "delay_days"), arm_grid() @ [0.5, -0.01])
    text = re.sub(
        r"split_gain=.*", lambda line: re.sub(r"[1-9]", "0", line[0]), tree.model_to_string()
    )
    assert TreeScores(lgb.Booster(model_str=text)).reads == {"restored_share", "delay_days"}


def test_what_a_linear_leaf_weighs_is_read_too() -> None:
    text = "Tree=0\nsplit_feature=4 1\nleaf_features=2 7 \nTree=1\nsplit_feature=\n"
    assert columns_read(text) == [1, 2, 4, 7]
