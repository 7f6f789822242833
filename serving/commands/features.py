"""`relimit features`: compute the catalogue at snapshots."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from relimit.data.atomic import refuse_unwritable
from relimit.serving.options import (
    PATH,
    json_option,
    plugin_option,
    refuse_to_overwrite,
    workers_option,
)
from relimit.serving.terminal import emit, pairs, progress


def _show_catalogue(as_json: bool) -> None:
    from relimit.features import catalogue
    from relimit.features.document import window_words

    rows = [feature.to_dict() for feature in catalogue()]

    def show(console: Console) -> None:
        heads = ("feature", "family", "unit", "window", "risk", "meaning", "null", "source")
        table = Table(*heads, box=None, pad_edge=False)
        for row in rows:
            direction = {1: "+", -1: "−", 0: ""}[row["risk"]]
            table.add_row(
                *(row["name"], row["family"], row["unit"], window_words(row["window"]), direction),
                *(row["description"], row["null"], row["source"]),
            )
        console.print(table)

    emit({"features": rows}, as_json=as_json, summary=show)


@click.command("features", short_help="Compute the features of snapshots.")
@click.option("--events", type=PATH, help="events.parquet or a folder of parts.")
@click.option("--snapshots", type=PATH, help="Parquet with account_id and as_of.")
@click.option("--out", type=PATH, help="Where to write the features.")
@click.option("--list", "list_only", is_flag=True, help="Print the catalogue and stop.")
@plugin_option
@workers_option
@json_option
def command(
    *,
    events: Path | None,
    snapshots: Path | None,
    out: Path | None,
    list_only: bool,
    workers: int,
    as_json: bool,
) -> None:
    """Compute every feature at each snapshot, from what was known by then."""
    if list_only:
        _show_catalogue(as_json)
        return
    if events is None or snapshots is None or out is None:
        raise click.UsageError("give --events, --snapshots and --out (or --list)")
    refuse_to_overwrite(out, events, snapshots)
    refuse_unwritable(out, folder=False)
    from relimit.features import feature_names, iter_features
    from relimit.serving.feature_file import write_features
    from relimit.serving.inputs import read_snapshots

    points = read_snapshots(snapshots)
    names = feature_names()
    with progress("computing features", points.num_rows) as advance:
        blocks = iter_features(events, points, workers=workers, names=names, progress=advance)
        without_events = write_features(blocks, points, names, out, where=str(snapshots))
    payload = {
        "snapshots": points.num_rows,
        "without_events": without_events,
        "features": len(names),
        "out": str(out),
    }

    def show(console: Console) -> None:
        pairs(console, "Features", payload)

    emit(payload, as_json=as_json, summary=show)
