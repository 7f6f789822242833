"""Runs and model versions in MLflow; nothing else imports it, and only when it is used."""

import json
import logging
import math
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa

from relimit.data.errors import ModelError
from relimit.data.tables import write_parquet
from relimit.training.store import artifact_root, default_uri, require_store, store_lock

if TYPE_CHECKING:
    import pandas as pd
    from mlflow import MlflowClient

ARTIFACT_FOLDER: Final = "data/artifact"
"""Where a logged model keeps our artifact: MLflow puts a `data_path` under `data/`."""
DIGEST_TAG: Final = "relimit.artifact_digest"
PATIENCE: Final = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "30",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
}
"""How long a server is waited for unless the environment says otherwise: at most 100 seconds a
request, where MLflow's own settings wait a quarter of an hour for a server that has died."""
LOADER_MODULE: Final = "relimit.training.flavour"
REQUIREMENTS: Final = ("relimit", "lightgbm", "numpy", "pandas", "scipy", "scikit-learn")


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """An MLflow run that is open for writing.

    Attributes
    ----------
    client
        MLflow's client of the run's store; it touches none of MLflow's global state.
    run_id, experiment_id
        MLflow's ids.
    """

    client: "MlflowClient"
    run_id: str
    experiment_id: str

    def params(self, values: Mapping[str, object]) -> None:
        """Record settings as text."""
        from mlflow.entities import Param

        entries = [Param(name, str(value)) for name, value in values.items()]
        self.client.log_batch(self.run_id, params=entries)

    def metrics(self, values: Mapping[str, float], model_id: str | None = None) -> None:
        """Record the finite numbers of the run, and of its model if one is named."""
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        entries = [
            Metric(name, float(value), now, 0, model_id=model_id, run_id=self.run_id)
            for name, value in values.items()
            if math.isfinite(value)
        ]
        self.client.log_batch(self.run_id, metrics=entries)

    def files(self, contents: Mapping[str, str | bytes]) -> None:
        """Record each as a file by its name, which may lead through folders, all at once."""
        with tempfile.TemporaryDirectory() as folder:
            for name, content in contents.items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.encode() if isinstance(content, str) else content)
            self.client.log_artifacts(self.run_id, folder)

    def tables(self, names: Iterable[str]) -> None:
        """Mark recorded files as tables: MLflow then lays those of several runs side by side."""
        from mlflow.utils.mlflow_tags import MLFLOW_LOGGED_ARTIFACTS

        marked = [{"path": name, "type": "table"} for name in names]
        self.client.set_tag(self.run_id, MLFLOW_LOGGED_ARTIFACTS, json.dumps(marked))

    def json(self, content: Mapping[str, object], name: str) -> None:
        """Record a JSON object as `<name>.json`."""
        self.client.log_dict(self.run_id, dict(content), f"{name}.json")

    def inputs(self, model_ids: Sequence[str]) -> None:
        """Record logged models as what the run is about."""
        from mlflow.entities import LoggedModelInput

        self.client.log_inputs(self.run_id, models=[LoggedModelInput(one) for one in model_ids])

    def table(self, table: pa.Table, name: str) -> None:
        """Record a table as `<name>.parquet`."""
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{name}.parquet"
            write_parquet(table, path)
            self.client.log_artifact(self.run_id, str(path))


@dataclass(frozen=True, slots=True)
class LoggedArtifact:
    """What a registered version is made of.

    Attributes
    ----------
    folder
        Our artifact.
    digest
        SHA-256 of its manifest.
    example
        A few rows of the model's features, float64; it gives the signature its columns.
    metrics, tags, description
        Recorded with the model and the version.
    """

    folder: Path
    digest: str
    example: "pd.DataFrame"
    metrics: Mapping[str, float]
    tags: Mapping[str, str]
    description: str


def open_client(tracking_uri: str | None = None, *, create: bool = False) -> "MlflowClient":
    """Return a client of the store, whose tables exist from then on.

    Parameters
    ----------
    tracking_uri
        None: `default_uri()`.
    create
        Whether to make a SQLite store that doesn't exist; otherwise that is an error.

    Raises
    ------
    ModelError
        If the store can't be opened.
    """
    uri = tracking_uri or default_uri()
    if not create:
        require_store(uri)
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    # It would print the address as it is, password and all, into what `--json` prints.
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    os.environ.setdefault(
        "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false"
    )  # commands have their own
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    with store_lock(uri), translated(uri):
        from mlflow import MlflowClient

        for noisy in ("mlflow", "alembic"):
            logging.getLogger(noisy).setLevel(logging.ERROR)
        try:
            client = MlflowClient(uri, os.environ.get("MLFLOW_REGISTRY_URI") or uri)
            client.search_experiments(max_results=1)
        except ModuleNotFoundError as error:
            mend = f"Install it: pip install {error.name}"
            raise ModelError("the store's driver is absent", where=uri, mend=mend) from error
    return client


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn MLflow's errors into ours."""
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    try:
        yield
    except (MlflowException, SQLAlchemyError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise ModelError(
            f"MLflow refuses: {reason}", where=where, mend="Check the tracking URI and the name"
        ) from error


def is_absent(error: ModelError) -> bool:
    """Return whether a translated error means that MLflow has no such thing."""
    return getattr(error.__cause__, "error_code", "") in (
        "RESOURCE_DOES_NOT_EXIST",
        "INVALID_PARAMETER_VALUE",
    )


@contextmanager
def start_run(
    experiment: str, run_name: str, tags: Mapping[str, str], tracking_uri: str | None = None
) -> Iterator[TrackedRun]:
    """Open a run in an experiment, which is made if absent; a run that raises is marked failed.

    Raises
    ------
    ModelError
        If MLflow refuses something; what the body raises passes through.
    """
    uri = tracking_uri or default_uri()
    client = open_client(uri, create=True)
    with translated(uri):
        experiment_id = _experiment_id(client, experiment, uri)
        created = client.create_run(experiment_id, run_name=run_name, tags=dict(tags))
    run = TrackedRun(client, created.info.run_id, experiment_id)
    try:
        with translated(uri):
            yield run
    except BaseException:
        with suppress(ModelError), translated(uri):  # what failed is told, not that this did too
            client.set_terminated(run.run_id, "FAILED")
        raise
    with translated(uri):
        client.set_terminated(run.run_id, "FINISHED")


def register_version(run: TrackedRun, name: str, artifact: LoggedArtifact) -> str:
    """Log the artifact as a model of the run, register it, and return its version.

    The version appears last, when everything that it refers to is in place. Its tags hold the
    artifact's digest, which `resolve_model` checks.
    """
    from mlflow.entities import LoggedModelOutput, LoggedModelStatus

    tags = {**artifact.tags, DIGEST_TAG: artifact.digest}
    model = run.client.create_logged_model(
        run.experiment_id, name="model", source_run_id=run.run_id, tags=tags, model_type="relimit"
    )
    with tempfile.TemporaryDirectory() as folder:
        _save_mlflow_model(Path(folder) / "model", model, run, artifact)
        run.client.log_model_artifacts(model.model_id, f"{folder}/model")
    run.metrics(artifact.metrics, model.model_id)
    run.client.finalize_logged_model(model.model_id, LoggedModelStatus.READY)
    run.client.log_outputs(run.run_id, [LoggedModelOutput(model.model_id, 0)])
    _ensure_registered(run.client, name)
    registered = run.client.create_model_version(
        name,
        model.artifact_location,  # MLflow looks a models:/ source up in its global store
        run.run_id,
        tags=tags,
        description=artifact.description,
        model_id=model.model_id,
    )
    return str(registered.version)


def download(location: str, tracking_uri: str) -> Path:
    """Return a local folder with the artifact at a logged model's location.

    A local store's own folder is returned as it is; a remote one is downloaded.
    """
    from mlflow.artifacts import download_artifacts

    with translated(location):
        uri = f"{location.rstrip('/')}/{ARTIFACT_FOLDER}"
        return Path(download_artifacts(artifact_uri=uri, tracking_uri=tracking_uri))


def _experiment_id(client: "MlflowClient", name: str, tracking_uri: str) -> str:
    with store_lock(tracking_uri):
        found = client.get_experiment_by_name(name)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(name, artifact_root(tracking_uri, name)))


def _save_mlflow_model(folder: Path, model: Any, run: TrackedRun, artifact: LoggedArtifact) -> None:
    import mlflow.pyfunc
    from mlflow.models import Model, ModelSignature
    from mlflow.types import ColSpec, Schema

    columns = [ColSpec("double", name, required=False) for name in artifact.example.columns]
    with tempfile.TemporaryDirectory() as staging:
        data = Path(staging) / Path(ARTIFACT_FOLDER).name  # MLflow keeps the folder's own name
        shutil.copytree(artifact.folder, data)
        mlflow.pyfunc.save_model(
            folder,
            loader_module=LOADER_MODULE,
            data_path=str(data),
            mlflow_model=Model(
                artifact_path=model.artifact_location,
                run_id=run.run_id,
                model_uuid=model.model_id,
                model_id=model.model_id,
            ),
            signature=ModelSignature(Schema(columns), Schema([ColSpec("double", "risk")])),
            input_example=artifact.example,
            pip_requirements=_pinned(REQUIREMENTS),
        )


def _pinned(packages: Sequence[str]) -> list[str]:
    return [f"{package}=={installed_version(package)}" for package in packages]


def _ensure_registered(client: "MlflowClient", name: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(name)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
