"""The folder of a logged model in MLflow's storage format, from what its flavours share.

`mlflow.pyfunc.save_model` writes the same files. But it reads the list of files of every installed
package, to warn of requirements that aren't what is installed, and this costs a second of each
training; ours are pinned to what is installed.
"""

import json
import math
import shutil
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from platform import python_version
from typing import Any, Final

import pandas as pd
from mlflow.models import Model, ModelSignature, convert_input_example_to_serving_input
from mlflow.pyfunc import add_to_model
from mlflow.types import ColSpec, Schema

from relimit.training.tracking import ARTIFACT_FOLDER

LOADER_MODULE: Final = "relimit.training.flavour"
REQUIREMENTS: Final = ("mlflow", "relimit", "lightgbm", "numpy", "pandas", "scipy", "scikit-learn")
BUILD_REQUIREMENTS: Final = ("pip", "setuptools", "wheel")
EXAMPLE: Final = {
    "artifact_path": "input_example.json",
    "pandas_orient": "split",
    "serving_input_path": "serving_input_example.json",
    "type": "dataframe",
}


def write_model(folder: Path, model: Model, artifact: Path, example: pd.DataFrame) -> None:
    """Write a pyfunc model that holds our artifact into a new folder.

    Parameters
    ----------
    folder
        Absent.
    model
        MLflow's entry with the ids of the run and the logged model; it is completed.
    artifact
        Our artifact's folder, which is copied.
    example
        A few rows of the features, float64; it gives the signature its columns.
    """
    shutil.copytree(artifact, folder / ARTIFACT_FOLDER)
    columns = [ColSpec("double", name, required=False) for name in example.columns]
    model.signature = ModelSignature(Schema(columns), Schema([ColSpec("double", "risk")]))
    model.saved_input_example_info = dict(EXAMPLE)
    rows = [[None if math.isnan(x) else x for x in row] for row in example.to_numpy().tolist()]
    content = {"columns": list(example.columns), "data": rows}
    (folder / EXAMPLE["artifact_path"]).write_text(json.dumps(content))
    served = convert_input_example_to_serving_input(example)
    (folder / EXAMPLE["serving_input_path"]).write_text(str(served))
    add_to_model(
        model,
        loader_module=LOADER_MODULE,
        data=ARTIFACT_FOLDER,
        conda_env="conda.yaml",
        python_env="python_env.yaml",
        streamable=False,
    )
    _write_environments(folder)
    model.model_size_bytes = sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())
    model.save(str(folder / "MLmodel"))


def _write_environments(folder: Path) -> None:
    """Write what to install, as pip, virtualenv and conda read it."""
    pinned = [f"{name}=={installed_version(name)}" for name in REQUIREMENTS]
    pip, *_ = build = [_pinned_if_there(name) for name in BUILD_REQUIREMENTS]
    (folder / "requirements.txt").write_text("\n".join(pinned))
    virtual = {"build_dependencies": build, "dependencies": ["-r requirements.txt"]}
    _write_yaml(folder / "python_env.yaml", {"python": python_version(), **virtual})
    conda = [f"python={python_version()}", pip.replace("==", "<="), {"pip": pinned}]
    entries = {"channels": ["conda-forge"], "dependencies": conda, "name": "mlflow-env"}
    _write_yaml(folder / "conda.yaml", entries)


def _write_yaml(path: Path, content: dict[str, Any]) -> None:
    path.write_text(json.dumps(content, indent=1))  # which is YAML too


def _pinned_if_there(package: str) -> str:
    """Return the package as it is installed; without a version where it is not, as MLflow does."""
    try:
        return f"{package}=={installed_version(package)}"
    except PackageNotFoundError:
        return package
