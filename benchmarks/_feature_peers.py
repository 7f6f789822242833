"""The core features as Polars, DuckDB and pandas compute them, for the benchmark of features."""

from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

DAY = 86_400_000_000
SAMPLE = 20
"""pandas, and Polars in case B, get every 20th account."""

COUNTS = {
    "prepay_count": ("prepayment", (7, 30, 90, 180, 365)),
    "draw_count": ("draw", (30, 90, 180)),
    "overdue_count": ("overdue", (90, 365)),
    "inquiry_count": ("inquiry", (30, 90, 180)),
    "income_count": ("income", (90, 180)),
    "cured_count": ("cured", (365,)),
    "payment_returned_count": ("payment_returned", (180,)),
}
SUMS = {
    "prepay_sum": ("prepayment", (7, 30, 90, 180, 365)),
    "repaid_sum": ("repayment", (30, 90, 180)),
    "interest_paid": ("interest_payment", (90,)),
}
SHARES = {
    "prepaid_to_drawn": ("prepayment", "draw", (90, 365)),
    "repaid_to_due": ("repayment", "due", (30, 90, 180)),
}
LASTS = {"limit_amount": "limit", "due_last": "due"}
SINCES = {"prepay_since_days": "prepayment", "draw_since_days": "draw"}
WORST = (90, 180, 365)
SIGNS = {"draw": 1, "repayment": -1, "prepayment": -1, "charge_off": -1}
INTEREST = {"interest": 1, "interest_payment": -1}


def core() -> list[str]:
    """Return the features that every contender computes."""
    windowed = (COUNTS, SUMS, SHARES)
    names = [f"{name}_{w}d" for table in windowed for name, row in table.items() for w in row[-1]]
    names += [*LASTS, *SINCES, *(f"dpd_worst_{w}d" for w in WORST)]
    return [*names, "outstanding", "utilisation_now", "interest_unsettled"]


def accounts_of(folder: Path) -> int:
    return int(pq.read_metadata(folder / "a.parquet").num_rows)


def run_duckdb(folder: Path, case: str) -> pa.Table:
    """Join the visible events to each snapshot and aggregate them, in one statement."""
    connection = duckdb.connect(config={"threads": 2, "memory_limit": "8GB"})
    return connection.sql(_sql(folder, case)).to_arrow_table()


def _sql(folder: Path, case: str) -> str:
    def within(kind: str, w: int) -> str:
        return f"FILTER (kind = '{kind}' AND age < {w * DAY})"

    def total(kind: str, w: int) -> str:
        return f"coalesce(sum(amount) {within(kind, w)}, 0)"

    def signed(signs: dict[str, int]) -> str:
        cases = " ".join(f"WHEN '{kind}' THEN {sign} * amount" for kind, sign in signs.items())
        return f"greatest(coalesce(sum(CASE kind {cases} END), 0), 0)"

    columns = {f"{n}_{w}d": f"count(*) {within(k, w)}" for n, (k, ws) in COUNTS.items() for w in ws}
    columns |= {f"{n}_{w}d": total(k, w) for n, (k, ws) in SUMS.items() for w in ws}
    columns |= {
        f"{n}_{w}d": f"CASE WHEN {total(b, w)} > 0 THEN {total(a, w)} / {total(b, w)}::DOUBLE END"
        for n, (a, b, ws) in SHARES.items()
        for w in ws
    }
    last = {
        name: f"arg_max(amount, (known_at, ts)) FILTER (kind = '{k}')" for name, k in LASTS.items()
    }
    columns |= last
    columns |= {
        name: f"(any_value(as_of) - arg_max(ts, (known_at, ts)) FILTER (kind = '{k}')) / {DAY}"
        for name, k in SINCES.items()
    }
    columns |= {f"dpd_worst_{w}d": f"coalesce(max(value) {within('overdue', w)}, 0)" for w in WORST}
    columns["outstanding"] = signed(SIGNS)
    columns["utilisation_now"] = f"{signed(SIGNS)} / nullif({last['limit_amount']}, 0)::DOUBLE"
    columns["interest_unsettled"] = signed(INTEREST)
    listed = ", ".join(f"{expression} AS {name}" for name, expression in columns.items())
    return f"""
        WITH points AS (
            SELECT row_number() OVER () - 1 AS row, account_id, epoch_us(as_of) AS as_of
            FROM '{folder}/{case}.parquet'),
        seen AS (
            SELECT row, as_of, kind, amount, value, epoch_us(known_at) AS known_at,
                epoch_us(ts) AS ts, as_of - epoch_us(known_at) AS age
            FROM points LEFT JOIN '{folder}/events.parquet' AS e
            ON points.account_id = e.account_id AND epoch_us(e.known_at) <= points.as_of)
        SELECT row, {listed} FROM seen GROUP BY row ORDER BY row"""  # noqa: S608 - its own names, no input


def run_pandas(folder: Path, case: str) -> pa.Table:
    """Merge the visible events of every 20th account to each snapshot, and group them."""
    wanted = [("account_id", "<", accounts_of(folder) // SAMPLE)]
    events = pd.read_parquet(folder / "events.parquet", filters=wanted)
    points = pd.read_parquet(folder / f"{case}.parquet", filters=wanted)
    points["row"] = np.arange(len(points))
    seen = points.merge(events, on="account_id", how="left")
    seen = seen[seen["known_at"] <= seen["as_of"]].sort_values(["row", "known_at", "ts"])
    seen["age"] = (seen["as_of"] - seen["known_at"]).astype("int64")
    unit = pd.Timedelta(days=1).as_unit(seen["as_of"].dt.unit).to_timedelta64().astype("int64")
    every = points["row"].to_numpy()

    def by_row(rows: pd.DataFrame, how: str, column: str = "amount") -> np.ndarray:
        found = rows.groupby("row")[column].agg(how).reindex(every)
        return np.asarray(found.to_numpy(float, na_value=np.nan))

    def within(kind: str, w: int) -> pd.DataFrame:
        found: pd.DataFrame = seen[(seen["kind"] == kind) & (seen["age"] < w * unit)]
        return found

    def total(kind: str, w: int, how: str = "sum") -> np.ndarray:
        return np.asarray(np.nan_to_num(by_row(within(kind, w), how)))

    def signed(signs: dict[str, int]) -> np.ndarray:
        moved = seen["amount"] * seen["kind"].astype(object).map(signs)
        summed = np.nan_to_num(by_row(seen.assign(amount=moved), "sum"))
        return np.asarray(np.maximum(summed, 0))

    out = {f"{n}_{w}d": total(k, w, "size") for n, (k, ws) in COUNTS.items() for w in ws}
    out |= {f"{n}_{w}d": total(k, w) for n, (k, ws) in SUMS.items() for w in ws}
    with np.errstate(divide="ignore", invalid="ignore"):
        for name, (part, whole, ws) in SHARES.items():
            for w in ws:
                share = total(part, w) / total(whole, w)
                out[f"{name}_{w}d"] = np.where(np.isfinite(share), share, np.nan)
    out |= {name: by_row(seen[seen["kind"] == kind], "last") for name, kind in LASTS.items()}
    for name, kind in SINCES.items():
        rows = seen[seen["kind"] == kind]
        since = rows.assign(since=(rows["as_of"] - rows["ts"]).astype("int64") / unit)
        out[name] = by_row(since, "last", "since")
    for w in WORST:
        out[f"dpd_worst_{w}d"] = np.nan_to_num(by_row(within("overdue", w), "max", "value"))
    out["outstanding"] = signed(SIGNS)
    out["utilisation_now"] = out["outstanding"] / out["limit_amount"]
    out["interest_unsettled"] = signed(INTEREST)
    return pa.table({"row": every} | out)


def run_polars(folder: Path, case: str) -> pa.Table:
    """Join the visible events to each snapshot and aggregate them, in one lazy streaming query."""
    import polars as pl  # noqa: PLC0415 - not a dependency

    events = pl.scan_parquet(folder / "events.parquet")
    points = pl.scan_parquet(folder / f"{case}.parquet").with_row_index("row")
    if case == "b":
        points = points.filter(pl.col("account_id") < accounts_of(folder) // SAMPLE)
        events = events.filter(pl.col("account_id") < accounts_of(folder) // SAMPLE)
    micro = pl.col("as_of", "known_at", "ts").dt.epoch("us")
    seen = points.join(events, on="account_id").filter(pl.col("known_at") <= pl.col("as_of"))
    seen = seen.with_columns(micro, pl.col("kind").cast(pl.String))
    seen = seen.with_columns(age=pl.col("as_of") - pl.col("known_at"))
    found = seen.group_by("row").agg(**_polars_columns(pl))
    every = points.select("row").join(found, on="row", how="left")
    table = every.with_columns(_polars_nulls(pl)).collect(engine="streaming").to_arrow()
    return table.cast(pa.schema([(f.name, _plain(f.type)) for f in table.schema]))


def _plain(kind: pa.DataType) -> pa.DataType:
    return pa.int64() if pa.types.is_integer(kind) else kind


def _polars_columns(pl: Any) -> dict[str, Any]:
    """Return the core features as aggregates of the events seen from each snapshot."""
    kind, age, amount = pl.col("kind"), pl.col("age"), pl.col("amount")

    def total(name: str, w: int) -> Any:
        return amount.filter((kind == name) & (age < w * DAY)).sum()

    def signed(signs: dict[str, int]) -> Any:
        return pl.max_horizontal(
            sum(sign * amount.filter(kind == name).sum() for name, sign in signs.items()), 0
        )

    def last(name: str, column: str) -> Any:
        order = [pl.col("known_at"), pl.col("ts")]
        mine = kind == name
        return pl.col(column).filter(mine).sort_by([by.filter(mine) for by in order]).last()

    def share(part: Any, whole: Any) -> Any:
        return pl.when(whole > 0).then(part / whole)

    out = {
        f"{n}_{w}d": ((kind == k) & (age < w * DAY)).sum()
        for n, (k, ws) in COUNTS.items()
        for w in ws
    }
    out |= {f"{n}_{w}d": total(k, w) for n, (k, ws) in SUMS.items() for w in ws}
    out |= {
        f"{n}_{w}d": share(total(a, w), total(b, w)) for n, (a, b, ws) in SHARES.items() for w in ws
    }
    out |= {name: last(k, "amount") for name, k in LASTS.items()}
    out |= {n: (pl.col("as_of").first() - last(k, "ts")) / DAY for n, k in SINCES.items()}
    worst = pl.col("value")
    out |= {
        f"dpd_worst_{w}d": worst.filter((kind == "overdue") & (age < w * DAY)).max().fill_null(0)
        for w in WORST
    }
    out["outstanding"] = signed(SIGNS)
    out["utilisation_now"] = share(signed(SIGNS), last("limit", "amount"))
    out["interest_unsettled"] = signed(INTEREST)
    return out


def _polars_nulls(pl: Any) -> Any:
    """Return zeros for what counts or adds up, at snapshots from which no event is seen."""
    zero = [f"{n}_{w}d" for table in (COUNTS, SUMS) for n, row in table.items() for w in row[-1]]
    zero += [*(f"dpd_worst_{w}d" for w in WORST), "outstanding", "interest_unsettled"]
    return pl.col(zero).fill_null(0)
