"""A table is looked up by account as if it were held whole, in no more memory than a part of it."""

import copy
import tempfile
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data import DataError, read_parquet
from relimit.data import by_account as module
from relimit.data.by_account import RowsByAccount, read_by_account
from relimit.data.prepayments import check_prepayments
from relimit.data.schema import TIME, prepayments_schema

SCHEMA = prepayments_schema()
ROWS = 2_500
Row = dict[str, Any]
IDS: dict[str, Callable[[int], Any]] = {
    "numbers": lambda number: number - 200,
    "far apart": lambda number: (number - 300) * 2**52,
    "words": lambda number: f"account-{number:04}",
    "words of any length": lambda number: "é" * (number % 7) + str(number),
}


@pytest.fixture(autouse=True)
def few_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many ranges, each put together from several batches."""
    monkeypatch.setattr(module, "RANGE_ROWS", 300)
    monkeypatch.setattr("relimit.data.tables.ROW_GROUP_ROWS", 400)


def listed(kind: str, seed: int = 1) -> list[Row]:
    """Rows in no order, of accounts with some rows each."""
    rng = np.random.default_rng(seed)
    places = rng.integers(0, ROWS, ROWS)
    return [
        {
            "account_id": IDS[kind](int(place) % 1_000),
            "as_of": int(rng.integers(0, 5)),
            "prepaid": number + 1,
            "freed": None if number % 3 else 0,
        }
        for number, place in enumerate(places)
    ]


def table_of(rows: list[Row]) -> pa.Table:
    words = bool(rows) and isinstance(rows[0]["account_id"], str)
    schema = prepayments_schema(pa.string() if words else None)
    times = pa.array([row["as_of"] for row in rows], pa.int64()).cast(TIME)
    columns = {name: [row[name] for row in rows] for name in schema.names}
    return pa.table({**columns, "as_of": times}, schema=schema)


def read(table: pa.Table, path: Path) -> RowsByAccount:
    pq.write_table(table, path, row_group_size=700)
    check = partial(check_prepayments, where=str(path))
    return read_by_account(path, SCHEMA, table="prepayments", order=("as_of",), check=check)


def rows_of(table: pa.Table) -> list[Row]:
    return table.set_column(1, "as_of", table["as_of"].cast(pa.int64())).to_pylist()


@pytest.mark.parametrize("kind", IDS)
def test_rows_are_found_as_in_a_sorted_list(kind: str, tmp_path: Path) -> None:
    rows = listed(kind)
    found = read(table_of(rows), tmp_path / "p.parquet")
    ordered = sorted(rows, key=lambda row: (row["account_id"], row["as_of"]))
    ids = sorted({row["account_id"] for row in rows})
    assert len(found) == len(rows)
    assert found.accounts.tolist() == ids
    assert rows_of(found.about_others(found.accounts[:0], None, None)) == ordered
    rng = np.random.default_rng(3)
    for _ in range(20):
        low, high = sorted(rng.integers(0, 1_000, 2).tolist())
        span = sorted(IDS[kind](number) for number in range(1_000))[low : high + 1]
        asked = np.array(span[:: int(rng.integers(1, 9))], dtype=found.accounts.dtype)
        about, place = found.about(asked)
        mine = [row for row in ordered if row["account_id"] in set(asked.tolist())]
        assert rows_of(about) == mine
        assert [asked[each] for each in place] == [row["account_id"] for row in mine]
        rest = found.about_others(asked, span[0], span[-1])
        seen = {span[0], *asked.tolist()}
        others = [row for row in ordered if span[0] <= row["account_id"] <= span[-1]]
        assert rows_of(rest) == [row for row in others if row["account_id"] not in seen]


def test_a_list_in_parts_and_one_of_nobody(tmp_path: Path) -> None:
    rows = listed("numbers")
    (tmp_path / "parts").mkdir()
    for number in range(3):
        pq.write_table(table_of(rows[number::3]), tmp_path / "parts" / f"{number}.parquet")
    found = read_by_account(tmp_path / "parts", SCHEMA, table="prepayments", order=("as_of",))
    assert len(found.about_others(np.empty(0, np.int64), None, None)) == ROWS
    nobody = read(table_of(rows[:0]), tmp_path / "none.parquet")
    assert len(nobody) == len(nobody.accounts) == 0
    assert nobody.about(np.array([1, 2]))[0].num_rows == 0
    assert nobody.about_others(np.array([1, 2]), None, None).num_rows == 0
    assert nobody.about(np.empty(0, np.int64))[0].schema == nobody.schema


def test_it_is_sent_whole_and_threads_share_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_HELD_BYTES", 1_000)  # so that it comes to the disk
    here = read(table_of(listed("numbers")), tmp_path / "p.parquet")
    there: RowsByAccount = copy.copy(here)  # by what would be sent
    asked = [here.accounts[low::37] for low in range(37)]
    alone = [there.about(ids)[0] for ids in asked]
    found: dict[int, pa.Table] = {}

    def look(low: int) -> None:
        found[low] = here.about(asked[low])[0]

    threads = [threading.Thread(target=look, args=(low,)) for low in range(37)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(found[low].equals(alone[low]) for low in range(37))


FAULTS: dict[str, Callable[[list[Row]], object]] = {
    "null": lambda rows: [row.update(prepaid=None) for row in rows[::900]],
    "not positive": lambda rows: [row.update(prepaid=0) for row in rows[::800]],
    "negative": lambda rows: [row.update(freed=-1) for row in rows[::700]],
    "more than prepaid": lambda rows: [row.update(freed=ROWS * 2) for row in rows[::600]],
    "repeated": lambda rows: rows.extend(rows[::500]),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_is_wrong_is_counted_in_the_whole_list(fault: str, tmp_path: Path) -> None:
    rows = listed("words")
    FAULTS[fault](rows)
    path = tmp_path / "own.parquet"
    loose = pa.schema([field.with_nullable(True) for field in table_of(rows[:0]).schema])
    words = loose.set(0, loose.field(0).with_type(pa.string()))
    columns = {name: [row[name] for row in rows] for name in words.names}
    times = pa.array(columns["as_of"], pa.int64()).cast(TIME)
    given = pa.table({**columns, "as_of": times}, schema=words)
    with pytest.raises(DataError) as here:
        read(given, path)
    with pytest.raises(DataError) as whole:
        check_prepayments(read_parquet(path, SCHEMA, table="prepayments"), where=str(path))
    assert str(here.value) == str(whole.value)


def test_no_room_for_the_copy_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(tempfile.SpooledTemporaryFile[bytes]):
        def write(self, content: Any) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", Full)
    with pytest.raises(DataError, match=r"p.parquet: .*No space left on device.*TMPDIR"):
        read(table_of(listed("numbers")), tmp_path / "p.parquet")


def test_a_long_list_takes_the_memory_of_its_accounts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RANGE_ROWS", 10_000)
    monkeypatch.setattr(module, "_HELD_BYTES", 1_000)
    order = np.random.default_rng(2).permutation(400_000)
    columns = {"account_id": order // 4, "prepaid": order + 1}
    table = pa.table({**columns, "as_of": pa.array(order).cast(TIME)})
    pq.write_table(table, tmp_path / "p.parquet", row_group_size=50_000)
    del table
    before = pa.total_allocated_bytes()
    found = read_by_account(tmp_path / "p.parquet", SCHEMA, table="prepayments", order=("as_of",))
    assert found.accounts.nbytes == 100_000 * 8
    assert sum(found.about(found.accounts[low::99])[0].num_rows for low in range(3)) > 12_000
    assert pa.total_allocated_bytes() - before < 32 * len(found) / 5
