"""Promotion of versions trained on one small book."""

import json

import numpy as np
import pytest

from relimit.data.errors import ModelError, RelimitError
from relimit.training.promote import promote, promotion_log
from relimit.training.tracking import open_client


@pytest.fixture(scope="module")
def tracking_uri(versions_uri) -> str:
    return versions_uri


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
