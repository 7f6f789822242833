"""Reading for those wanted gives whole accounts of them, and decodes little of the others."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data import choosing
from relimit.data.overlap import Workers
from relimit.data.row_groups import Lot
from relimit.data.schema import events_schema
from relimit.data.stream import EventPlan
from relimit.data.wanted import Tally, Wanted

SINCE, AS_OF = 40, 50


def book(words: bool = False, nulls: bool = False) -> pa.Table:
    """Sixty accounts of up to thirty events, one of 400; few prepay in the window."""
    rng = np.random.default_rng(5)
    count = rng.integers(1, 30, 60)
    count[7] = 400
    ids = np.repeat(np.arange(60) * 3, count)
    ts = rng.integers(0, 50, len(ids))
    kinds = np.array(["draw", "due", "prepayment"])[rng.choice(3, len(ids), p=[0.6, 0.36, 0.04])]
    data: dict[str, Any] = {
        "account_id": [f"a{number:04}" for number in ids] if words else ids,
        "ts": ts,
        "known_at": [None if nulls and n % 2 else t + 3 for n, t in enumerate(ts.tolist())],
        "kind": kinds.tolist(),
        "amount": rng.choice([0, 5, 9, None], len(ids)),
        "value": [None] * len(ids),
        "loan_id": np.arange(len(ids)),
        "detail": rng.choice(["home", "other", None], len(ids)),
    }
    schema = events_schema(pa.string() if words else None)
    return pa.table({field.name: pa.array(data[field.name], field.type) for field in schema})


def asking(table: pa.Table) -> list[dict[str, Any]]:
    """The prepayments of the window, by a plain loop."""
    known = (table["known_at"].cast(pa.int64()), table["ts"].cast(pa.int64()))
    times = [
        k if k is not None else t for k, t in zip(*(c.to_pylist() for c in known), strict=True)
    ]
    rows = zip(table.to_pylist(), times, strict=True)
    return [row for row, time in rows if row["kind"] == "prepayment" and SINCE < time <= AS_OF]


def by_row(table: pa.Table) -> list[tuple[Any, ...]]:
    rows = table.to_pylist()
    return sorted((tuple(row.values()) for row in rows), key=lambda row: row[6])  # by loan_id


def written(folder: Path, table: pa.Table, how: str) -> Path:
    """The table in one sorted file, in no order, or in parts that came day by day."""
    if how == "days":
        folder.mkdir()
        day = table["ts"].cast(pa.int64()).to_numpy() // 10
        for number in np.unique(day):
            part = table.filter(pa.array(day == number))
            pq.write_table(part, folder / f"day-{number}.parquet", row_group_size=80)
        return folder
    if how == "shuffled":
        table = table.take(pa.array(np.random.default_rng(1).permutation(len(table))))
    pq.write_table(table, folder, row_group_size=int(how) if how.isdigit() else 90)
    return folder


@pytest.mark.parametrize("lot_rows", [1, 150, 10_000])
@pytest.mark.parametrize(
    ("words", "nulls"), [(False, False), (True, False), (False, True), (True, True)]
)
@pytest.mark.parametrize("how", ["7", "60", "5000", "shuffled", "days"])
def test_those_wanted_come_whole_and_those_due_are_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, words: bool, nulls: bool,
    lot_rows: int,
) -> None:  # fmt: skip
    monkeypatch.setattr(choosing, "LOT_ROWS", lot_rows)
    table = book(words, nulls)
    path = written(tmp_path / "events", table, how)
    named = sorted(set(table["account_id"].to_pylist()))[::11]
    wanted = Wanted(np.array(named, object if words else np.int64), "prepayment", SINCE, AS_OF)
    tally = Tally()
    with Workers(2) as pool:
        tables = list(EventPlan.of(path).wanted(wanted, tally, 50, pool))
    ids = [one for part in tables for one in dict.fromkeys(part["account_id"].to_pylist())]
    assert ids == sorted(set(ids))
    expected = {row["account_id"] for row in asking(table)} | set(named)
    assert expected < set(table["account_id"].to_pylist())
    found = wanted.of(pa.concat_tables(tables, promote_options="permissive"))
    mine = pa.array([one in expected for one in table["account_id"].to_pylist()])
    assert by_row(found) == by_row(table.filter(mine))
    due = {row["account_id"] for row in asking(table) if row["amount"] != 0}
    assert tally.between(None, None).tolist() == sorted(due)


def test_row_groups_without_anybody_wanted_are_not_decoded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = book()
    pq.write_table(table, tmp_path / "events.parquet", row_group_size=40)
    decoded = []
    read = Lot.read

    def note(lot: Lot, names: Any, groups: Any = None, **more: Any) -> pa.Table:
        if "amount" in names:
            decoded.extend(lot.groups if groups is None else groups)
        return read(lot, names, groups, **more)

    monkeypatch.setattr(Lot, "read", note)
    account = table["account_id"][600].as_py()
    list(EventPlan.of(tmp_path / "events.parquet").wanted(Wanted(np.array([account])), Tally()))
    first, last = table["account_id"][0].as_py(), table["account_id"][-1].as_py()
    assert decoded
    assert all(any(g.least <= one <= g.greatest for one in (first, account, last)) for g in decoded)


def test_parts_known_before_the_window_are_not_asked_who_is_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(tmp_path / "events", book(), "days")
    asked = []
    telling = choosing._telling
    monkeypatch.setattr(
        choosing,
        "_telling",
        lambda lot, wanted, lenient: asked.append(lot.path.name) or telling(lot, wanted, lenient),
    )
    list(EventPlan.of(path).wanted(Wanted(None, "prepayment", SINCE, AS_OF), Tally()))
    assert set(asked) == {"day-3.parquet", "day-4.parquet"}  # events of 38 were known at 41


def test_too_many_for_memory_are_parted_on_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choosing, "MOST_GATHERED", 100)
    monkeypatch.setattr(choosing, "LOT_ROWS", 100)
    table = book()
    wanted, tally = Wanted(None, "prepayment", SINCE, AS_OF), Tally()
    tables = list(EventPlan.of(written(tmp_path / "e", table, "shuffled")).wanted(wanted, tally))
    assert sum(len(part) for part in tables) == len(table)
    due = {row["account_id"] for row in asking(table) if row["amount"] != 0}
    assert tally.between(None, None).tolist() == sorted(due)
