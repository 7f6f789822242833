"""Train a model from events and observations, and register it as a version in MLflow."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from relimit.data.atomic import refuse_unwritable
from relimit.data.errors import DataError, ModelError
from relimit.data.vocabulary import BAD_DAYS_PAST_DUE, BAD_HORIZON_DAYS
from relimit.models import family_named
from relimit.training.audit import audit_version
from relimit.training.backtest import BacktestMonth, walk_forward
from relimit.training.dataset import TrainingData, read_training_data
from relimit.training.document import write_texts
from relimit.training.fit import Fitted, Progress, fit_model
from relimit.training.judged import Judged
from relimit.training.plots import draw_plots
from relimit.training.record import TrainResult, code_revision, record_version
from relimit.training.report import render
from relimit.training.splits import HoldOut
from relimit.training.tune import Parameters, TuneBudget, require_optuna


def train(
    events: Path,
    observations: pa.Table,
    family: str,
    *,
    name: str = "restoration-risk",
    tracking_uri: str | None = None,
    horizon_days: int = BAD_HORIZON_DAYS,
    days_past_due: int = BAD_DAYS_PAST_DUE,
    hold_out: HoldOut = "time",
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
    days_past_due
        From how many days past due `bad` was observed; recorded, so that the policy is judged by
        the same.
    hold_out
        As for `split_observations`.
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
        If the tables break their contract, have too few rows of one outcome, or `report_out` can't
        be written; where that is only found at the end, the message names the version registered.
    ModelError
        If the family or the name can't be used, or MLflow refuses something.
    """
    family_named(family)
    _check_name(name)
    if budget is not None:
        require_optuna()
    if report_out is not None:
        refuse_unwritable(report_out)
    report = progress or (lambda _: None)
    data = read_training_data(
        events,
        observations,
        horizon_days=horizon_days,
        hold_out=hold_out,
        workers=workers,
        progress=report,
    )
    learn = _Learning(family, data, workers, seed, report)
    fitted = learn.fit(parameters, budget)
    found = {} if fitted.tuning is None else fitted.tuning.parameters
    used = {**(parameters or {}), **found}
    months = learn.walk_forward(used, backtest_months) if backtest_months else ()
    report("writing the validation report")
    judged = Judged(
        data=data,
        fitted=fitted,
        about={**data.describe(), "code_revision": code_revision()},
        settings={
            "family": family,
            "seed": seed,
            "name": name,
            "horizon_days": horizon_days,
            "days_past_due": days_past_due,
            "hold_out": hold_out,
            "parameters": used,
        },
        audit=None if accounts is None else audit_version(events, accounts, data, fitted),
        backtest=months,
        months_asked=backtest_months,
        plots=draw_plots(data.labelled.bad[data.split.test], fitted.test_risk),
    )
    documents = render(judged)
    report("recording the version")
    result = record_version(judged, documents, tracking_uri)
    if report_out is not None:
        _write_report(documents, report_out, result)
    return result


def _write_report(documents: Mapping[str, object], folder: Path, result: TrainResult) -> None:
    """Write a version's texts; if that is refused, say that the version is registered."""
    texts = {name: text for name, text in documents.items() if isinstance(text, str)}
    try:
        write_texts(texts, folder)
    except DataError as error:
        what = f"{error.what}; {result.model_uri} is registered, and its run has the documents"
        raise DataError(what, where=error.where, mend=error.mend) from error


@dataclass(frozen=True, slots=True)
class _Learning:
    """What a version and its back-tests are fitted with alike."""

    family: str
    data: TrainingData
    workers: int
    seed: int
    report: Progress

    def fit(self, parameters: Parameters | None, budget: TuneBudget | None) -> Fitted:
        data = self.data
        return fit_model(
            self.family,
            data.X,
            data.names,
            data.labelled,
            data.split,
            late=data.late,
            horizon_days=data.horizon_days,
            parameters=parameters,
            budget=budget,
            workers=self.workers,
            seed=self.seed,
            progress=self.report,
        )

    def walk_forward(self, parameters: Parameters, most_months: int) -> tuple[BacktestMonth, ...]:
        data = self.data
        return walk_forward(
            self.family,
            data.X,
            data.names,
            data.labelled,
            late=data.late,
            horizon_days=data.horizon_days,
            most_months=most_months,
            parameters=parameters,
            workers=self.workers,
            seed=self.seed,
            progress=self.report,
        )


def _check_name(name: str) -> None:
    if not name or set(name) & set("/:@'\""):
        raise ModelError(
            f"{name!r} can't name a registered model", mend="Use no slash, colon, @ or quote"
        )
