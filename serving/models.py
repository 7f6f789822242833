"""Open a model by its URI: a local folder needs no MLflow, anything else goes through it."""

from pathlib import Path

from relimit.models import Predictor, RiskModel, load_model


def open_model(
    uri: str, tracking_uri: str | None = None, *, predictor: Predictor = "auto"
) -> RiskModel:
    """Return the checked model behind `uri`; no code from the artifact runs.

    `predictor` is as in `load_model`.

    Raises
    ------
    ModelError
        If there is no such model, or it fails a check.
    """
    folder, digest = locate_model(uri, tracking_uri)
    return load_model(folder, digest=digest, predictor=predictor)


def locate_model(uri: str, tracking_uri: str | None = None) -> tuple[Path, str | None]:
    """Return a model's folder and the digest that the registry holds; None for a local folder.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    folder = Path(uri)
    if folder.is_dir():
        return folder, None
    from relimit.training import resolve_model

    return resolve_model(uri, tracking_uri)
