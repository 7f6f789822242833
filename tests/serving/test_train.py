"""What `relimit train` hands on, and what it refuses before it reads anything."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest

from relimit.training import Repetition, TrainResult, TuneBudget
from relimit.training.backtest import BacktestMonth
from relimit.training.discrimination import Interval

ROWS = {"fit": 4_620, "in_no_slice": 14_011, "not_matured": 0}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict:
    """What `train` was called with, in place of a training."""
    seen: dict = {}

    def train(*_, **options):
        seen.update(options)
        cautions = ("few bads", "arms never tried")
        backtest = (BacktestMonth("2025-03", 900, 340, 26, Interval(0.7, 0.6, 0.8), 0.25, 1.5),)
        uri = "models:/restoration-risk/1"
        return TrainResult(uri, "1", "run", {"auc": 0.7}, cautions, ROWS, backtest)

    def read(_, **options):
        seen["read"] = options
        days = options["horizon_days"] or 365
        due = options["days_past_due"] or 45
        return SimpleNamespace(
            events=None, observations=None, accounts=None, horizon_days=days, days_past_due=due,
            assumed=None if options["days_past_due"] else "nobody said",
        )  # fmt: skip

    monkeypatch.setattr("relimit.serving.inputs.training_input", read)
    monkeypatch.setattr("relimit.training.train", train)
    return seen


def test_minutes_to_tune_and_months_to_backtest_are_handed_on(asked, relimit_json):
    found = relimit_json("train", "book", "--family", "lightgbm", "--tune", 1.5, "--backtest", 3)
    assert found["model_uri"] == "models:/restoration-risk/1"
    assert asked["budget"] == TuneBudget(minutes=1.5)
    assert asked["backtest_months"] == 3


def test_what_is_observed_is_what_is_purged_between_the_slices(asked, relimit_json):
    relimit_json("train", "book", "--family", "lightgbm", "--horizon", 90, "--dpd", 60)
    assert asked["read"] == {"horizon_days": 90, "days_past_due": 60, "accounts": None}
    assert asked["horizon_days"] == 90
    assert asked["days_past_due"] == 60
    relimit_json("train", "book", "--family", "lightgbm")
    assert asked["read"]["horizon_days"] is asked["read"]["days_past_due"] is None
    assert asked["horizon_days"] == 365
    assert asked["days_past_due"] == 45


def test_what_nobody_said_of_the_labels_is_told(asked, relimit):
    words = "train", "book", "--family", "lightgbm"
    assert "warning: nobody said" in relimit(*words).stderr
    assert "warning" not in relimit(*words, "--dpd", 30).stderr


def test_accounts_of_ones_own_are_read(asked, relimit_json):
    relimit_json("train", "book", "--family", "lightgbm", "--accounts", "who.parquet")
    assert asked["read"]["accounts"] == Path("who.parquet")


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


def test_cautions_are_printed_and_in_the_json(asked, relimit, relimit_json):
    words = ["train", "book", "--family", "lightgbm"]
    assert relimit_json(*words)["cautions"] == ["few bads", "arms never tried"]
    printed = relimit(*words).stdout
    assert "caution: few bads" in printed
    assert "caution: arms never tried" in printed


def test_what_became_of_the_observations_is_printed_and_in_the_json(asked, relimit, relimit_json):
    words = ["train", "book", "--family", "lightgbm"]
    assert relimit_json(*words)["rows"] == ROWS
    printed = [" ".join(line.split()) for line in relimit(*words).stdout.splitlines()]
    assert "in no slice 14,011" in printed
    assert not any(line.startswith("not matured") for line in printed)


def test_months_that_were_back_tested_are_printed_and_in_the_json(asked, relimit, relimit_json):
    words = ["train", "book", "--family", "lightgbm", "--backtest", 1]
    (month,) = relimit_json(*words)["backtest"]
    assert (month["month"], month["bads"]) == ("2025-03", 26)
    assert month["auc"] == {"value": 0.7, "low": 0.6, "high": 0.8}
    printed = " ".join(relimit(*words).stdout.split())
    assert "2025-03 340 rows, 26 bad: AUC 0.700 (0.600 to 0.800), log-loss 0.2500" in printed
    assert "observed/expected 1.50" in printed


def test_other_accounts_and_special_codes_are_handed_on(asked, relimit_json, tmp_path):
    codes = {"prepay_count_30d": [-99, -98.5]}
    (tmp_path / "codes.json").write_text(json.dumps(codes))
    words = ["--hold-out", "account", "--special-codes", tmp_path / "codes.json"]
    relimit_json("train", "book", "--family", "scorecard", *words)
    assert asked["hold_out"] == "account"
    assert asked["parameters"] == {"special_codes": codes}


@pytest.mark.parametrize("content", ['["x"]', '{"x": 5}', '{"x": ["a"]}', '{"x": [NaN]}', "{"])
def test_codes_that_are_none_are_refused(asked, relimit, tmp_path, content):
    path: Path = tmp_path / "codes.json"
    path.write_text(content)
    result = relimit("train", "book", "--family", "scorecard", "--special-codes", path)
    assert result.exit_code == 1
    assert "codes.json" in result.output
    assert not asked


@pytest.fixture
def again(monkeypatch: pytest.MonkeyPatch, asked: dict) -> list:
    """What `repeat_training` was called with, in place of a training."""
    seen: list = []

    def repeat(uri, *_, **options):
        seen.append((uri, options["tracking_uri"], options["workers"]))
        result = TrainResult("models:/restoration-risk/2", "2", "run", {"auc": 0.7}, (), ROWS, ())
        return Repetition(result, () if uri.endswith("1") else ("model.txt",))

    recorded = SimpleNamespace(horizon_days=120, days_past_due=60)
    monkeypatch.setattr("relimit.serving.models.open_model", lambda *_: recorded)
    monkeypatch.setattr("relimit.training.repeat_training", repeat)
    return seen


def test_a_version_is_trained_again_from_its_record(again, asked, relimit, relimit_json):
    words = [
        "--again",
        "models:/restoration-risk/1",
        "--workers",
        1,
        "--tracking-uri",
        "sqlite:///x",
    ]
    found = relimit_json("train", "book", *words)
    assert again == [("models:/restoration-risk/1", "sqlite:///x", 1)]
    assert asked == {"read": {"horizon_days": 120, "days_past_due": 60}}
    assert found["repeats"] == "models:/restoration-risk/1"
    assert found["model_uri"] == "models:/restoration-risk/2"
    assert found["differences"] == []
    assert "so is every prediction" in relimit("train", "book", *words).stdout
    other = relimit("train", "book", "--again", "models:/restoration-risk/0").stdout
    assert "differs in: model.txt" in other


@pytest.mark.parametrize("more", [["--seed", "0"], ["--family", "lightgbm"], ["--out", "x"]])
def test_what_the_record_says_cannot_be_said_otherwise(again, relimit, more):
    result = relimit("train", "book", "--again", "models:/x/1", *more)
    assert result.exit_code == 2
    assert f"leave out {more[0]}" in result.output
    assert not again


def test_a_family_is_needed_to_train_anew(asked, relimit):
    result = relimit("train", "book")
    assert result.exit_code == 2
    assert "--family, or --again" in result.output
