"""Read leniently, events without time or kind come with their account, and nobody's stay out."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from relimit.data import choosing, spill
from relimit.data.errors import DataError
from relimit.data.files import validate_schema
from relimit.data.overlap import Workers
from relimit.data.schema import events_schema
from relimit.data.stream import EventPlan
from relimit.data.unusable import nameless_events, split_unusable
from relimit.data.wanted import Tally, Wanted

SINCE, AS_OF = 40, 50
LACKING = ("account_id", "ts", "kind", "known_at")


def book(words: bool) -> pa.Table:
    """Forty accounts of up to thirty events, of which one in seven lacks something."""
    rng = np.random.default_rng(3)
    ids = np.repeat(np.arange(40), rng.integers(1, 30, 40))
    kinds = np.array(["draw", "due", "prepayment"])[rng.choice(3, len(ids), p=[0.6, 0.36, 0.04])]
    ts = rng.integers(0, 50, len(ids))
    data: dict[str, Any] = {
        "account_id": [f"a{number:04}" for number in ids] if words else ids.tolist(),
        "ts": ts.tolist(),
        "known_at": (ts + 3).tolist(),
        "kind": kinds.tolist(),
        "amount": rng.choice([5, 9, None], len(ids)).tolist(),
        "value": [None] * len(ids),
        "loan_id": list(range(len(ids))),
        "detail": rng.choice(["home", None], len(ids)).tolist(),
    }
    for name in LACKING:
        for row in np.flatnonzero(rng.random(len(ids)) < 0.04):
            data[name][row] = None
    for row in [row for row, time in enumerate(data["ts"]) if time is None][:4]:  # at no time
        data["known_at"][row], data["kind"][row] = None, "prepayment"
    schema = events_schema(pa.string() if words else None)
    fields = [pa.field(field.name, field.type) for field in schema]
    return pa.table({field.name: pa.array(data[field.name], field.type) for field in fields})


def written(path: Path, table: pa.Table, how: str) -> Path:
    if how == "shuffled":
        table = table.take(pa.array(np.random.default_rng(1).permutation(len(table))))
    rows = int(how) if how.isdigit() else 40
    pq.write_table(table, path, row_group_size=rows, write_statistics=how != "untold")
    return path


def loans(table: pa.Table) -> list[int]:
    """The rows of a table by the name that each has."""
    return sorted(table["loan_id"].to_pylist())


def may_ask(row: dict[str, Any]) -> bool:
    known = row["ts"] if row["known_at"] is None else row["known_at"]
    late = known is None or SINCE < known <= AS_OF
    return late and row["kind"] in ("prepayment", None)


@pytest.mark.parametrize("most", [1_000_000, 0])
@pytest.mark.parametrize("words", [False, True])
@pytest.mark.parametrize("how", ["20", "60", "5000", "shuffled", "untold"])
def test_whatever_the_order_of_the_file_those_wanted_come_with_what_they_lack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, words: bool, most: int
) -> None:
    monkeypatch.setattr(choosing, "LOT_ROWS", 100)
    monkeypatch.setattr(choosing, "MOST_GATHERED", most)
    monkeypatch.setattr(spill, "BUCKET_ROWS", 100)
    table = book(words)
    path = written(tmp_path / "e.parquet", table, how)
    named = table.filter(table["account_id"].is_valid())
    wanted, tally = Wanted(None, "prepayment", SINCE, AS_OF), Tally()
    with Workers(2) as pool:
        plan = EventPlan.of(path, lenient=True)
        whole = pa.concat_tables(plan.tables(60, pool), promote_options="permissive")
        some = pa.concat_tables(plan.wanted(wanted, tally, 60, pool), promote_options="permissive")
    assert loans(whole) == loans(named)
    plain = named.cast(
        pa.schema(
            [
                field.with_type(pa.int64()) if pa.types.is_timestamp(field.type) else field
                for field in named.schema
            ]
        )
    ).to_pylist()
    asked = {row["account_id"] for row in plain if may_ask(row)}
    assert 0 < len(asked) < 40
    mine = pc.is_in(named["account_id"], pa.array(sorted(asked), named["account_id"].type))
    assert loans(wanted.of(some)) == loans(named.filter(mine))
    assert tally.between(None, None).tolist() == sorted(asked)
    (usable, rest), lacks = (
        split_unusable(whole),
        pc.or_(named["ts"].is_null(), named["kind"].is_null()),
    )
    assert loans(rest) == loans(named.filter(lacks)) != []
    assert len(usable) + len(rest) == len(named)
    nobodys = nameless_events(validate_schema(path, events_schema(), "events"))
    assert loans(pa.concat_tables(nobodys)) == loans(table.filter(table["account_id"].is_null()))
    with pytest.raises(DataError, match="is null in"):
        list(EventPlan.of(path).tables())
