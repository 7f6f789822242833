"""What a version records in MLflow and in its own manifest."""

import platform
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as version_of
from pathlib import Path
from typing import Any, Final

import pandas as pd

from relimit.features import catalogue_hash
from relimit.models import RiskModel, ScorecardHead, save_model
from relimit.training.backtest import BacktestMonth
from relimit.training.dataset import TrainingData
from relimit.training.fit import Fitted
from relimit.training.grid_data import PLOTS, TABLES
from relimit.training.judged import Judged
from relimit.training.tested import FINGERPRINT, NAME, SCORES, SliceRisks, tested_table
from relimit.training.tracking import LoggedArtifact, register_version, start_run

EXAMPLE_ROWS: Final = 3
TRAINED_WITH: Final = ("optbinning", "ortools", "optuna")
"""Libraries that only a training needs, and whose versions its bins or its search may hang on."""


@dataclass(frozen=True, slots=True)
class TrainResult:
    """A registered version.

    Attributes
    ----------
    model_uri
        `models:/name/version`.
    version, run_id
        Its number and its MLflow run.
    metrics
        Figures on rows that it was not fitted on, by name.
    cautions
        What to know before they are read, in words.
    rows
        What each observation was for, see `TrainingData.row_counts`.
    backtest
        The last months under models that learnt before them, if asked for.
    """

    model_uri: str
    version: str
    run_id: str
    metrics: dict[str, float]
    cautions: tuple[str, ...]
    rows: Mapping[str, int]
    backtest: tuple[BacktestMonth, ...]


def record_version(
    judged: Judged, documents: Mapping[str, str | bytes], tracking_uri: str | None
) -> TrainResult:
    """Log a run with everything that a reviewer needs, and register its model.

    Parameters
    ----------
    judged
        The version and what is known of it.
    documents
        Texts and pictures to record by file name.
    tracking_uri
        None: `MLFLOW_TRACKING_URI`, or the SQLite file in the working directory.

    Raises
    ------
    ModelError
        If MLflow refuses something; nothing is registered then.
    """
    data, fitted, settings = judged.data, judged.fitted, judged.settings
    scores = tested_table(data, fitted.test_risk)
    about = _manifest(judged, SliceRisks.of(scores))
    name, family = str(settings["name"]), str(settings["family"])
    tags = {"family": family, "split": data.split.kind}
    with (
        tempfile.TemporaryDirectory() as folder,
        start_run(name, family, tags, tracking_uri) as run,
    ):
        run.params(_params(judged))
        run.json(about, "training")
        run.table(scores, NAME)
        tables = {file: table.to_csv(index=False) for file, table in _tables(fitted.model).items()}
        plots = {f"{PLOTS}/{plot}.png": image for plot, image in judged.plots.items()}
        run.files({**tables, **plots, **documents})
        run.tables(file for file in documents if file.startswith(f"{TABLES}/"))
        path = Path(folder) / "artifact"
        artifact = LoggedArtifact(
            folder=path,
            digest=save_model(fitted.model, path, manifest=about),
            example=_example(fitted, data.names),
            metrics=fitted.metrics,
            tags=tags,
            description=_describe(data, fitted, family),
        )
        version = register_version(run, name, artifact)
    uri = f"models:/{name}/{version}"
    return TrainResult(
        uri,
        version,
        run.run_id,
        fitted.metrics,
        judged.cautions,
        data.row_counts(),
        judged.backtest,
    )


def _manifest(judged: Judged, scores: SliceRisks) -> dict[str, Any]:
    fitted, propensities = judged.fitted, judged.fitted.propensities
    about = dict(judged.about)
    return {
        "settings": dict(judged.settings),
        "estimator": fitted.parameters,
        "tuning": None if fitted.tuning is None else fitted.tuning.to_dict(),
        "code_revision": about.pop("code_revision"),
        "trained_with": _trained_with(),
        "data": about,
        "split": judged.data.split.to_manifest(),
        "metrics": fitted.metrics,
        "tested": {FINGERPRINT: _test_fingerprint(judged.data), SCORES: scores.digest},
        "cautions": list(judged.cautions),
        "calibration": fitted.calibration.calibration.kind,
        "calibration_log_loss": dict(fitted.calibration.log_loss),
        "propensities": None if propensities is None else propensities.to_dict(),
        "arm_effect": None if fitted.arm_effect is None else asdict(fitted.arm_effect),
        "backtest": [asdict(month) for month in judged.backtest],
    }


def _trained_with() -> dict[str, str]:
    """Return the versions of Python and of what a training needs beside what scores."""
    found = {"python": platform.python_version()}
    for name in TRAINED_WITH:
        with suppress(PackageNotFoundError):
            found[name] = version_of(name)
    return found


def _test_fingerprint(data: TrainingData) -> str:
    return data.labelled.take(data.split.test).fingerprint()


def _params(judged: Judged) -> dict[str, object]:
    data, fitted = judged.data, judged.fitted
    about = dict(judged.about)
    slices = about.pop("slices")
    counts = {f"{name}_{key}": value for name, s in slices.items() for key, value in s.items()}
    propensities = fitted.propensities.to_dict() if fitted.propensities else {}
    return {
        **judged.settings,
        **about,
        **counts,
        **{f"propensity_{key}": value for key, value in propensities.items()},
        FINGERPRINT: _test_fingerprint(data),
        "split": data.split.kind,
        "arms": fitted.model.has_arms,
        "trials": len(fitted.tuning.trials) if fitted.tuning else 0,
        "tune_minutes": fitted.tuning.budget.minutes if fitted.tuning else None,
        "calibration": fitted.calibration.calibration.kind,
        "loss_head": fitted.model.loss.kind,
        "features": len(data.names),
        "catalogue_hash": catalogue_hash(),
        "code_revision": about["code_revision"] or "unknown",
    }


def _tables(model: RiskModel) -> dict[str, pd.DataFrame]:
    """Return a scorecard's tables by file name; none for trees."""
    scale = model.points_scale()
    if scale is None or not isinstance(model.head, ScorecardHead):
        return {}
    crosses = {"scorecard_crosses.csv": model.head.crosses_table()} if model.head.crosses else {}
    return {"scorecard.csv": model.head.points_table(), "scorecard_scale.csv": scale, **crosses}


def _example(fitted: Fitted, names: tuple[str, ...]) -> pd.DataFrame:
    """Return rows that stand for the training rows without holding any borrower's."""
    rows = fitted.model.reference.golden_rows()[:EXAMPLE_ROWS]
    return pd.DataFrame(rows, columns=list(fitted.model.feature_names))[
        [name for name in names if name in fitted.model.feature_names]
    ]


def _describe(data: TrainingData, fitted: Fitted, family: str) -> str:
    test = fitted.metrics
    return (
        f"{family} on {len(data.split.fit):,} rows; AUC {test['auc']:.3f} "
        f"({test['auc_low']:.3f} to {test['auc_high']:.3f}), Brier {test['brier']:.4f} on "
        f"{int(test['rows']):,} test rows with {int(test['bads']):,} bads. "
        f"Split {data.split.description}."
    )


def code_revision() -> str | None:
    """Return the git revision of this code, `-dirty` if changed since; None if git lacks it.

    A tree that merely holds an installed copy, in a virtual environment say, tells nothing of it.
    """
    here = Path(__file__)
    if _git("ls-files", "--error-unmatch", here.name, folder=here.parent) is None:
        return None
    describe = ("describe", "--always", "--dirty", "--abbrev=40", "--exclude=*")
    return _git(*describe, folder=here.parent)


def _git(*words: str, folder: Path) -> str | None:
    """Return what git prints; None if it isn't installed, refuses or prints nothing."""
    git = shutil.which("git")
    if git is None:
        return None
    done = subprocess.run([git, *words], cwd=folder, capture_output=True, check=False)  # noqa: S603
    return (done.stdout.decode().strip() or None) if done.returncode == 0 else None
