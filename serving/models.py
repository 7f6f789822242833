"""Open a model by its URI: a local folder needs no MLflow, anything else goes through it."""

from pathlib import Path

from relimit.models import Artifact, Predictor, RiskModel


def open_model(
    uri: str, tracking_uri: str | None = None, *, predictor: Predictor = "auto"
) -> RiskModel:
    """Return the checked model behind `uri`; no code from the artifact runs.

    `predictor` is as in `Artifact.load`.

    Raises
    ------
    ModelError
        If there is no such model, or it fails a check.
    """
    return open_artifact(uri, tracking_uri).load(predictor=predictor)


def open_artifact(uri: str, tracking_uri: str | None = None) -> Artifact:
    """Return the bytes of the model behind `uri`, checked against the digest in the registry.

    A local folder has no digest but its manifest's own.

    Raises
    ------
    ModelError
        If there is no such model, or a file is absent, damaged or exchanged.
    """
    if Path(uri).is_dir():
        return Artifact.read(Path(uri))
    from relimit.training import resolve_model

    return Artifact.read(*resolve_model(uri, tracking_uri))
