"""The windowed counts and sums of the core as featuretools computes them, in its own interpreter.

    uv run --no-project --with featuretools --with 'pandas<3' --with 'setuptools<81' \
        --with pyarrow python benchmarks/_featuretools.py FOLDER CASE COLUMNS

featuretools 1.31 wants an older pandas than ours, so it can't share our environment. Of a book it
gets the first `ACCOUNTS` accounts; COLUMNS is JSON, `{name: [how, kind, days]}`.
"""

import json
import sys
import time
from pathlib import Path

import featuretools as ft
import pandas as pd

ACCOUNTS = 40


def main(folder: Path, case: str, columns: dict[str, tuple[str, str, int]]) -> None:
    """Write the sample's features beside the book, and print the seconds that they took."""
    wanted = [("account_id", "<", ACCOUNTS)]
    events = pd.read_parquet(folder / "events.parquet", filters=wanted)
    points = pd.read_parquet(folder / f"{case}.parquet", filters=wanted)
    events = events[["account_id", "known_at", "kind", "amount"]].reset_index(names="event")
    events["known_at"] = events["known_at"].dt.tz_localize(None).astype("datetime64[ns]")
    events["kind"] = events["kind"].astype("category")
    cutoff = points.rename(columns={"as_of": "time"}).reset_index(names="row")
    cutoff["time"] = cutoff["time"].dt.tz_localize(None).astype("datetime64[ns]")

    started = time.perf_counter()
    entities = ft.EntitySet("book")
    entities.add_dataframe(events, "events", index="event", time_index="known_at")
    accounts = pd.DataFrame({"account_id": range(ACCOUNTS)})
    entities.add_dataframe(accounts, "accounts", index="account_id")
    entities.add_relationship("accounts", "account_id", "events", "account_id")
    entities.add_interesting_values(
        dataframe_name="events", values={"kind": list(events["kind"].unique())}
    )
    found = {days: _in_window(entities, cutoff, days) for days in {c[2] for c in columns.values()}}
    took = time.perf_counter() - started

    out = pd.DataFrame({"row": cutoff["row"]})
    for name, (how, kind, days) in columns.items():
        column = {
            "count": "COUNT(events WHERE kind = {})",
            "sum": "SUM(events.amount WHERE kind = {})",
        }
        out[name] = found[days][column[how].format(kind)].astype(float).fillna(0).to_numpy()
    out.to_parquet(folder / f"featuretools.{case}.result")
    print(json.dumps({"seconds": took, "accounts": ACCOUNTS, "rows": len(out)}))


def _in_window(entities: ft.EntitySet, cutoff: pd.DataFrame, days: int) -> pd.DataFrame:
    """Return counts and sums by kind in the trailing days, a row a snapshot."""
    matrix, _ = ft.dfs(
        entityset=entities,
        target_dataframe_name="accounts",
        agg_primitives=["count", "sum"],
        where_primitives=["count", "sum"],
        trans_primitives=[],
        cutoff_time=cutoff[["account_id", "time"]],
        cutoff_time_in_index=True,
        training_window=ft.Timedelta(days, "d"),
        include_cutoff_time=True,
    )
    key = pd.MultiIndex.from_frame(cutoff[["account_id", "time"]])
    rows: pd.DataFrame = matrix[~matrix.index.duplicated()].reindex(key)
    return rows


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
