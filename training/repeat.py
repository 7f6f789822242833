"""Train a recorded version again, from nothing but what its run recorded and the same tables."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from relimit.data.errors import DataError, ModelError
from relimit.models import load_model
from relimit.training.fit import Progress
from relimit.training.labelled import read_labelled
from relimit.training.record import TrainResult
from relimit.training.registry import resolve_model
from relimit.training.run import train

MATRIX: Final = "feature matrix"


@dataclass(frozen=True, slots=True)
class Repetition:
    """A version that was trained again.

    Attributes
    ----------
    result
        The new version.
    differences
        Files of the artifact that differ from the first's, and `feature matrix` if what they were
        learnt from does, then which versions of the code, Python and libraries do; none: every
        prediction is the same.
    """

    result: TrainResult
    differences: tuple[str, ...]


def repeat_training(
    model_uri: str,
    events: Path,
    observations: pa.Table,
    *,
    tracking_uri: str | None = None,
    workers: int = 2,
    progress: Progress | None = None,
) -> Repetition:
    """Train a registered version again with its recorded settings, and compare the artifacts.

    Parameters
    ----------
    model_uri
        As `resolve_model` takes it.
    events, observations
        What it was trained on; the observations' fingerprint is checked.
    tracking_uri, workers, progress
        As for `train`.

    Raises
    ------
    DataError
        If the observations aren't those it was trained on.
    ModelError
        If the version doesn't say how it was trained, or its features aren't installed.
    """
    first = _manifest(model_uri, tracking_uri)
    if "settings" not in first or "data" not in first:
        raise ModelError(
            "its manifest has no settings: it doesn't say how it was trained",
            where=model_uri,
            mend="Repeat a version made by relimit train",
        )
    recorded = str(first["data"]["observations_sha256"])
    found = read_labelled(observations)[0].fingerprint()
    if found != recorded:
        raise DataError(
            f"the matured rows have the fingerprint {found[:12]}, {recorded[:12]} was recorded",
            where="observations",
            mend=f"Bring the observations that {model_uri} was trained on, in their order",
        )
    result = train(
        events,
        observations,
        **first["settings"],
        tracking_uri=tracking_uri,
        workers=workers,
        progress=progress,
    )
    second = _manifest(result.model_uri, tracking_uri)
    files = sorted({*first["files"], *second["files"]})
    different = [name for name in files if first["files"].get(name) != second["files"].get(name)]
    if first["data"]["matrix_sha256"] != second["data"]["matrix_sha256"]:
        different.insert(0, MATRIX)
    if different:
        different += _changed(_versions(first), _versions(second))
    return Repetition(result, tuple(different))


def _versions(manifest: Mapping[str, Any]) -> dict[str, Any]:
    libraries = {**manifest.get("libraries", {}), **manifest.get("trained_with", {})}
    return {**libraries, "code": manifest.get("code_revision")}


def _changed(first: Mapping[str, Any], second: Mapping[str, Any]) -> list[str]:
    names = sorted({*first, *second})
    return [
        f"{name} {second.get(name)} (was {first.get(name)})"
        for name in names
        if first.get(name) != second.get(name)
    ]


def _manifest(model_uri: str, tracking_uri: str | None) -> dict[str, Any]:
    folder, digest = resolve_model(model_uri, tracking_uri)
    return load_model(folder, digest=digest).manifest
