"""`relimit compare`: two versions on the same rows."""

from pathlib import Path

import click
from rich.console import Console

from relimit.data.atomic import refuse_unwritable
from relimit.serving.comparison_text import show_comparison
from relimit.serving.options import (
    PATH,
    book_or_events,
    book_or_files,
    json_option,
    plugin_option,
    policy_option,
    tracking_option,
    workers_option,
)
from relimit.serving.terminal import emit, finite, stages


@click.command("compare", short_help="Compare two versions on unseen rows.")
@click.argument("model_a")
@click.argument("model_b")
@book_or_events("observations", "Labelled observations, in place of BOOK.")
@policy_option
@click.option("--all-rows", is_flag=True, help="Use all rows: both were trained on another book.")
@click.option("--out", type=PATH, help="Folder for comparison.json and .html.")
@tracking_option
@plugin_option
@workers_option
@json_option
def command(
    *,
    model_a: str,
    model_b: str,
    book: Path | None,
    events: Path | None,
    observations: Path | None,
    policy: Path | None,
    all_rows: bool,
    out: Path | None,
    tracking_uri: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Compare MODEL_A and MODEL_B on rows that neither was fitted on."""
    source = book_or_files(book, events, observations, "observations")
    if out is not None:
        refuse_unwritable(out)
    from relimit.data import write_json
    from relimit.policy import load_policy
    from relimit.serving.inputs import training_input
    from relimit.serving.models import open_model
    from relimit.training import compare, record_comparison, write_comparison

    with stages("comparing") as stage:
        stage("reading observations")
        models = {uri: open_model(uri, tracking_uri) for uri in (model_a, model_b)}
        first = models[model_a]
        data = training_input(
            source, horizon_days=first.horizon_days, days_past_due=first.days_past_due
        )
        stage("scoring both models")
        found = compare(
            models[model_a],
            models[model_b],
            data.events,
            data.observations,
            load_policy(policy),
            all_rows=all_rows,
            workers=workers,
        )
        stage("recording")
        run_id = record_comparison(found, model_a, model_b, tracking_uri=tracking_uri)
    comparison = found.to_dict()
    cautions = {uri: model.caution for uri, model in models.items() if model.caution}
    payload = {"model_a": model_a, "model_b": model_b, "run_id": run_id, **comparison}
    payload["cautions"] = cautions
    if out is not None:
        write_comparison(found, out, names=(model_a, model_b))
        write_json(finite(payload), out / "comparison.json")

    def show(console: Console) -> None:
        show_comparison(console, comparison, (model_a, model_b), run_id, cautions)

    emit(payload, as_json=as_json, summary=show)
