from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.errors import DataError
from relimit.data.observe import observe
from relimit.data.prepayments import decision_id
from relimit.data.schema import decisions_log_schema, observations_schema
from relimit.data.stream import iter_event_blocks
from relimit.data.tables import write_parquet

TIME = pa.timestamp("us", tz="UTC")
START = datetime(2025, 1, 1, tzinfo=UTC)
DAY = timedelta(days=1)
Row = tuple[Any, ...]  # account, day, delay in days, kind, amount, value


def events_table(rows: list[Row], id_type: pa.DataType | None = None) -> pa.Table:
    account, day, delay, kind, amount, value = zip(*rows, strict=True)
    return pa.table(
        {
            "account_id": pa.array(list(account), id_type),
            "ts": pa.array([START + d * DAY for d in day], TIME),
            "known_at": pa.array([START + (d + w) * DAY for d, w in zip(day, delay, strict=True)],
                                 TIME),
            "kind": list(kind),
            "amount": pa.array(list(amount), pa.int64()),
            "value": pa.array(list(value), pa.int32()),
            "loan_id": pa.nulls(len(rows), pa.int64()),
            "detail": pa.nulls(len(rows), pa.string()),
        }
    )  # fmt: skip


def written(folder: Path, rows: list[Row], id_type: pa.DataType | None = None) -> Path:
    write_parquet(events_table(rows, id_type), folder / "events.parquet")
    return folder / "events.parquet"


def points(*rows: tuple[Any, ...], id_type: pa.DataType | None = None) -> pa.Table:
    """Snapshots of (account, day, freed)."""
    account, day, freed = zip(*rows, strict=True)
    return pa.table(
        {
            "account_id": pa.array(list(account), id_type),
            "as_of": pa.array([START + d * DAY for d in day], TIME),
            "freed": pa.array(list(freed), pa.int64()),
        }
    )


ORACLE = """
with seen as (from events where known_at <= $ends),
first_bad as (
    select p.row, min(e.ts) as hit from points p left join seen e
    on e.account_id = p.account_id and e.kind = 'overdue' and e.value >= $days
       and e.ts > p.as_of and e.ts <= p.as_of + to_days($horizon)
    group by p.row
),
known as (
    select p.row, p.freed, f.hit,
        p.as_of + to_days($horizon) <= $ends
            and exists (from events e where e.account_id = p.account_id) as matured,
        (select arg_max(amount, (known_at, ts, amount)) from events e
         where e.account_id = p.account_id and e.kind = 'limit' and e.known_at <= p.as_of) as lim,
        (select sum(case kind when 'draw' then amount else -amount end) from seen e
         where e.account_id = p.account_id
           and ((kind in ('draw', 'repayment', 'prepayment') and e.ts <= f.hit)
                or (kind = 'charge_off' and e.ts < f.hit))) as owed
    from points p join first_bad f using (row)
)
select case when matured then hit is not null end as bad,
       case when matured and lim is not null and freed is not null then
           case when hit is null then 0
                else greatest(0, greatest(0, coalesce(owed, 0)) - (lim - freed)) end end as excess
from known order by row
"""


@pytest.fixture(scope="module")
def base() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'; set threads = 1")
        yield connection


def by_sql(
    base: duckdb.DuckDBPyConnection, events: pa.Table, given: pa.Table, **settings: Any
) -> list[tuple[Any, Any]]:
    """Label points by SQL (the oracle); the excess is the loss at a loss given default of 1."""
    base.register("events", events)
    base.register("points", given.append_column("row", pa.array(range(given.num_rows))))
    return base.execute(ORACLE, settings).fetchall()


kinds = st.sampled_from(
    [("limit", None), ("draw", None), ("draw", None), ("repayment", None), ("prepayment", None),
     ("charge_off", None), ("overdue", 29), ("overdue", 30), ("overdue", 31), ("overdue", 60)]
)  # fmt: skip
rows = st.tuples(
    st.integers(1, 3), st.integers(0, 40), st.sampled_from([0, 0, 1, 9]), kinds,
    st.integers(0, 50),
)  # fmt: skip
snapshots = st.tuples(
    st.integers(0, 4), st.integers(-2, 30), st.one_of(st.none(), st.integers(0, 30))
)


@pytest.mark.parametrize("id_type", [pa.int64(), pa.string()])
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_labels_equal_those_of_sql(
    base: duckdb.DuckDBPyConnection,
    id_type: pa.DataType,
    data: st.DataObject,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    plain = data.draw(st.lists(rows, min_size=1, max_size=40))
    asked = data.draw(st.lists(snapshots, min_size=1, max_size=12))
    ends, horizon = data.draw(st.integers(20, 50)), data.draw(st.integers(1, 20))
    name = str if id_type == pa.string() else int
    table = events_table([(name(a), d, w, *k[:1], x, *k[1:]) for a, d, w, k, x in plain], id_type)
    given_points = points(*[(name(a), d, f) for a, d, f in asked], id_type=id_type)
    if not {a for a, *_ in asked} & {a for a, *_ in plain}:
        return
    path = tmp_path_factory.mktemp("observe") / "events.parquet"
    write_parquet(table, path)
    module = import_module("relimit.data.points")
    with pytest.MonkeyPatch.context() as patch:
        rows_a_block = data.draw(st.sampled_from([1, 5, 100]))
        patch.setattr(module, "iter_event_blocks", partial(iter_event_blocks, rows=rows_a_block))
        got = observe(
            path, given_points, horizon_days=horizon, as_of=START + ends * DAY,
            loss_given_default=1.0,
        )  # fmt: skip
    expected = by_sql(base, table, given_points, ends=START + ends * DAY, horizon=horizon, days=30)
    assert list(zip(got["bad"].to_pylist(), got["loss"].to_pylist(), strict=True)) == expected
    for column in given_points.column_names:
        assert got[column].to_pylist() == given_points[column].to_pylist()


LATER = (1, 400, 0, "login", None, None)  # so that the book ends late


def label(folder: Path, rows: list[Row], day: int = 10, **options: Any) -> Any:
    path = written(folder, [*rows, LATER])
    return observe(path, points((1, day, 100)), **options)["bad"].to_pylist()[0]


@pytest.mark.parametrize(
    ("day", "value", "bad"),
    [(10, 30, False), (11, 30, True), (11, 29, False), (190, 30, True), (191, 30, False)],
)
def test_the_horizon_opens_after_the_point_and_holds_its_last_instant(
    day: int, value: int, bad: bool, tmp_path: Path
) -> None:
    assert label(tmp_path, [(1, day, 0, "overdue", 9, value)]) is bad


def test_the_threshold_and_the_horizon_are_settings(tmp_path: Path) -> None:
    late = [(1, 60, 0, "overdue", 9, 90)]
    assert label(tmp_path, late, days_past_due=90) is True
    assert label(tmp_path, late, days_past_due=91) is False
    assert label(tmp_path, late, horizon_days=49) is False
    assert label(tmp_path, late, horizon_days=50) is True


def test_a_label_is_null_until_the_whole_horizon_has_passed(tmp_path: Path) -> None:
    path = written(tmp_path, [(1, 0, 0, "limit", 9, None), (1, 20, 0, "overdue", 9, 30)])
    for ends, bad in ((189, None), (190, True)):
        got = observe(path, points((1, 10, 5)), as_of=START + ends * DAY)
        assert got["bad"].to_pylist() == [bad]
        assert (got["loss"].to_pylist() == [None]) == (bad is None)


def test_an_overdue_event_is_placed_by_its_time_but_must_be_known(tmp_path: Path) -> None:
    path = written(tmp_path, [(1, 189, 30, "overdue", 9, 30)])
    for ends, bad in ((218, False), (219, True)):
        assert observe(path, points((1, 10, 5)), as_of=START + ends * DAY)["bad"][0].as_py() is bad


def test_the_book_file_says_when_the_book_ends_else_the_last_event_does(tmp_path: Path) -> None:
    path = written(tmp_path, [(1, 20, 0, "overdue", 9, 30), (1, 100, 89, "cured", 9, None)])
    assert observe(path, points((1, 10, 5)))["bad"].to_pylist() == [None]
    assert observe(path, points((1, 9, 5)))["bad"].to_pylist() == [True]
    (tmp_path / "book.json").write_text('{"as_of": "2025-12-31T00:00:00Z"}')
    assert observe(path, points((1, 10, 5)))["bad"].to_pylist() == [True]


def test_the_loss_is_what_stands_above_the_limit_that_was_kept(tmp_path: Path) -> None:
    history = [
        (1, 0, 0, "limit", 1000, None),
        (1, 1, 0, "draw", 1000, None),
        (1, 10, 0, "prepayment", 400, None),
        (1, 12, 0, "draw", 391, None),  # owes 991; 600 had been kept; 391 x 0.8 = 312.8
        (1, 30, 0, "charge_off", 991, None),
        (1, 30, 0, "overdue", 991, 30),
        (1, 31, 0, "draw", 500, None),
        LATER,
    ]
    path = written(tmp_path, history)
    given_points = points((1, 10, 400), (1, 10, 0), (1, 10, None), (1, 31, 400))
    assert observe(path, given_points)["loss"].to_pylist() == [313, 0, None, 0]
    half = observe(path, given_points, loss_given_default=0.5)["loss"].to_pylist()
    assert half == [196, 0, None, 0]


BALANCES = [
    # (what happened besides the limit of 10 and the default on day 30, the balance it left)
    ([(1, 30, 0, "draw", 50, None)], 50),  # booked at the instant of the default
    ([(1, 30, 3, "draw", 50, None)], 50),  # and learned of a little later
    ([(1, 20, 385, "draw", 50, None)], 0),  # learned of after the book's end
    ([(1, 20, 0, "repayment", 90, None), (1, 31, 0, "draw", 50, None)], 0),  # cut-off history
    ([(1, 20, 0, "draw", 50, None), (1, 30, 0, "repayment", 20, None)], 30),
    ([(1, 20, 0, "draw", 50, None), (1, 29, 0, "charge_off", 50, None)], 0),
    ([(n, 20, 0, "draw", 50, None) for n in (0, 2)], 0),  # other accounts'
]


@pytest.mark.parametrize(("history", "balance"), BALANCES)
def test_the_balance_is_what_was_owed_at_the_default(
    history: list[Row], balance: int, tmp_path: Path
) -> None:
    known = [(1, 0, 0, "limit", 10, None), (1, 30, 0, "overdue", 9, 30), LATER]
    path = written(tmp_path, [*known, *history])
    asked = points((0, 10, 17), (1, 10, 17))  # so that both are in one block
    got = observe(path, asked, as_of=START + 400 * DAY, loss_given_default=1.0)
    assert got["loss"][1].as_py() == max(0, balance + 7)


def test_a_loss_without_a_known_limit_is_null(tmp_path: Path) -> None:
    rows = [(1, 0, 15, "limit", 10, None), (1, 20, 0, "overdue", 9, 30), LATER]
    path = written(tmp_path, rows)
    got = observe(path, points((1, 14, 5), (1, 15, 5)))
    assert got["bad"].to_pylist() == [True, True]
    assert [loss is None for loss in got["loss"].to_pylist()] == [True, False]


def test_decisions_hand_on_their_arms_and_keep_their_order(tmp_path: Path) -> None:
    path = written(tmp_path, [(a, 20, 0, "overdue", 9, 30) for a in (1, 3)] + [(2, *LATER[1:])])
    log = pa.table(
        {
            "decision_id": ["c", "a", "b"],
            "account_id": [3, 1, 2],
            "decided_at": pa.array([START + 5 * DAY] * 3, TIME),
            "prepaid": [9, 9, 9],
            "freed": [7, 8, 9],
            "share": [1.0, 0.5, 0.0],
            "delay_days": pa.array([0, 3, 0], pa.int32()),
            "propensity": [0.5, None, 0.1],
            "policy": ["old"] * 3,
        }
    )
    got = observe(path, decisions=log.cast(decisions_log_schema()))
    assert got.schema.equals(observations_schema())
    assert got["decision_id"].to_pylist() == ["c", "a", "b"]
    assert got["bad"].to_pylist() == [True, True, False]
    assert got["propensity"].to_pylist() == [0.5, None, 0.1]
    assert got["delay_days"].to_pylist() == [0, 3, 0]


@pytest.mark.parametrize("id_type", [pa.int64(), pa.string()])
def test_without_points_the_prepayments_are_observed(id_type: pa.DataType, tmp_path: Path) -> None:
    rows = [
        (1, 0, 0, "limit", 100, None),
        (1, 1, 0, "draw", 100, None),
        (1, 10, 0, "prepayment", 30, None),
        (1, 10, 0, "prepayment", 20, None),
        (1, 30, 0, "overdue", 9, 30),
        (2, 5, 0, "prepayment", 10, None),
        (2, 399, 0, "prepayment", 10, None),
        LATER,
    ]
    name = str if id_type == pa.string() else int
    path = written(tmp_path, [(name(row[0]), *row[1:]) for row in rows], id_type)
    got = observe(path)
    assert got.schema.equals(observations_schema(id_type))
    assert got["account_id"].to_pylist() == [name(1), name(2), name(2)]
    assert got["freed"].to_pylist() == [50, 10, 10]
    assert got["bad"].to_pylist() == [True, False, None]
    micros = int((START + 10 * DAY).timestamp()) * 1_000_000
    assert got["decision_id"][0].as_py() == decision_id(1, micros, 50)
    assert got["share"].null_count == 3


def test_events_without_prepayments_give_no_observation(tmp_path: Path) -> None:
    assert observe(written(tmp_path, [LATER])).num_rows == 0


def test_an_account_without_events_has_no_label(tmp_path: Path) -> None:
    got = observe(written(tmp_path, [LATER]), points((7, 0, 1), (1, 0, 1)))
    assert got["bad"].to_pylist() == [None, False]
    with pytest.raises(DataError, match="none of the 2 points is of an account that has events"):
        observe(written(tmp_path, [LATER]), points((7, 0, 1), (8, 0, 1)))


def test_wrong_points_are_told(tmp_path: Path) -> None:
    path = written(tmp_path, [LATER])
    with pytest.raises(
        DataError, match=r"snapshots: column account_id is string \(1 rows\), but i"
    ):
        observe(path, points(("1", 0, 1)))
    with pytest.raises(DataError, match=r"snapshots: column as_of is missing \(1 rows"):
        observe(path, points((1, 0, 1)).drop(["as_of"]))
    log = points((1, 0, 1)).rename_columns({"as_of": "decided_at"})
    log = log.set_column(2, "freed", pa.array([1.0]))
    with pytest.raises(DataError, match=r"decisions: column freed is double \(1 rows\)"):
        observe(path, decisions=log)
    with pytest.raises(ValueError, match="not both"):
        observe(path, points((1, 0, 1)), points((1, 0, 1)))
    with pytest.raises(ValueError, match="positive"):
        observe(path, points((1, 0, 1)), horizon_days=0)
