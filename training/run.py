"""Train a model from events and observations, and register it as a version in MLflow."""

from pathlib import Path

import pyarrow as pa

from relimit.data.errors import ModelError
from relimit.data.vocabulary import BAD_HORIZON_DAYS
from relimit.models import family_named
from relimit.training.dataset import read_training_data
from relimit.training.fit import Progress, fit_model
from relimit.training.record import TrainResult, record_version


def train(
    events: Path,
    observations: pa.Table,
    family: str,
    *,
    name: str = "restoration-risk",
    tracking_uri: str | None = None,
    horizon_days: int = BAD_HORIZON_DAYS,
    workers: int = 2,
    seed: int = 0,
    progress: Progress | None = None,
) -> TrainResult:
    """Train a risk model, test it on later or other accounts' rows, and register it.

    Training again on the same input with the same seed gives the same predictions.

    Parameters
    ----------
    events
        `events.parquet`, or a folder of parts.
    observations
        `account_id`, `as_of`, `bad`, and optionally what a decision log adds (see the schema).
        Rows whose `bad` is null have not matured: they are left out and counted.
    family
        `lightgbm` or `scorecard`.
    name
        The registered model; its experiment has the same name.
    tracking_uri
        None: `MLFLOW_TRACKING_URI`, or a SQLite file in the working directory.
    horizon_days
        Length of the window in which `bad` was observed; what is kept between the slices.
    workers
        Threads; they change no result.
    seed
        Of everything drawn.
    progress
        Called with the name of each stage.

    Raises
    ------
    DataError
        If the tables break their contract, or have too few rows of one outcome.
    ModelError
        If the family or the name can't be used, or MLflow refuses something.
    """
    family_named(family)
    _check_name(name)
    report = progress or (lambda _: None)
    data = read_training_data(
        events, observations, horizon_days=horizon_days, workers=workers, progress=report
    )
    fitted = fit_model(
        family,
        data.X,
        data.names,
        data.labelled,
        data.split,
        workers=workers,
        seed=seed,
        progress=report,
    )
    report("recording the version")
    settings = {"family": family, "seed": seed, "name": name, "horizon_days": horizon_days}
    return record_version(data, fitted, settings, tracking_uri)


def _check_name(name: str) -> None:
    if not name or set(name) & set("/:@'\""):
        raise ModelError(
            f"{name!r} can't name a registered model", mend="Use no slash, colon, @ or quote"
        )
