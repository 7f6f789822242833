"""A search for settings is repeatable, never worse than none on its judges, and is recorded."""

import itertools
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from relimit.data.errors import ModelError
from relimit.data.vocabulary import ARMS
from relimit.models import BoostedTrees, load_model
from relimit.training.dataset import read_training_data
from relimit.training.fit import fit_model
from relimit.training.registry import resolve_model
from relimit.training.repeat import repeat_training
from relimit.training.report import _tried
from relimit.training.run import train
from relimit.training.tune import (
    SPACE,
    Trial,
    TuneBudget,
    TuneRows,
    Tuning,
    halve_by_account,
    tune,
)


@pytest.fixture(scope="module")
def data(history, decided):
    return read_training_data(history[0], decided, workers=1, progress=lambda _: None)


def small_trees() -> BoostedTrees:
    return BoostedTrees({"risk": 1, "calm": -1}, max_trees=60, num_threads=1)


@pytest.fixture(scope="module")
def rows():
    rng = np.random.default_rng(0)
    slices = []
    for size in (1500, 600, 900):
        X = pd.DataFrame(rng.normal(size=(size, 3)), columns=["risk", "calm", "noise"])
        bad = rng.random(size) < 1 / (1 + np.exp(1 - X["risk"] + X["calm"]))
        slices.append((X, bad.to_numpy(), rng.uniform(0.5, 1.5, size)))
    return TuneRows(*slices)


def search(rows, **budget):
    said = []
    found = tune(small_trees(), rows, TuneBudget(**budget), seed=3, progress=said.append)
    return found, said


def test_trials_alone_give_the_same_search_every_time(rows):
    first, said = search(rows, trials=4)
    second, _ = search(rows, trials=4)
    assert first == second
    assert len(first.trials) == len(said) == 4
    assert len({trial.log_loss for trial in first.trials}) > 1


def test_the_best_trial_is_judged_on_rows_it_never_saw_and_the_defaults_are_the_first(rows):
    found, _ = search(rows, trials=4)
    own = small_trees().get_params()
    assert found.trials[0].parameters == {name: own[name] for name in SPACE}
    best = small_trees().set_params(**found.parameters).fit(*rows.learn, eval_set=rows.stop)
    X, bad, weight = rows.judge
    judged = log_loss(bad, best.predict_proba(X)[:, 1], sample_weight=weight)
    assert judged == pytest.approx(min(trial.log_loss for trial in found.trials))
    assert judged <= found.trials[0].log_loss


def test_minutes_end_a_search_after_one_trial_at_least(rows):
    found, _ = search(rows, minutes=1e-6)
    assert len(found.trials) == 1


def test_a_trial_that_is_at_work_when_the_minutes_end_is_given_up(rows, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("relimit.training.tune.monotonic", lambda: float(next(ticks)))
    alone, _ = search(rows, trials=1)
    first = next(ticks)
    # A second a tree: the first trial is finished, the second is at its tenth tree.
    found, said = search(rows, minutes=(first + 10) / 60)
    assert found.trials == alone.trials
    assert len(said) == 1
    assert found.budget == TuneBudget(minutes=(first + 10) / 60)
    assert found.seconds <= first + 12


def test_the_first_trial_is_finished_whatever_the_minutes(rows, monkeypatch):
    ticks = itertools.count()
    monkeypatch.setattr("relimit.training.tune.monotonic", lambda: float(next(ticks)))
    found, _ = search(rows, minutes=1e-6)
    assert found.trials[0].trees > 1


def test_the_report_says_what_was_searched_in_which_time():
    trials = (Trial({}, 9, 0.3),) * 4
    asked = Tuning({}, trials, TuneBudget(minutes=1.5), 96.0)
    assert _tried(asked) == "4, in 1.6 of 1.5 minutes"
    assert _tried(replace(asked, budget=TuneBudget(trials=4))) == "4, in 1.6 minutes"
    assert _tried(None) == "its own alone"


def test_a_search_knows_the_arms_effect_as_the_fit_does(rows):
    rng = np.random.default_rng(1)

    def with_arms(part):
        X, bad, weight = part
        arms = np.array(ARMS)[rng.integers(0, 25, len(X))]
        return X.assign(restored_share=arms[:, 0], delay_days=arms[:, 1]), bad, weight

    slices = list(map(with_arms, (rows.learn, rows.stop, rows.judge)))
    effect = np.linspace(-2.0, 0.0, 25)
    known = tune(
        small_trees(), TuneRows(*slices, arm_effect=effect), TuneBudget(trials=1), progress=str
    )
    fitted = small_trees().fit(*slices[0], eval_set=slices[1], arm_effect=effect)
    X, bad, weight = slices[2]
    assert known.trials[0].log_loss == pytest.approx(
        log_loss(bad, fitted.predict_proba(X)[:, 1], sample_weight=weight)
    )


def test_no_budget_and_no_optuna_are_refused_with_what_to_do(rows, monkeypatch, tmp_path):
    with pytest.raises(ModelError, match="no budget"):
        search(rows)
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ModelError, match=r"optuna.*not installed.*relimit\[tune\]"):
        train(tmp_path, None, "lightgbm", budget=TuneBudget(trials=1))


def test_a_scorecard_has_nothing_to_tune(data):
    with pytest.raises(ModelError, match="only the family lightgbm"):
        fit_model(
            "scorecard", data.X, data.names, data.labelled, data.split, budget=TuneBudget(trials=1)
        )


def test_the_halves_of_the_later_slice_share_no_account(data):
    account = data.labelled.account_id
    first = halve_by_account(account, data.split.calibrate)
    halves = (set(account[data.split.calibrate[part]]) for part in (first, ~first))
    a, b = halves
    assert not a & b
    assert 0.3 < first.mean() < 0.7


def test_a_tuned_version_is_trained_again_from_its_record_without_a_search(
    history, decided, tracking_uri, monkeypatch
):
    result = train(
        history[0], decided, "lightgbm", tracking_uri=tracking_uri, workers=1,
        budget=TuneBudget(trials=3), seed=1,
    )  # fmt: skip
    folder, _ = resolve_model(result.model_uri, tracking_uri)
    model = load_model(folder)
    tried = model.manifest["tuning"]["trials"]
    assert len(tried) == 3
    assert model.manifest["tuning"]["budget"] == {"minutes": None, "trials": 3}
    assert model.manifest["tuning"]["seconds"] > 0.0
    used = min(tried, key=lambda trial: trial["log_loss"])["parameters"]
    assert model.manifest["settings"]["parameters"] == used
    assert {name: model.manifest["estimator"][name] for name in SPACE} == used
    assert model.manifest["estimator"]["monotone"]

    def never(*_, **__):
        pytest.fail("searched again")

    monkeypatch.setattr("relimit.training.fit.tune", never)
    again = repeat_training(
        result.model_uri, history[0], decided, tracking_uri=tracking_uri, workers=1
    )
    assert again.differences == ()
