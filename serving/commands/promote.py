"""`relimit promote`: give a version the alias that scoring uses."""

import click
from rich.console import Console

from relimit.serving.options import json_option, tracking_option
from relimit.serving.terminal import emit


@click.command("promote", short_help="Give a version the alias scoring uses.")
@click.argument("model_uri")
@click.option("--alias", default="champion", show_default=True, help="The name it goes by.")
@click.option("--force", metavar="REASON", help="Promote all the same, and record why.")
@tracking_option
@json_option
def command(
    *, model_uri: str, alias: str, force: str | None, tracking_uri: str | None, as_json: bool
) -> None:
    """Promote MODEL_URI to an alias, unless it is worse, badly calibrated or doesn't fit."""
    from relimit.training import promote

    payload = promote(model_uri, alias=alias, force=force, tracking_uri=tracking_uri).to_dict()

    def show(console: Console) -> None:
        before = f"version {payload['previous']}" if payload["previous"] else "none"
        console.print(
            f"{payload['name']} version {payload['version']} is now {alias} (before: {before})"
        )
        for objection in payload["objections"]:
            console.print(f"  against it: {objection}")
        if payload["force"]:
            console.print(f"  all the same, because: {payload['force']}")

    emit(payload, as_json=as_json, summary=show)
