"""`relimit predict`: restoration risk at snapshots."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from relimit.data.atomic import refuse_unwritable
from relimit.serving.options import (
    PATH,
    json_option,
    model_option,
    plugin_option,
    refuse_to_overwrite,
    tracking_option,
    workers_option,
)
from relimit.serving.terminal import emit, pairs, progress

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@click.command("predict", short_help="Write the restoration risk of snapshots.")
@model_option
@click.option("--events", type=PATH, required=True, help="events.parquet or a folder of parts.")
@click.option("--snapshots", type=PATH, required=True, help="Parquet with account_id and as_of.")
@click.option("--out", type=PATH, required=True, help="Where to write account_id, as_of, risk.")
@tracking_option
@plugin_option
@workers_option
@json_option
def command(
    *,
    model: str,
    events: Path,
    snapshots: Path,
    out: Path,
    tracking_uri: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Write each snapshot's restoration risk, in the order of the snapshots.

    Where no row that the model was trained on was restored in full at once, the risk is
    extrapolated, and the columns `risk_low` and `risk_high` bound it.
    """
    refuse_to_overwrite(out, events, snapshots)
    refuse_unwritable(out, folder=False)
    import numpy as np

    from relimit.data import write_parquet
    from relimit.features import iter_features
    from relimit.serving.inputs import read_snapshots, with_columns
    from relimit.serving.models import open_model

    risk_model = open_model(model, tracking_uri)
    points = read_snapshots(snapshots)
    caution = risk_model.caution
    columns = ["risk"] if caution is None else ["risk", "risk_low", "risk_high"]
    risk = np.empty((points.num_rows, len(columns)))
    with progress("predicting", points.num_rows) as advance:
        blocks = iter_features(
            events, points, workers=workers, names=risk_model.feature_names, progress=advance
        )
        for rows, matrix in blocks:
            risk[rows, 0] = risk_model.restoration_risk(matrix)
            if caution is not None:
                risk[rows, 1:] = np.column_stack(risk_model.restoration_bounds(matrix))
    without_events = blocks.count_without_events(where=str(snapshots))
    write_parquet(with_columns(points, columns, risk), out)
    payload = {
        "snapshots": points.num_rows,
        "without_events": without_events,
        **{f"mean_{name}": _mean(risk[:, i]) for i, name in enumerate(columns)},
        "model_version": risk_model.version,
        "out": str(out),
    }

    def show(console: Console) -> None:
        pairs(console, "Restoration risk", payload)
        if caution is not None:
            console.print(f"  caution: {caution}")

    emit({**payload, "caution": caution}, as_json=as_json, summary=show)


def _mean(risk: "NDArray[np.float64]") -> float | None:
    return float(risk.mean()) if len(risk) else None
