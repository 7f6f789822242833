"""`relimit train`: fit a model and register it in MLflow."""

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from click.core import ParameterSource
from rich.console import Console

from relimit.data.atomic import refuse_unwritable
from relimit.data.vocabulary import BAD_DAYS_PAST_DUE, BAD_HORIZON_DAYS
from relimit.serving.options import (
    PATH,
    book_or_events,
    book_or_files,
    json_option,
    plugin_option,
    tracking_option,
    workers_option,
)
from relimit.serving.terminal import emit, figure, pairs, stages

if TYPE_CHECKING:
    from relimit.training import TrainResult
    from relimit.training.backtest import BacktestMonth
    from relimit.training.splits import HoldOut

SHOWN: Final = {
    "rows": "rows",
    "bads": "bads",
    "auc": "AUC",
    "auc_low": "AUC, at least (95%)",
    "auc_high": "AUC, at most (95%)",
    "ks": "KS",
    "brier": "Brier score",
    "log_loss": "log-loss",
    "calibration_slope": "calibration slope (1 is right)",
    "calibration_intercept": "calibration intercept (0 is right)",
    "weighted_auc": "AUC, weighted by propensity",
}


RECORDED: Final = (
    "family", "name", "horizon", "dpd", "hold_out", "seed", "tune", "special_codes", "backtest",
    "accounts", "out",
)  # fmt: skip
"""What `--again` takes from the record, or leaves out."""


@click.command("train", short_help="Train a model and register it.")
@book_or_events("observations", "Labelled observations, in place of BOOK.")
@click.option("--family", type=click.Choice(["lightgbm", "scorecard"]), help="Kind of model.")
@click.option("--name", default="restoration-risk", show_default=True, help="Name in the registry.")
@tracking_option
@click.option(
    "--horizon",
    type=click.IntRange(min=1),
    help="Days after as_of in which an account is watched for going bad; default: what the "
    f"observations' file says, else {BAD_HORIZON_DAYS}.",
)
@click.option(
    "--dpd",
    type=click.IntRange(min=1),
    help="Days past due from which an account is bad; default: what the observations' file says, "
    f"else {BAD_DAYS_PAST_DUE}.",
)
@click.option(
    "--hold-out",
    type=click.Choice(["time", "account"]),
    default="time",
    show_default=True,
    help="What to test on: the latest rows, or accounts that were kept aside.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of every random draw."
)
@click.option(
    "--tune",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MINUTES",
    help="Search for better settings of lightgbm for this many minutes; needs the extra `tune`.",
)
@click.option(
    "--special-codes",
    type=PATH,
    help='For a scorecard, JSON {"feature": [codes]}: values that get a bin of their own.',
)
@click.option(
    "--backtest",
    type=click.IntRange(min=0),
    default=0,
    metavar="MONTHS",
    help="Test on each of the last months a model trained on what came before it; takes as many "
    "trainings.",
)
@click.option(
    "--accounts",
    type=PATH,
    help="accounts.parquet with audit columns, which only the report's part on fairness reads.",
)
@click.option("--out", type=PATH, help="Folder for the validation report and the model card.")
@click.option(
    "--again",
    metavar="MODEL_URI",
    help="Train this version again from its record and say what differs; in place of --family.",
)
@plugin_option
@workers_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    *,
    book: Path | None,
    events: Path | None,
    observations: Path | None,
    family: str | None,
    name: str,
    tracking_uri: str | None,
    horizon: int | None,
    dpd: int | None,
    hold_out: "HoldOut",
    seed: int,
    tune: float | None,
    special_codes: Path | None,
    backtest: int,
    accounts: Path | None,
    out: Path | None,
    again: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Train a risk model, measure it on unseen data and register it as a version in MLflow.

    Of a BOOK the observations are read, or else its decisions labelled by what came after.
    """
    source = book_or_files(book, events, observations, "observations")
    if again is not None:
        _refuse_settings(context)
        _train_again(again, source, tracking_uri, workers, as_json)
        return
    if family is None:
        raise click.UsageError("give --family, or --again")
    if tune is not None and family != "lightgbm":
        raise click.UsageError("--tune is for --family lightgbm")
    if special_codes is not None and family != "scorecard":
        raise click.UsageError("--special-codes is for --family scorecard")
    if out is not None:
        refuse_unwritable(out)
    from relimit.serving.inputs import read_special_codes, training_input
    from relimit.training import TuneBudget, train

    codes = None if special_codes is None else read_special_codes(special_codes)
    with stages(f"training {family}") as stage:
        stage("reading observations")
        data = training_input(source, horizon_days=horizon, days_past_due=dpd, accounts=accounts)
        if data.assumed:
            click.echo(f"warning: {data.assumed}", err=True)
        result = train(
            data.events,
            data.observations,
            family,
            name=name,
            tracking_uri=tracking_uri,
            workers=workers,
            horizon_days=data.horizon_days,
            days_past_due=data.days_past_due,
            hold_out=hold_out,
            seed=seed,
            accounts=data.accounts,
            backtest_months=backtest,
            budget=TuneBudget(minutes=tune) if tune else None,
            parameters=None if codes is None else {"special_codes": codes},
            report_out=out,
            progress=stage,
        )
    payload = {**_payload(result), "report": str(out) if out else None}
    emit(payload, as_json=as_json, summary=lambda console: _show(console, result, family))


def _refuse_settings(context: click.Context) -> None:
    """Raise a usage error if a setting is given that the record of a version has."""
    given = [
        name
        for name in RECORDED
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    ]
    if given:
        raise click.UsageError(
            f"--again goes by the record: leave out --{given[0].replace('_', '-')}"
        )


def _train_again(
    model_uri: str,
    source: Path | tuple[Path, Path],
    tracking_uri: str | None,
    workers: int,
    as_json: bool,
) -> None:
    from relimit.serving.inputs import training_input
    from relimit.serving.models import open_model
    from relimit.training import repeat_training

    with stages(f"training {model_uri} again") as stage:
        stage("reading observations")
        first = open_model(model_uri, tracking_uri)
        data = training_input(
            source, horizon_days=first.horizon_days, days_past_due=first.days_past_due
        )
        found = repeat_training(
            model_uri,
            data.events,
            data.observations,
            tracking_uri=tracking_uri,
            workers=workers,
            progress=stage,
        )
    different = ", ".join(found.differences)
    payload = {
        **_payload(found.result),
        "repeats": model_uri,
        "differences": list(found.differences),
    }

    def show(console: Console) -> None:
        same = "its artifact is the same: so is every prediction"
        console.print(f"{found.result.model_uri} repeats {model_uri}")
        console.print(f"  it differs in: {different}" if different else f"  {same}")

    emit(payload, as_json=as_json, summary=show)


def _payload(result: "TrainResult") -> dict[str, Any]:
    return {
        "model_uri": result.model_uri,
        "version": result.version,
        "run_id": result.run_id,
        "metrics": result.metrics,
        "rows": dict(result.rows),
        "cautions": list(result.cautions),
        "backtest": [asdict(month) for month in result.backtest],
    }


def _show(console: Console, result: "TrainResult", family: str) -> None:
    pairs(console, f"{result.model_uri} ({family})", {"run": result.run_id})
    counts = {name.replace("_", " "): f"{rows:,}" for name, rows in result.rows.items() if rows}
    pairs(console, "What the observations were for", counts)
    shown = {words: result.metrics.get(name) for name, words in SHOWN.items()}
    rows = {words: figure(value) for words, value in shown.items() if value is not None}
    pairs(console, "On rows that it has not learnt from (all figures: --json)", rows)
    if result.backtest:
        months = {month.month: _in_words(month) for month in result.backtest}
        pairs(console, "Back-test: each month under a model that learnt before it", months)
    for caution in result.cautions:
        console.print(f"  caution: {caution}")


def _in_words(month: "BacktestMonth") -> str:
    area = month.auc
    return (
        f"{month.rows:,} rows, {month.bads:,} bad: AUC {area.value:.3f} ({area.low:.3f} to "
        f"{area.high:.3f}), log-loss {month.log_loss:.4f}, observed/expected "
        f"{month.observed_expected:.2f}"
    )
