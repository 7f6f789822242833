"""Answer accounts one at a time, in a process of its own, as JSON lines.

    python _answer_alone.py live|packaged MODEL EVENTS ASKED SINCE OUT

ASKED is a Parquet file with one `account_id` and `as_of` a row, by account. `live` calls the scorer
with each account's table; `packaged` gives MLflow's loaded model the histories as JSON has them.
"""

import json
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from relimit.models import load_model
from relimit.policy import load_policy
from relimit.serving.scorer import Scorer

AT_ONCE = 500


def plain(row: Any) -> Any:
    """Return a row as JSON has it, by other means than the code under test."""
    return json.loads(json.dumps(row, default=lambda time: time.isoformat()))


def histories(events: Path, asked: Path) -> Iterator[tuple[dict[str, Any], pa.Table]]:
    """Yield who is asked about, and the events of that account."""
    rows = pq.read_table(asked).to_pylist()
    table = pq.read_table(events)
    ids = table["account_id"].to_numpy()
    starts, ends = (
        np.searchsorted(ids, [row["account_id"] for row in rows], side=side)
        for side in ("left", "right")
    )
    for row, start, end in zip(rows, starts, ends, strict=True):
        yield row, table.slice(start, end - start)


def live(model: Path, events: Path, asked: Path, since: str) -> Iterator[Any]:
    """Yield what the scorer decides."""
    scorer = Scorer(load_model(model), load_policy())
    for row, table in histories(events, asked):
        decided = scorer.decide(table, row["as_of"], since=datetime.fromisoformat(since))
        yield plain(decided)


def packaged(package: Path, events: Path, asked: Path, since: str) -> Iterator[Any]:
    """Yield what the packaged model answers, some hundred histories a request."""
    import mlflow.pyfunc  # noqa: PLC0415 - seconds that `live` can do without

    # It runs what the package brings; here the package is our own, made a moment ago.
    served = mlflow.pyfunc.load_model(str(package))  # noqa: TID251
    asked_of = histories(events, asked)
    while some := list(islice(asked_of, AT_ONCE)):
        request = [{**plain(row), "since": since} for row, _ in some]
        for history, records in zip(request, _records([table for _, table in some]), strict=True):
            history["events"] = records
        yield from served.predict(request)


def _records(tables: list[pa.Table]) -> Iterator[list[dict[str, Any]]]:
    """Yield each table's events as JSON has them; all are turned at once, since each takes ms."""
    table = pa.concat_tables(tables).drop_columns(["account_id"])
    columns = {name: _as_json(table[name]).to_pylist() for name in table.column_names}
    rows = (dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True))
    for one in tables:
        yield list(islice(rows, len(one)))


def _as_json(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times as ISO 8601, all else as it is."""
    if pa.types.is_timestamp(column.type):
        return pc.strftime(column, format="%Y-%m-%dT%H:%M:%S%z")
    return column


if __name__ == "__main__":
    how, model, events, asked, since, out = sys.argv[1:]
    answer = {"live": live, "packaged": packaged}[how]
    with Path(out).open("w", encoding="utf-8") as stream:
        for decision in answer(Path(model), Path(events), Path(asked), since):
            stream.write(json.dumps(decision) + "\n")
