"""MLflow as a user of the store sees it: runs, versions, digests, several writers at once."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow.models import Model

from relimit.data.errors import ModelError
from relimit.training.registry import find_version, resolve_model, version_at_alias
from relimit.training.store import SQLITE, artifact_root, default_uri, store_lock
from relimit.training.tracking import LoggedArtifact, open_client, register_version, start_run


def log_version(tracking_uri: str, folder: Path, name: str = "risk") -> tuple[str, str]:
    manifest = (folder / "manifest.json").read_bytes()
    artifact = LoggedArtifact(
        folder=folder,
        digest=hashlib.sha256(manifest).hexdigest(),
        example=pd.DataFrame({"draws": [1.0, 2.0], "score": [600.0, float("nan")]}),
        metrics={"auc": 0.7, "undefined": float("nan")},
        tags={"family": "test"},
        description="made by a test",
    )
    with start_run("tests", "one", {"who": "test"}, tracking_uri) as run:
        run.params({"seed": 3})
        run.json({"rows": 2}, "data")
        run.files({"plots/empty.png": b"\x89PNG", "note.txt": "plots: ü"})
        return run.run_id, register_version(run, name, artifact)


@pytest.fixture(scope="module")
def artifact_folder(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("artifact") / "anything"
    folder.mkdir()
    (folder / "manifest.json").write_text('{"made_by": "test"}')
    return folder


@pytest.fixture
def fresh_uri(tmp_path) -> str:
    return f"{SQLITE}{tmp_path / 'store' / 'mlflow.db'}"


@pytest.fixture(scope="module")
def logged(tracking_uri, artifact_folder):
    return log_version(tracking_uri, artifact_folder)


def test_a_version_carries_what_a_reviewer_looks_for(tracking_uri, logged):
    run_id, version = logged
    client = open_client(tracking_uri)
    run = client.get_run(run_id)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "3"}
    assert run.data.metrics == {"auc": 0.7}
    assert run.info.artifact_uri.startswith(
        (Path(tracking_uri[10:]).parent / "mlartifacts").as_uri()
    )
    assert [f.path for f in client.list_artifacts(run_id, "plots")] == ["plots/empty.png"]
    assert Path(client.download_artifacts(run_id, "note.txt")).read_text("utf-8") == "plots: ü"
    registered = client.get_model_version("risk", version)
    assert registered.description == "made by a test"
    assert registered.tags["family"] == "test"
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert {m.key: m.value for m in model.metrics} == {"auc": 0.7}


def test_the_logged_model_has_signature_example_and_pinned_requirements(tracking_uri, logged):
    folder = resolve_model("models:/risk/1", tracking_uri)[0].parent.parent
    model = Model.load(folder)
    assert model.signature.inputs.input_names() == ["draws", "score"]
    assert not any(column.required for column in model.signature.inputs)
    assert model.signature.outputs.input_names() == ["risk"]
    assert model.load_input_example(str(folder))["draws"].tolist() == [1.0, 2.0]
    requirements = (folder / "requirements.txt").read_text().split()
    assert all("==" in line for line in requirements)
    assert {"relimit", "lightgbm"} <= {line.split("==")[0] for line in requirements}
    assert not [p for p in folder.rglob("*") if p.suffix in {".pkl", ".py"}]


def test_every_form_of_uri_finds_the_artifact(tracking_uri, logged, artifact_folder):
    run_id, version = logged
    open_client(tracking_uri).set_registered_model_alias("risk", "live", version)
    expected = hashlib.sha256((artifact_folder / "manifest.json").read_bytes()).hexdigest()
    for uri in ("models:/risk/1", "models:/risk@live", f"runs:/{run_id}/model"):
        folder, digest = resolve_model(uri, tracking_uri)
        assert digest == expected
        assert (folder / "manifest.json").read_text() == '{"made_by": "test"}'
    assert resolve_model(str(artifact_folder), tracking_uri) == (artifact_folder, None)
    at_alias = version_at_alias("risk", "live", tracking_uri)
    assert at_alias == find_version("models:/risk/1", tracking_uri)
    assert at_alias.uri == "models:/risk/1"
    assert version_at_alias("risk", "challenger", tracking_uri) is None


@pytest.mark.parametrize(
    ("uri", "hint"),
    [
        ("models:/rsk/1", "nearest registered models: risk"),
        ("models:/risk@champion", "risk has the versions 1 and the aliases"),
        ("models:/risk/9", "risk has the versions 1"),
        ("runs:/0123/model", "no run with a registered model"),
        ("risk", "neither a folder nor a model URI"),
        ("runs:/x' or name='risk/model", "neither a folder"),
    ],
)
def test_an_unknown_model_is_refused_with_the_nearest_names(tracking_uri, logged, uri, hint):
    with pytest.raises(ModelError, match=hint):
        resolve_model(uri, tracking_uri)


def test_an_artifact_that_changed_after_registration_is_refused(tracking_uri, artifact_folder):
    log_version(tracking_uri, artifact_folder, "edited")
    folder, _ = resolve_model("models:/edited/1", tracking_uri)
    (folder / "manifest.json").write_text('{"made_by": "someone else"}')
    with pytest.raises(ModelError, match=r"has the digest .* was registered"):
        resolve_model("models:/edited/1", tracking_uri)
    (folder / "manifest.json").unlink()
    with pytest.raises(ModelError, match=r"no manifest\.json"):
        resolve_model("models:/edited/1", tracking_uri)


def test_a_model_that_is_not_ours_is_refused(tracking_uri, logged):
    client = open_client(tracking_uri)
    client.create_registered_model("foreign")
    client.create_model_version("foreign", "/nowhere")
    with pytest.raises(ModelError, match="not registered by relimit train"):
        resolve_model("models:/foreign/1", tracking_uri)


def test_reading_an_absent_store_makes_none(fresh_uri):
    with pytest.raises(ModelError, match="no MLflow store here"):
        resolve_model("models:/risk/1", fresh_uri)
    assert not Path(fresh_uri.removeprefix(SQLITE)).parent.exists()


def test_a_run_that_raises_is_marked_failed(tracking_uri):
    with pytest.raises(ZeroDivisionError), start_run("tests", "one", {}, tracking_uri) as run:
        raise ZeroDivisionError
    assert open_client(tracking_uri).get_run(run.run_id).info.status == "FAILED"


def test_an_unusable_store_is_one_clear_message(tmp_path):
    with pytest.raises(ModelError, match="MLflow refuses"):
        open_client(f"{tmp_path}/mlruns", create=True)
    (tmp_path / "file").write_text("")
    with pytest.raises(ModelError, match="can't lock the MLflow store"):
        open_client(f"{SQLITE}{tmp_path}/file/mlflow.db", create=True)


def test_the_default_store_is_in_the_working_directory_unless_the_environment_says(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert default_uri() == "sqlite:///mlflow.db"
    assert artifact_root(default_uri(), "x") == (Path.cwd() / "mlartifacts/x").as_uri()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://mlflow.example")
    assert default_uri() == "https://mlflow.example"
    assert artifact_root(default_uri(), "x") is None


def test_no_global_state_of_mlflow_is_touched(tracking_uri, logged):
    assert "MLFLOW_TRACKING_URI" not in os.environ
    assert mlflow.active_run() is None
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == "true"


AT_ONCE = """
import os, sys
from pathlib import Path
import mlflow.pyfunc, mlflow.store.tracking.sqlalchemy_store, pandas, pyarrow.parquet
import mlflow.store.model_registry.sqlalchemy_store
from relimit.training.tracking import LoggedArtifact, register_version, start_run
folder = Path(sys.argv[2])
children = []
for _ in range(3):
    children.append(os.fork())
    if not children[-1]:
        artifact = LoggedArtifact(
            folder=folder, digest="0" * 64, example=pandas.DataFrame({"draws": [1.0]}),
            metrics={"auc": 0.7}, tags={}, description="one of three",
        )
        with start_run("tests", "one", {}, sys.argv[1]) as run:
            print(register_version(run, "shared", artifact), flush=True)
        os._exit(0)
sys.exit(sum(os.waitpid(child, 0)[1] for child in children))
"""


def test_three_processes_at_once_on_a_fresh_store_each_register_a_version(
    fresh_uri, artifact_folder
):
    """Each as a training does, once its model is fitted."""
    command = [sys.executable, "-c", AT_ONCE, fresh_uri, str(artifact_folder)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 0, ran.stderr
    assert sorted(ran.stdout.split()) == ["1", "2", "3"]


def test_the_lock_is_held_by_one_at_a_time(fresh_uri, monkeypatch):
    monkeypatch.setattr("relimit.training.store.LOCK_SECONDS", 0.1)
    with (
        store_lock(fresh_uri),
        pytest.raises(ModelError, match="locked"),
        store_lock(fresh_uri),
    ):
        pass
    with store_lock(fresh_uri):
        pass


def test_training_is_importable_without_what_few_commands_need(tmp_path):
    """Whoever scores opens a version by way of this package, and neither draws nor tunes."""
    script = (
        "import sys, relimit.training;"
        "print({'mlflow', 'matplotlib', 'optbinning', 'optuna', 'numba'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", script]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "set()"
