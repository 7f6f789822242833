"""`relimit train`: fit a model and register it in MLflow."""

from pathlib import Path

import click
from rich.console import Console

from relimit.serving.options import (
    book_or_events,
    book_or_files,
    json_option,
    plugin_option,
    tracking_option,
    workers_option,
)
from relimit.serving.terminal import emit, pairs, stages


@click.command("train")
@book_or_events("observations", "Labelled observations, in place of BOOK.")
@click.option("--family", type=click.Choice(["lightgbm", "scorecard"]), required=True)
@click.option("--name", default="restoration-risk", show_default=True, help="Registered model.")
@tracking_option
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
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
    seed: int,
    workers: int,
    as_json: bool,
) -> None:
    """Train a risk model, measure it on later data and register the version in MLflow."""
    source = book_or_files(book, events, observations, "observations")
    from relimit.serving.inputs import training_input
    from relimit.training import train

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
            seed=seed,
            progress=stage,
        )
    payload = {
        "model_uri": result.model_uri,
        "version": result.version,
        "run_id": result.run_id,
        "metrics": result.metrics,
    }

    def show(console: Console) -> None:
        pairs(console, f"{result.model_uri} ({family})", {"run": result.run_id})
        rows = {name: f"{value:.4g}" for name, value in result.metrics.items()}
        pairs(console, "On data that it was not fitted on", rows)

    emit(payload, as_json=as_json, summary=show)
