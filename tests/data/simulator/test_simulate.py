"""The simulated book's files: schema, order, identity whatever the blocks and workers."""

import hashlib
from importlib import import_module

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from relimit.data.errors import DataError
from relimit.data.schema import accounts_schema, decisions_log_schema, events_schema
from relimit.data.simulator import simulate, writer

simulation = import_module("relimit.data.simulator.simulate")  # shadowed by its function
TABLES = ("events", "decisions", "accounts")


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    out = tmp_path_factory.mktemp("book")
    simulate(out, accounts=300, months=5, seed=3, workers=1)
    return out


def digests(book):
    return {
        file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(book.iterdir())
    }


def test_every_table_has_the_book_schema(book):
    schemas = (events_schema(), decisions_log_schema(), accounts_schema())
    for table, schema in zip(TABLES, schemas, strict=True):
        assert pq.read_schema(book / f"{table}.parquet").equals(schema)


def test_events_come_by_account_and_time_of_learning(book):
    events = pq.read_table(book / "events.parquet", columns=["account_id", "known_at"])
    frame = pa.table({"a": events["account_id"], "k": events["known_at"].cast(pa.int64())})
    order = pc.sort_indices(frame, sort_keys=[("a", "ascending"), ("k", "ascending")])
    assert frame.take(order).equals(frame)


def test_a_block_of_many_accounts_comes_in_order(tmp_path):
    simulate(tmp_path, accounts=9_000, months=1, seed=3, workers=1, block_accounts=9_000)
    events = pq.read_table(tmp_path / "events.parquet", columns=["account_id", "known_at"])
    account, known = (events[name].cast(pa.int64()).to_numpy() for name in events.column_names)
    steps = np.diff(account)
    assert (steps >= 0).all()
    assert (np.diff(known)[steps == 0] >= 0).all()


def test_nothing_is_known_after_the_book_ends(book):
    events = pq.read_table(book / "events.parquet", columns=["ts", "known_at"])
    assert pc.all(pc.less_equal(events["ts"], events["known_at"])).as_py()
    assert str(pc.max(events["known_at"]).as_py()) <= "2023-05-31 16:00:00+00:00"


@pytest.mark.parametrize(("block", "workers"), [(110, 1), (160, 2)])
def test_the_same_seed_gives_the_same_bytes_whatever_blocks_and_workers(
    book, tmp_path, block, workers
):
    simulate(tmp_path, accounts=300, months=5, seed=3, workers=workers, block_accounts=block)
    assert digests(tmp_path) == digests(book)


@pytest.mark.parametrize(("block", "workers", "together"), [(37, 1, 2), (160, 2, 4)])
def test_so_do_the_oracle_messy_deliveries_and_many_row_groups(
    tmp_path, monkeypatch, block, workers, together
):
    def digests_of(name, workers, block, together):
        monkeypatch.setattr(simulation, "_BRANCHED_TOGETHER", together)
        simulate(
            tmp_path / name, accounts=200, months=9, seed=3, workers=workers, block_accounts=block,
            oracle=7, redelivered=0.1,
        )  # fmt: skip
        return digests(tmp_path / name)

    monkeypatch.setattr(writer, "ROW_GROUP_ROWS", 1_500)
    expected = digests_of("one", 1, 200, 7)
    assert pq.ParquetFile(tmp_path / "one" / "events.parquet").num_row_groups > 8
    assert pq.read_table(tmp_path / "one" / "oracle.parquet").num_rows == 7 * 25
    assert digests_of("other", workers, block, together) == expected


def test_another_seed_gives_another_book(book, tmp_path):
    simulate(tmp_path, accounts=300, months=5, seed=4, workers=1)
    assert digests(tmp_path)["events.parquet"] != digests(book)["events.parquet"]


def test_an_unknown_scenario_is_refused_by_name(tmp_path):
    with pytest.raises(DataError, match="unknown scenario 'boom'"):
        simulate(tmp_path, accounts=1, months=1, seed=1, scenario="boom")


def test_no_accounts_are_refused(tmp_path):
    with pytest.raises(DataError, match="accounts is 0"):
        simulate(tmp_path, accounts=0, months=1, seed=1)


def test_deliveries_come_twice_and_out_of_order_on_request(book, tmp_path):
    simulate(tmp_path, accounts=300, months=5, seed=3, workers=1, redelivered=0.1)
    clean, messy = (
        pq.read_table(folder / "events.parquet").to_pandas() for folder in (book, tmp_path)
    )
    assert 0.08 < len(messy) / len(clean) - 1 < 0.12
    assert not messy.account_id.is_monotonic_increasing
    columns = ["account_id", "known_at", "ts", "kind", "loan_id", "amount", "value", "detail"]
    once, again = (
        frame.astype({"kind": str, "detail": object}).drop_duplicates().sort_values(columns)
        for frame in (clean, messy)
    )
    assert once.reset_index(drop=True).equals(again.reset_index(drop=True))


@pytest.mark.parametrize("workers", [1, 2])
def test_a_book_that_is_broken_off_leaves_nothing(tmp_path, workers):
    def stop(_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        simulate(
            tmp_path, accounts=4, months=1, seed=1, workers=workers, block_accounts=2, progress=stop
        )
    assert not list(tmp_path.iterdir())
