"""Training end to end: a user's table in, a registered version out."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from relimit.data.errors import DataError, ModelError
from relimit.features import compute_features
from relimit.models import load_model
from relimit.training.flavour import _load_pyfunc
from relimit.training.registry import resolve_model
from relimit.training.run import _write_report, train
from relimit.training.tracking import open_client


@pytest.fixture(scope="module")
def trained(history, decided, tracking_uri):
    stages = []
    result = train(
        history[0],
        decided,
        "lightgbm",
        tracking_uri=tracking_uri,
        workers=1,
        progress=stages.append,
    )
    return result, stages


def test_a_version_is_registered_and_scores_as_it_was_tested(
    trained, history, decided, tracking_uri
):
    result, stages = trained
    assert result.model_uri == "models:/restoration-risk/1"
    folder, digest = resolve_model(result.model_uri, tracking_uri)
    model = load_model(folder, digest=digest)
    assert model.manifest["metrics"]["auc"] == result.metrics["auc"]
    X = compute_features(
        history[0], decided.select(["account_id", "as_of"]), names=model.feature_names
    )
    assert np.isfinite(model.restoration_risk(X)).all()
    assert stages[0].startswith("computing features of ")
    assert stages[-1] == "recording the version"


def test_the_run_records_what_is_needed_to_judge_and_repeat_it(trained, decided, tracking_uri):
    result, _ = trained
    client = open_client(tracking_uri)
    run = client.get_run(result.run_id)
    assert run.data.metrics["auc"] == pytest.approx(result.metrics["auc"])
    assert {"seed", "catalogue_hash", "observations_sha256", "code_revision", "split"} <= set(
        run.data.params
    )
    assert int(run.data.params["not_matured"]) == decided["bad"].null_count
    plots = {item.path for item in client.list_artifacts(result.run_id, "plots")}
    named = (
        "roc",
        "reliability",
        "score_distribution",
        "calibration-mean_risk_against_bad_rate",
        "calibration-observed_over_expected_bads_by_month",
        "gains_and_loss_capture-share_of_bads_and_of_loss_that_the_riskiest_rows_hold",
        "feature_importance-contributions",
        "dependence_and_directions-contribution_against_value",
    )
    assert plots == {f"plots/{name}.png" for name in named}
    drawn = Path(client.download_artifacts(result.run_id, f"plots/{named[-1]}.png")).read_bytes()
    assert drawn.startswith(b"\x89PNG")
    about = json.loads(open_text(client, result.run_id, "training.json"))
    assert about["data"]["slices"]["fit"]["rows"] > 0
    assert about["split"]["kind"] == "out_of_time"
    description = client.get_model_version("restoration-risk", "1").description
    assert "AUC 0." in description


def open_text(client, run_id, name) -> str:
    return Path(client.download_artifacts(run_id, name)).read_text()


def test_mlflows_own_loader_gives_the_same_risk(trained, tracking_uri):
    folder, _ = resolve_model(trained[0].model_uri, tracking_uri)
    model = load_model(folder)
    example = model.reference.golden_rows()
    frame = pd.DataFrame(example, columns=list(model.feature_names)).iloc[:, ::-1]
    served = _load_pyfunc(str(folder)).predict(frame)
    assert served.columns.tolist() == ["risk"]
    np.testing.assert_array_equal(served["risk"], model.restoration_risk(example))


def test_nothing_is_made_when_the_input_is_refused(history, observations, tmp_path):
    uri = f"sqlite:///{tmp_path}/x/mlflow.db"
    good = observations.set_column(2, "bad", pa.array(np.zeros(observations.num_rows, bool)))
    with pytest.raises(DataError, match="0 bad and"):
        train(history[0], good, "lightgbm", tracking_uri=uri)
    with pytest.raises(ModelError, match="no model family"):
        train(history[0], observations, "forest", tracking_uri=uri)
    with pytest.raises(ModelError, match="can't name a registered model"):
        train(history[0], observations, "scorecard", name="a/b", tracking_uri=uri)
    assert not (tmp_path / "x").exists()


def test_a_report_that_cannot_be_written_is_refused_before_the_work(history, decided, tmp_path):
    (tmp_path / "file").touch()
    stages = []
    with pytest.raises(DataError, match=r"file/report: can't be written"):
        train(history[0], decided, "scorecard", tracking_uri=f"sqlite:///{tmp_path}/mlflow.db",
              report_out=tmp_path / "file" / "report", progress=stages.append)  # fmt: skip
    assert stages == []
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_report_that_is_refused_at_the_end_does_not_hide_the_version(trained, tmp_path):
    (tmp_path / "report").touch()
    told = r"File exists; models:/restoration-risk/1 is registered, and its run has the documents"
    with pytest.raises(DataError, match=told):
        _write_report({"plot.png": b"", "card.md": "text"}, tmp_path / "report", trained[0])
