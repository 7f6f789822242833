"""What `relimit train` hands on, and what it refuses before it reads anything."""

from types import SimpleNamespace

import pytest

from relimit.training import TrainResult, TuneBudget


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict:
    """What `train` was called with, in place of a training."""
    seen: dict = {}

    def train(*_, **options):
        seen.update(options)
        return TrainResult("models:/restoration-risk/1", "1", "run", {"auc": 0.7})

    source = SimpleNamespace(events=None, observations=None, accounts=None)
    monkeypatch.setattr("relimit.serving.inputs.training_input", lambda _: source)
    monkeypatch.setattr("relimit.training.train", train)
    return seen


def test_minutes_to_tune_and_months_to_backtest_are_handed_on(asked, relimit_json):
    found = relimit_json("train", "book", "--family", "lightgbm", "--tune", 1.5, "--backtest", 3)
    assert found["model_uri"] == "models:/restoration-risk/1"
    assert asked["budget"] == TuneBudget(minutes=1.5)
    assert asked["backtest_months"] == 3


def test_nothing_is_tuned_or_backtested_unasked(asked, relimit_json):
    relimit_json("train", "book", "--family", "scorecard")
    assert asked["budget"] is None
    assert asked["backtest_months"] == 0


@pytest.mark.parametrize(
    "words", [["scorecard", "--tune", "1"], ["lightgbm", "--tune", "0"], ["forest"]]
)
def test_a_budget_that_makes_no_sense_is_wrong_usage(asked, relimit, words):
    result = relimit("train", "book", "--family", *words)
    assert result.exit_code == 2
    assert not asked
