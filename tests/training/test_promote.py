"""Comparison and promotion of versions trained on one small book."""

import json

import numpy as np
import pytest

from relimit.data.errors import DataError, ModelError, RelimitError
from relimit.features import model_feature_names
from relimit.models import RiskModel, load_model
from relimit.policy import load_policy
from relimit.training.compare import compare
from relimit.training.promote import promote, promotion_log
from relimit.training.registry import resolve_model
from relimit.training.run import train
from relimit.training.splits import unseen_rows
from relimit.training.tracking import open_client


@pytest.fixture(scope="module")
def versions(history, decided, tracking_uri):
    """Version 1 sees all features, version 2 none of those that tell the risk."""
    common = {"tracking_uri": tracking_uri, "workers": 1}
    good = train(history[0], decided, "lightgbm", **common)
    with pytest.MonkeyPatch.context() as patch:
        blind = tuple(
            n for n in model_feature_names() if n.startswith(("prepay_count", "days_since_prepay"))
        )
        patch.setattr("relimit.training.dataset.model_feature_names", lambda: blind)
        poor = train(history[0], decided, "lightgbm", **common)
    return good, poor


def load(result, tracking_uri) -> RiskModel:
    folder, digest = resolve_model(result.model_uri, tracking_uri)
    return load_model(folder, digest=digest)


@pytest.fixture(scope="module")
def compared(versions, history, decided, tracking_uri):
    models = [load(version, tracking_uri) for version in versions]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relimit.training.evidence.ENOUGH_BADS", 100)
        return compare(*models, history[0], decided, load_policy())


def test_the_model_that_sees_more_is_found_better(compared, versions):
    assert compared.verdict == "a better"
    assert compared.delta["auc"] < 0 < compared.delta["log_loss"]
    assert compared.a["auc"] == pytest.approx(versions[0].metrics["auc"])
    assert compared.b["auc"] == pytest.approx(versions[1].metrics["auc"])
    assert compared.intervals["auc"].low <= compared.delta["auc"] <= compared.intervals["auc"].high


def test_only_rows_that_neither_learnt_from_are_compared(compared, versions, decided, tracking_uri):
    split = load(versions[0], tracking_uri).manifest["split"]
    matured = decided.filter(decided["bad"].is_valid())
    as_of = matured["as_of"].cast("int64").to_numpy()
    unseen = unseen_rows(split, matured["account_id"].to_numpy(), as_of)
    assert compared.a["rows"] == unseen.sum() < matured.num_rows
    assert compared.rows.startswith(f"{unseen.sum():,} of {matured.num_rows:,} matured rows")


def test_money_adds_up_under_either_model(compared):
    rows = compared.a["rows"]
    for side in (compared.a, compared.b):
        parts = ("restored_now_yuan", "restored_later_yuan", "withheld_yuan")
        assert sum(side[name] for name in parts) == pytest.approx(side["freed_yuan"])
        assert side["freed_yuan"] == pytest.approx(rows * 500)
        assert 0 < side["expected_loss_yuan"] < side["freed_yuan"]
    swap = compared.swap_sets
    assert swap["b_restores_more"] + swap["b_restores_less"] + swap["same"] == rows
    moved = swap["b_restores_more_yuan"] - swap["b_restores_less_yuan"]
    restored = [s["restored_now_yuan"] + s["restored_later_yuan"] for s in (compared.a, compared.b)]
    assert moved == pytest.approx(restored[1] - restored[0])
    json.dumps(compared.to_dict(), allow_nan=False)


def test_a_model_against_itself_makes_no_difference(versions, history, decided, tracking_uri):
    model = load(versions[0], tracking_uri)
    same = compare(model, model, history[0], decided, load_policy())
    assert same.a["bads"] < 500
    assert same.verdict == "too few bads to rank"
    assert set(same.delta.values()) == {0.0}
    assert same.swap_sets["same"] == same.a["rows"]


def test_rows_that_were_all_learnt_from_cannot_compare(versions, history, decided, tracking_uri):
    model = load(versions[0], tracking_uri)
    as_of = decided["as_of"].cast("int64").to_numpy()
    early = decided.filter(as_of < model.manifest["split"]["test_from"])
    with pytest.raises(DataError, match=r"0 were not learnt from"):
        compare(model, model, history[0], early, load_policy())


def test_observations_without_decisions_compare_without_money(
    versions, history, observations, tracking_uri
):
    models = [load(version, tracking_uri) for version in versions]
    found = compare(*models, history[0], observations, load_policy())
    assert found.swap_sets == {}
    assert "freed_yuan" not in found.a


def test_promotion_refuses_the_worse_and_records_what_was_forced(versions, tracking_uri):
    good, poor = versions
    client = open_client(tracking_uri)
    first = promote(good.model_uri, tracking_uri=tracking_uri)
    assert (first.version, first.previous, first.force, first.objections) == ("1", None, None, ())
    with pytest.raises(RelimitError, match=r"worse than the champion, version 1, .*same rows"):
        promote(poor.model_uri, tracking_uri=tracking_uri)
    assert client.get_model_version_by_alias("restoration-risk", "champion").version == 1
    forced = promote(poor.model_uri, force="drill", tracking_uri=tracking_uri)
    assert client.get_model_version_by_alias("restoration-risk", "champion").version == 2
    assert (forced.previous, forced.force) == ("1", "drill")
    back = promote(good.model_uri, force="not needed", tracking_uri=tracking_uri)
    assert (back.previous, back.force, back.objections) == ("2", None, ())
    assert promotion_log("restoration-risk", tracking_uri) == [back, forced, first]
    digest = client.get_model_version("restoration-risk", "1").tags["relimit.artifact_digest"]
    assert back.digest == digest
    json.dumps(forced.to_dict())


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        ({"ece": 0.2}, r"calibration error 0\.200 is above 0\.05"),
        (
            {"calibration_slope": 0.4, "calibration_slope_low": 0.2, "calibration_slope_high": 0.6},
            r"calibration slope 0\.40 \(0\.20 to 0\.60\) is not within 0\.75 to 1\.33",
        ),
        (
            {"calibration_intercept": -0.9, "calibration_intercept_high": -0.5},
            r"calibration intercept -0\.90 .* is not within -0\.3 to 0\.3",
        ),
    ],
)
def test_bad_calibration_is_refused(versions, tracking_uri, figures, message):
    good, _ = versions
    client = open_client(tracking_uri)
    for metric, value in figures.items():
        client.log_metric(good.run_id, metric, value)
    with pytest.raises(RelimitError, match=message):
        promote(good.model_uri, alias="challenger", tracking_uri=tracking_uri)
    for metric in figures:
        client.log_metric(good.run_id, metric, good.metrics[metric])
    promote(good.model_uri, alias="challenger", tracking_uri=tracking_uri)


def test_calibration_that_noise_could_explain_is_not_refused(versions, tracking_uri):
    good, _ = versions
    client = open_client(tracking_uri)
    noisy = {"calibration_slope": 0.6, "calibration_slope_low": 0.3, "calibration_slope_high": 0.9}
    for metric, value in noisy.items():
        client.log_metric(good.run_id, metric, value)
    promote(good.model_uri, alias="challenger", tracking_uri=tracking_uri)
    for metric in noisy:
        client.log_metric(good.run_id, metric, good.metrics[metric])


def test_features_that_are_not_installed_are_refused(versions, tracking_uri, monkeypatch):
    monkeypatch.setattr("relimit.models.catalogue.catalogue", lambda: ())
    with pytest.raises(RelimitError, match=r"can't be used here: .*features are not installed"):
        promote(versions[0].model_uri, tracking_uri=tracking_uri)


def test_without_common_rows_the_auc_intervals_decide(versions, tracking_uri, monkeypatch):
    good, poor = versions
    promote(good.model_uri, force="start", tracking_uri=tracking_uri)
    fingerprints = iter(range(100))
    monkeypatch.setattr(
        "relimit.training.objections._tested_on", lambda *_: str(next(fingerprints))
    )
    with pytest.raises(RelimitError, match="each on its own rows"):
        promote(poor.model_uri, tracking_uri=tracking_uri)


def test_what_cannot_be_promoted_is_refused(versions, tracking_uri, tmp_path):
    with pytest.raises(ModelError, match="an empty reason"):
        promote(versions[0].model_uri, force="  ", tracking_uri=tracking_uri)
    with pytest.raises(ModelError, match="neither a folder nor a model URI"):
        promote(str(tmp_path), tracking_uri=tracking_uri)
    assert np.isfinite(versions[0].metrics["auc"])
