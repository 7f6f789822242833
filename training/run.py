"""Train a model from events and observations, and register it as a version in MLflow."""

from pathlib import Path

import pyarrow as pa

from relimit.data.errors import ModelError
from relimit.data.vocabulary import BAD_HORIZON_DAYS
from relimit.models import family_named
from relimit.training.audit import audit_version
from relimit.training.backtest import BacktestMonth, walk_forward
from relimit.training.dataset import read_training_data
from relimit.training.document import write_texts
from relimit.training.fit import Progress, fit_model
from relimit.training.judged import Judged
from relimit.training.plots import draw_plots
from relimit.training.record import TrainResult, code_revision, record_version
from relimit.training.report import render
from relimit.training.tune import Parameters, TuneBudget, require_optuna


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
    accounts: pa.Table | None = None,
    backtest_months: int = 0,
    budget: TuneBudget | None = None,
    parameters: Parameters | None = None,
    report_out: Path | None = None,
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
    accounts
        The `accounts` table; the report's fairness section reads its audit columns, no model does.
    backtest_months
        How many of the last months to back-test; each costs a training.
    budget
        How long to search for better settings (family lightgbm, extra `tune`); the settings found
        are recorded as `parameters` and every trial in the manifest, so that training from the
        record searches nothing.
    parameters
        Settings of the estimator other than its own.
    report_out
        A folder for `validation_report.html`, its `tables`, `model_card.md` and `model_card.html`,
        which are recorded with the run in any case.
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
    if budget is not None:
        require_optuna()
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
        horizon_days=horizon_days,
        parameters=parameters,
        budget=budget,
        workers=workers,
        seed=seed,
        progress=report,
    )
    found = {} if fitted.tuning is None else fitted.tuning.parameters
    used = {**(parameters or {}), **found}
    settings = {
        "family": family,
        "seed": seed,
        "name": name,
        "horizon_days": horizon_days,
        "parameters": used,
    }
    months: tuple[BacktestMonth, ...] = ()
    if backtest_months:
        months = walk_forward(
            family,
            data.X,
            data.names,
            data.labelled,
            horizon_days=horizon_days,
            most_months=backtest_months,
            parameters=used,
            workers=workers,
            seed=seed,
            progress=report,
        )
    report("writing the validation report")
    judged = Judged(
        data=data,
        fitted=fitted,
        about={**data.describe(), "code_revision": code_revision()},
        settings=settings,
        audit=None if accounts is None else audit_version(events, accounts, data, fitted),
        backtest=months,
        plots=draw_plots(data.labelled.bad[data.split.test], fitted.test_risk),
    )
    documents = render(judged)
    report("recording the version")
    result = record_version(judged, documents, tracking_uri)
    if report_out is not None:
        write_texts(documents, report_out)
    return result


def _check_name(name: str) -> None:
    if not name or set(name) & set("/:@'\""):
        raise ModelError(
            f"{name!r} can't name a registered model", mend="Use no slash, colon, @ or quote"
        )
