"""A book of random events for the benchmark of features: every kind, every sort of detail."""

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from _feature_peers import DAY

from relimit.data.schema import TIME, events_schema

START = 1_600_000_000_000_000
DAYS = 900

KINDS = {
    "draw": 0.14,
    "due": 0.15,
    "repayment": 0.13,
    "prepayment": 0.08,
    "interest": 0.15,
    "interest_payment": 0.11,
    "overdue": 0.03,
    "cured": 0.02,
    "restored": 0.05,
    "income": 0.03,
    "inflow": 0.02,
    "inquiry": 0.02,
    "limit": 0.02,
    "payment_returned": 0.01,
    "operation": 0.02,
    "external_score": 0.01,
    "outage": 0.005,
    "charge_off": 0.001,
}
"""How often each kind occurs, about."""

DETAILS = {
    "draw": ("home", "travel", "shopping", "coupon:shopping", "coupon:home", "other"),
    "repayment": ("app", "bank", "third_party", None),
    "prepayment": ("full", "partial"),
    "interest": ("penalty", None, None, None),
    "inflow": ("lender", None),
    "operation": ("login_failed", "device_change", "phone_change", "card_change", "limit_check"),
    "limit": ("opening", "review"),
}
VALUES = {"overdue": (1, 200), "external_score": (350, 951), "outage": (5, 600)}
LOANS = ("draw", "due", "repayment", "prepayment", "interest", "interest_payment")


def make_book(folder: Path, accounts: int, seed: int = 0) -> None:
    """Write about 50 events an account, sorted, and the snapshots of both cases."""
    rng = np.random.default_rng(seed)
    points = []
    with pq.ParquetWriter(folder / "events.parquet", events_schema()) as writer:
        for low in range(0, accounts, 20_000):
            table = _chunk(rng, np.arange(low, min(low + 20_000, accounts)))
            writer.write_table(table, row_group_size=1_000_000)
            is_prepayment = pa.compute.equal(table["kind"].cast(pa.string()), "prepayment")
            mine = table.filter(is_prepayment)
            points.append(pa.table({"account_id": mine["account_id"], "as_of": mine["known_at"]}))
    every = pa.array(np.full(accounts, START + DAYS * DAY), TIME)
    pq.write_table(
        pa.table({"account_id": np.arange(accounts), "as_of": every}), folder / "a.parquet"
    )
    pq.write_table(pa.concat_tables(points), folder / "b.parquet")
    (folder / "made.json").write_text(json.dumps(_recipe(accounts)))


def is_made(folder: Path, accounts: int) -> bool:
    """Return whether a folder has this very book, made earlier."""
    made = folder / "made.json"
    return made.exists() and json.loads(made.read_text()) == _recipe(accounts)


def _recipe(accounts: int) -> dict[str, object]:
    recipe = {"accounts": accounts, "kinds": KINDS, "details": DETAILS}
    told: dict[str, object] = json.loads(json.dumps(recipe))
    return told


def _chunk(rng: np.random.Generator, accounts: np.ndarray) -> pa.Table:
    count = rng.poisson(49, len(accounts)) + 1
    size = int(count.sum())
    owner = np.repeat(np.arange(len(accounts)), count)
    ts = START + rng.integers(0, DAYS * DAY, size)
    order = np.lexsort((ts, owner))
    ts, owner = ts[order], owner[order]
    known_at = ts + np.where(rng.random(size) < 0.05, rng.integers(0, 2 * DAY, size), 0)
    order = np.lexsort((known_at, owner))
    weights = np.array(list(KINDS.values()))
    names = list(KINDS)
    kind = rng.choice(len(KINDS), size, p=weights / weights.sum()).astype(np.int8)
    value, has_value = np.zeros(size, np.int64), np.zeros(size, np.bool_)
    for name, (low, high) in VALUES.items():
        mine = kind == names.index(name)
        value[mine], has_value[mine] = rng.integers(low, high, int(mine.sum())), True
    loan = np.isin(kind, [names.index(name) for name in LOANS])
    columns = {
        "account_id": accounts[owner],
        "ts": ts[order],
        "known_at": known_at[order],
        "kind": pa.DictionaryArray.from_arrays(pa.array(kind), names),
        "amount": rng.integers(1, 10**6, size),
        "value": pa.array(value, pa.int32(), mask=~has_value),
        "loan_id": pa.array(rng.integers(1, 9, size), mask=~loan),
        "detail": _details(rng, kind),
    }
    schema = events_schema()
    arrays = [pa.array(columns[field.name]).cast(field.type) for field in schema]
    return pa.Table.from_arrays(arrays, schema=schema)


def _details(rng: np.random.Generator, kind: np.ndarray) -> pa.DictionaryArray:
    words = sorted({word for choice in DETAILS.values() for word in choice if word})
    code = np.full(len(kind), -1)
    for name, choice in DETAILS.items():
        mine = kind == list(KINDS).index(name)
        places = np.array([words.index(word) if word else -1 for word in choice])
        code[mine] = rng.choice(places, int(mine.sum()))
    return pa.DictionaryArray.from_arrays(pa.array(code, pa.int32(), mask=code < 0), words)


def shuffle(folder: Path, target: Path, seed: int = 1, bucket_rows: int = 2_000_000) -> None:
    """Write the whole book's events in no order, in bounded memory.

    Each row goes to a bucket by lot, and each bucket is shuffled: all orders are equally likely.
    """
    rng = np.random.default_rng(seed)
    target.mkdir(exist_ok=True)
    source = pq.ParquetFile(folder / "events.parquet")
    buckets = source.metadata.num_rows // bucket_rows + 1
    parts = [target / f"{number}.arrow" for number in range(buckets)]
    writers = [pa.ipc.new_stream(part, source.schema_arrow) for part in parts]
    for group in range(source.num_row_groups):
        table = source.read_row_group(group)
        bucket = rng.integers(0, buckets, table.num_rows)
        for number, writer in enumerate(writers):
            writer.write_table(table.filter(pa.array(bucket == number)))
    for writer in writers:
        writer.close()
    with pq.ParquetWriter(target / "events.parquet", source.schema_arrow) as out:
        for part in parts:
            with pa.ipc.open_stream(part) as stream:
                table = stream.read_all().unify_dictionaries()
            order = rng.permutation(table.num_rows)
            out.write_table(table.take(pa.array(order)), row_group_size=1_000_000)
            part.unlink()
    (target / "a.parquet").write_bytes((folder / "a.parquet").read_bytes())
