"""From a model URI to a checked local artifact folder, and aliases of registered versions."""

import difflib
import hashlib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from relimit.data.errors import ModelError
from relimit.training.store import default_uri
from relimit.training.tracking import (
    DIGEST_TAG,
    download,
    is_absent,
    open_client,
    translated,
)

if TYPE_CHECKING:
    from mlflow import MlflowClient

BY_ALIAS: Final = re.compile(r"models:/(?P<name>[^/@]+)@(?P<alias>[^/@]+)")
BY_VERSION: Final = re.compile(r"models:/(?P<name>[^/@]+)/(?P<version>\d+)")
BY_RUN: Final = re.compile(r"runs:/(?P<run_id>[\w-]+)/model/?")
FORMS: Final = (
    "Give models:/NAME@ALIAS, models:/NAME/VERSION, runs:/RUN_ID/model or a local artifact folder"
)


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version in the registry.

    Attributes
    ----------
    name, version
        Its registered model and number.
    run_id
        The run that made it; its metrics and parameters are there.
    digest
        SHA-256 of the artifact's manifest, from the version's tags.
    """

    name: str
    version: str
    run_id: str
    digest: str

    @property
    def uri(self) -> str:
        """The version's URI, `models:/name/version`."""
        return f"models:/{self.name}/{self.version}"


def resolve_model(uri: str, tracking_uri: str | None = None) -> tuple[Path, str | None]:
    """Return the local artifact folder behind a model URI, and its registered digest.

    Parameters
    ----------
    uri
        `models:/name@alias`, `models:/name/3`, `runs:/id/model` or a local artifact folder. The
        digest is None for a local folder, which needs no MLflow.
    tracking_uri
        None: `MLFLOW_TRACKING_URI`, or the SQLite file in the working directory.

    Raises
    ------
    ModelError
        If there is no such model (the message names the nearest that exist), or its files are not
        those that were registered.
    """
    if Path(uri).is_dir():
        return Path(uri), None
    _require_known_form(uri)
    found = find_version(uri, tracking_uri)
    client = open_client(tracking_uri)
    with translated(uri):
        location = client.get_model_version_download_uri(found.name, found.version)
    folder = download(location, tracking_uri or default_uri())
    _require_digest(folder, found)
    return folder, found.digest


def find_version(uri: str, tracking_uri: str | None = None) -> RegisteredVersion:
    """Return the registered version behind a `models:/` or `runs:/` URI.

    Raises
    ------
    ModelError
        If there is none, or it was registered by something else than this project.
    """
    _require_known_form(uri)
    client = open_client(tracking_uri)
    if match := BY_ALIAS.fullmatch(uri):
        name, alias = match["name"], match["alias"]
        found = _look_up(client, uri, name, lambda: client.get_model_version_by_alias(name, alias))
    elif match := BY_VERSION.fullmatch(uri):
        name, version = match["name"], match["version"]
        found = _look_up(client, uri, name, lambda: client.get_model_version(name, version))
    else:
        found = _version_of_run(client, uri)
    digest = found.tags.get(DIGEST_TAG)
    if digest is None:
        raise ModelError(
            f"the version has no tag {DIGEST_TAG}: it was not registered by relimit train",
            where=uri,
            mend="Train and register it again",
        )
    return RegisteredVersion(found.name, str(found.version), found.run_id, digest)


def version_at_alias(
    name: str, alias: str, tracking_uri: str | None = None
) -> RegisteredVersion | None:
    """Return the version that an alias of a registered model points to, None if it is unset."""
    client = open_client(tracking_uri)
    with translated(name):
        aliases = client.get_registered_model(name).aliases
    if alias not in aliases:
        return None
    return find_version(f"models:/{name}/{aliases[alias]}", tracking_uri)


def is_registered_form(uri: str) -> bool:
    """Return whether a URI names a registered version, existing or not.

    Examples
    --------
    >>> is_registered_form("models:/restoration-risk/3"), is_registered_form("./folder")
    (True, False)
    """
    return any(form.fullmatch(uri) for form in (BY_ALIAS, BY_VERSION, BY_RUN))


def _require_known_form(uri: str) -> None:
    if not is_registered_form(uri):
        raise ModelError("neither a folder nor a model URI", where=uri, mend=FORMS)


def _look_up(client: "MlflowClient", uri: str, name: str, ask: Callable[[], Any]) -> Any:
    try:
        with translated(uri):
            return ask()
    except ModelError as error:
        if not is_absent(error):
            raise
        raise ModelError("no such model version", where=uri, mend=_nearest(client, name)) from error


def _nearest(client: "MlflowClient", name: str) -> str:
    names = [model.name for model in client.search_registered_models()]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=3, cutoff=0.4) or names[:3]
        return f"The nearest registered models: {_listed(near)}"
    aliases = client.get_registered_model(name).aliases
    versions = [str(v.version) for v in client.search_model_versions(f"name='{name}'")]
    return f"{name} has the versions {_listed(versions)} and the aliases {_listed(sorted(aliases))}"


def _version_of_run(client: "MlflowClient", uri: str) -> Any:
    match = BY_RUN.fullmatch(uri)
    run_id = match["run_id"] if match else ""
    with translated(uri):
        versions = client.search_model_versions(f"run_id='{run_id}'")
    if not versions:
        raise ModelError("no run with a registered model of this id", where=uri, mend=FORMS)
    return versions[0]


def _require_digest(folder: Path, found: RegisteredVersion) -> None:
    manifest = folder / "manifest.json"
    if not manifest.is_file():
        raise ModelError("the artifact has no manifest.json", where=found.uri, mend="Train again")
    actual = hashlib.sha256(manifest.read_bytes()).hexdigest()
    if actual != found.digest:
        raise ModelError(
            f"manifest.json has the digest {actual[:12]}, {found.digest[:12]} was registered",
            where=str(folder),
            mend="The artifact was changed after its registration: train again or restore it",
        )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
