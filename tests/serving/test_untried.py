"""A model that saw no limit restored in full at once is not served as if it had."""

from dataclasses import replace
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from relimit.models import load_model, save_model

WORDS = "No row fitted on was restored in full at once (tried: 25% after 0 days, 50% after 7 days)"


@pytest.fixture(scope="module")
def cautious(model_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo's model, as if its log had tried two arms only."""
    model = replace(load_model(model_folder), tried=((0.25, 0), (0.5, 7)))
    kept = {name: model.manifest[name] for name in ("settings", "data", "split", "metrics")}
    folder = tmp_path_factory.mktemp("cautious") / "model"
    save_model(model, folder, manifest=kept)
    return folder


def predict(relimit, folder: Path, book: Path, observations: Path, out: Path, *more: str):
    files = ["--events", book / "events.parquet", "--snapshots", observations]
    result = relimit("predict", "--model", folder, *files, "--out", out, *more)
    assert result.exit_code == 0, result.output
    return result.stdout, pq.read_table(out).to_pandas()


def test_predict_gives_bounds_beside_the_risk_and_says_why(
    relimit, relimit_json, cautious, model_folder, book, observations, tmp_path
):
    printed, bounded = predict(relimit, cautious, book, observations, tmp_path / "b.parquet")
    _, plain = predict(relimit, model_folder, book, observations, tmp_path / "p.parquet")
    assert plain.columns.tolist() == ["account_id", "as_of", "risk"]
    assert bounded.columns.tolist() == ["account_id", "as_of", "risk", "risk_low", "risk_high"]
    assert (bounded["risk"] == plain["risk"]).all()
    assert (bounded["risk_low"] <= bounded["risk"]).all()
    assert (bounded["risk_low"] > 0.0).all()
    assert (bounded["risk_high"] == 1.0).all()
    assert WORDS in printed
    assert "mean_risk_low" in printed


def test_comparing_names_the_model_whose_risk_is_extrapolated(
    relimit_json, cautious, model_folder, book, store, tmp_path
):
    given = ["--tracking-uri", store]
    found = relimit_json("compare", model_folder, cautious, book, *given)
    assert list(found["cautions"]) == [str(cautious)]
    assert found["cautions"][str(cautious)].startswith(WORDS)


def test_a_scoring_run_says_so(relimit, relimit_json, cautious, book, observations, tmp_path):
    night = ["--since", "2026-05-01T00:00:00+08:00", "--as-of", "2026-05-02T00:00:00+08:00"]
    events = ["--events", book / "events.parquet"]
    found = relimit_json("score", "--model", cautious, *events, *night, "--out", tmp_path / "night")
    assert found["caution"].startswith(WORDS)
    again = relimit("score", "--model", cautious, *events, *night, "--out", tmp_path / "night")
    assert WORDS in again.stdout
