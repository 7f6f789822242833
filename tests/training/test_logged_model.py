"""The logged model's folder against the one that MLflow's own writer makes."""

import json
from importlib.metadata import version

import mlflow.pyfunc
import pandas as pd
import pytest
import yaml
from mlflow.models import Model, ModelSignature
from mlflow.types import ColSpec, Schema

from relimit.training.logged_model import write_model

EXAMPLE = pd.DataFrame({"draws": [1.0, 2.0], "score": [float("nan"), 0.1 + 0.2]})
OWN = {"utc_time_created", "model_size_bytes"}
"""What differs from one writing to the next."""


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("models")
    (root / "artifact").mkdir()
    (root / "artifact" / "manifest.json").write_text("{}")
    entries = [Model(artifact_path="file:///x", run_id="r", model_id="m-1") for _ in range(2)]
    write_model(root / "ours", entries[0], root / "artifact", EXAMPLE)
    columns = [ColSpec("double", name, required=False) for name in EXAMPLE.columns]
    packages = ("relimit", "lightgbm", "numpy", "pandas", "scipy", "scikit-learn")
    mlflow.pyfunc.save_model(
        root / "mlflows",
        loader_module="relimit.training.flavour",
        data_path=str(root / "artifact"),
        mlflow_model=entries[1],
        signature=ModelSignature(Schema(columns), Schema([ColSpec("double", "risk")])),
        input_example=EXAMPLE,
        pip_requirements=[f"{name}=={version(name)}" for name in packages],
    )
    return root / "ours", root / "mlflows"


def test_the_same_files_are_written_as_mlflow_writes(folders):
    ours, mlflows = ({f.relative_to(at) for at in [at] for f in at.rglob("*")} for at in folders)
    assert ours == mlflows


@pytest.mark.parametrize("name", ["conda.yaml", "python_env.yaml", "requirements.txt", "MLmodel"])
def test_the_entry_and_the_environments_are_those_that_mlflow_writes(folders, name):
    ours, mlflows = (yaml.safe_load((at / name).read_text()) for at in folders)
    if name == "MLmodel":
        ours, mlflows = ({k: v for k, v in x.items() if k not in OWN} for x in (ours, mlflows))
        for entry in (ours, mlflows):
            assert entry["flavors"]["python_function"].pop("code", None) is None
            entry.pop("model_uuid")
    assert ours == mlflows


def test_the_example_comes_back_to_the_last_bit_and_is_plain_json(folders):
    ours = folders[0]
    pd.testing.assert_frame_equal(
        Model.load(ours).load_input_example(str(ours)), EXAMPLE, check_exact=True
    )
    served = [(at / "serving_input_example.json").read_text() for at in folders]
    assert json.loads(served[0]) == json.loads(served[1])
    json.loads((ours / "input_example.json").read_text(), parse_constant=pytest.fail)
