"""`relimit train`: fit a model and register it in MLflow."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from relimit.data.vocabulary import BAD_HORIZON_DAYS
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


@click.command("train", short_help="Train a model and register it.")
@book_or_events("observations", "Labelled observations, in place of BOOK.")
@click.option(
    "--family", type=click.Choice(["lightgbm", "scorecard"]), required=True, help="Kind of model."
)
@click.option("--name", default="restoration-risk", show_default=True, help="Registered model.")
@tracking_option
@click.option(
    "--horizon",
    type=click.IntRange(min=1),
    default=BAD_HORIZON_DAYS,
    show_default=True,
    help="Days after as_of in which `bad` was observed.",
)
@click.option(
    "--hold-out",
    type=click.Choice(["time", "account"]),
    default="time",
    show_default=True,
    help="What it is tested on: the latest rows, or other accounts.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of all that is drawn."
)
@click.option(
    "--tune",
    type=click.FloatRange(min=0, min_open=True),
    metavar="MINUTES",
    help="Search for better settings of lightgbm for so long; needs the extra `tune`.",
)
@click.option(
    "--backtest",
    type=click.IntRange(min=0),
    default=0,
    metavar="MONTHS",
    help="Judge so many of the last months by models that learnt before them; each is a training.",
)
@click.option("--out", type=PATH, help="Folder for the validation report and the model card.")
@plugin_option
@workers_option
@json_option
def command(
    *,
    book: Path | None,
    events: Path | None,
    observations: Path | None,
    family: str,
    name: str,
    tracking_uri: str | None,
    horizon: int,
    hold_out: "HoldOut",
    seed: int,
    tune: float | None,
    backtest: int,
    out: Path | None,
    workers: int,
    as_json: bool,
) -> None:
    """Train a risk model, measure it on later data and register the version in MLflow."""
    source = book_or_files(book, events, observations, "observations")
    if tune is not None and family != "lightgbm":
        raise click.UsageError("--tune is for --family lightgbm")
    from relimit.serving.inputs import training_input
    from relimit.training import TuneBudget, train

    with stages(f"training {family}") as stage:
        stage("reading observations")
        data = training_input(source)
        result = train(
            data.events,
            data.observations,
            family,
            name=name,
            tracking_uri=tracking_uri,
            workers=workers,
            horizon_days=horizon,
            hold_out=hold_out,
            seed=seed,
            accounts=data.accounts,
            backtest_months=backtest,
            budget=TuneBudget(minutes=tune) if tune else None,
            report_out=out,
            progress=stage,
        )
    payload: dict[str, Any] = {
        "model_uri": result.model_uri,
        "version": result.version,
        "run_id": result.run_id,
        "metrics": result.metrics,
        "cautions": list(result.cautions),
        "report": str(out) if out else None,
    }

    def show(console: Console) -> None:
        pairs(console, f"{result.model_uri} ({family})", {"run": result.run_id})
        shown = {words: result.metrics.get(name) for name, words in SHOWN.items()}
        rows = {words: figure(value) for words, value in shown.items() if value is not None}
        pairs(console, "On rows that it has not learnt from (all figures: --json)", rows)
        for caution in result.cautions:
            console.print(f"  caution: {caution}")

    emit(payload, as_json=as_json, summary=show)
