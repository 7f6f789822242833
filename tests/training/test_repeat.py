"""A version is trained again from its record alone, and gives the same predictions."""

import numpy as np
import pandas as pd
import pytest

from relimit.data.errors import DataError, ModelError
from relimit.models import load_model
from relimit.training.registry import resolve_model
from relimit.training.repeat import repeat_training
from relimit.training.run import train
from relimit.training.tracking import open_client

CARD = {"max_features": 5, "special_codes": {"draw_count_30d": [0.0]}}


@pytest.fixture(scope="module")
def card(history, decided, tracking_uri):
    common = {"name": "card", "hold_out": "account", "tracking_uri": tracking_uri, "workers": 1}
    return train(history[0], decided, "scorecard", parameters=CARD, **common)


@pytest.fixture(scope="module")
def first(history, decided, tracking_uri):
    return train(history[0], decided, "lightgbm", seed=7, tracking_uri=tracking_uri, workers=1)


def test_the_record_alone_gives_the_same_predictions(first, history, decided, tracking_uri):
    again = repeat_training(
        first.model_uri, history[0], decided, tracking_uri=tracking_uri, workers=1
    )
    assert again.differences == ()
    assert again.result.model_uri == "models:/restoration-risk/2"
    assert again.result.metrics == pytest.approx(first.metrics, nan_ok=True, rel=0)
    a, b = (load_model(resolve_model(r.model_uri, tracking_uri)[0]) for r in (first, again.result))
    rows = a.reference.golden_rows()
    np.testing.assert_array_equal(a.risk_by_arm(rows), b.risk_by_arm(rows))
    assert b.manifest["settings"]["seed"] == 7


def test_a_scorecard_too_comes_back_with_its_special_codes(card, history, decided, tracking_uri):
    again = repeat_training(
        card.model_uri, history[0], decided, tracking_uri=tracking_uri, workers=1
    )
    assert again.differences == ()
    manifest = load_model(resolve_model(again.result.model_uri, tracking_uri)[0]).manifest
    assert manifest["settings"]["parameters"] == CARD
    assert manifest["settings"]["hold_out"] == "account"
    assert manifest["split"]["kind"] == "out_of_account"


def test_a_cards_tables_and_its_calibration_are_recorded(card, tracking_uri):
    client = open_client(tracking_uri)
    model = load_model(resolve_model(card.model_uri, tracking_uri)[0])
    points = pd.read_csv(client.download_artifacts(card.run_id, "scorecard.csv"))
    pd.testing.assert_frame_equal(points, model.head.points_table(), check_dtype=False)
    scale = pd.read_csv(client.download_artifacts(card.run_id, "scorecard_scale.csv"))
    pd.testing.assert_frame_equal(scale, model.points_scale())
    tried = model.manifest["calibration_log_loss"]
    assert set(tried) == {"level", "none", "platt", "beta", "isotonic"}
    kind = model.manifest["calibration"]
    assert kind in tried
    assert client.get_run(card.run_id).data.params["calibration"] == kind
    assert model.calibration.kind in {"none", kind}


def test_a_difference_is_named(first, history, decided, tracking_uri, monkeypatch):
    folder, _ = resolve_model(first.model_uri, tracking_uri)
    recorded = load_model(folder).manifest
    other = dict(recorded["files"], **{"model.txt": {"bytes": 1, "sha256": "0"}})
    moved = {**recorded["data"], "matrix_sha256": "1"}
    newer = {**recorded["libraries"], "numpy": "99"}
    manifests = iter([recorded, {**recorded, "files": other, "data": moved, "libraries": newer}])
    monkeypatch.setattr("relimit.training.repeat._manifest", lambda *_: next(manifests))
    monkeypatch.setattr("relimit.training.repeat.train", lambda *_, **__: first)
    again = repeat_training(first.model_uri, history[0], decided, tracking_uri=tracking_uri)
    was = recorded["libraries"]["numpy"]
    assert again.differences == ("feature matrix", "model.txt", f"numpy 99 (was {was})")


def test_other_observations_are_refused(first, history, decided, tracking_uri):
    with pytest.raises(DataError, match="fingerprint"):
        repeat_training(first.model_uri, history[0], decided.slice(1), tracking_uri=tracking_uri)


def test_a_version_that_does_not_say_how_it_was_made_is_refused(monkeypatch, history, decided):
    monkeypatch.setattr("relimit.training.repeat._manifest", lambda *_: {"files": {}})
    with pytest.raises(ModelError, match="no settings"):
        repeat_training("models:/x/1", history[0], decided)
