"""`relimit promote`: give a version the alias that scoring uses."""

from typing import Any

import click
from rich.console import Console

from relimit.serving.options import json_option, tracking_option
from relimit.serving.terminal import emit


@click.command("promote", short_help="Give a version the alias scoring uses.")
@click.argument("model_uri")
@click.option("--alias", default="champion", show_default=True, help="Alias to give.")
@click.option(
    "--force", metavar="REASON", help="Promote in spite of all objections; the reason is recorded."
)
@click.option("--log", is_flag=True, help="Don't promote: show the log of promotions and check it.")
@tracking_option
@json_option
def command(
    *,
    model_uri: str,
    alias: str,
    force: str | None,
    log: bool,
    tracking_uri: str | None,
    as_json: bool,
) -> None:
    """Give MODEL_URI an alias, unless something speaks against it.

    Objections: it can't be loaded here, no training row was restored in full at once, its ranking
    may be chance, its calibration is out of bounds, or the champion is better.
    """
    from relimit.training import find_version, promote, promotion_log, unlogged_aliases

    if log:
        name = find_version(model_uri, tracking_uri).name
        log_of = promotion_log(name, tracking_uri)
        entries = [entry.to_dict() for entry in log_of]
        unlogged = unlogged_aliases(name, log_of, tracking_uri)
        emit(
            {"name": name, "promotions": entries, "unlogged_aliases": unlogged},
            as_json=as_json,
            summary=lambda console: _show_log(console, entries, unlogged),
        )
        return
    payload = promote(model_uri, alias=alias, force=force, tracking_uri=tracking_uri).to_dict()

    def show(console: Console) -> None:
        before = f"version {payload['previous']}" if payload["previous"] else "none"
        console.print(
            f"{payload['name']} version {payload['version']} is now {alias} (before: {before})"
        )
        _show_why(console, payload)

    emit(payload, as_json=as_json, summary=show)


def _show_log(console: Console, entries: list[dict[str, Any]], unlogged: list[str]) -> None:
    for entry in entries:
        console.print(
            f"{entry['at']}  {entry['alias']}: version {entry['previous'] or 'none'} to "
            f"{entry['version']}, by {entry['by']}, artifact {entry['digest'][:12]}"
        )
        _show_why(console, entry)
    console.print(f"{len(entries)} promotions, none changed or missing")
    for alias in unlogged:
        console.print(f"  moved past the log: {alias}")


def _show_why(console: Console, entry: dict[str, Any]) -> None:
    for line in entry["evidence"]:
        console.print(f"  {line}")
    for objection in entry["objections"]:
        console.print(f"  against it: {objection}")
    if entry["force"]:
        console.print(f"  because: {entry['force']}")
