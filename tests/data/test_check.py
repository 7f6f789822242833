import json
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.check import check_events
from relimit.data.check_accounts import more_than_owed, repeated
from relimit.data.check_book import check
from relimit.data.errors import DataError
from relimit.data.events import blocks_from_table
from relimit.data.findings import CheckReport, Finding
from relimit.data.ledger import account_of
from relimit.data.order import OrderWatch
from relimit.data.tables import write_parquet

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
NOW = datetime(2025, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def events(*rows: dict[str, Any], without: tuple[str, ...] = ()) -> pa.Table:
    """Two good rows and, after them, those given; a row need only say what is special about it."""
    usual = {"account_id": 1, "ts": NOON, "kind": "draw", "amount": 5, "value": None,
             "known_at": None, "loan_id": None, "detail": None}  # fmt: skip
    good = [{"account_id": 1, "kind": "limit", "amount": 100, "ts": NOON - DAY}, {"account_id": 1}]
    filled = []
    for row in (*good, *rows):
        whole = {**usual, **row}
        whole["known_at"] = row.get("known_at") or whole["ts"]
        filled.append({name: whole[name] for name in usual if name not in without})
    time = pa.timestamp("us", "UTC")
    schema = pa.schema(
        [
            ("account_id", pa.int64()),
            ("ts", time),
            ("kind", pa.string()),
            ("amount", pa.int64()),
            ("value", pa.int64()),
            ("known_at", time),
            ("loan_id", pa.int64()),
            ("detail", pa.string()),
        ]
    )
    kept = pa.schema([field for field in schema if field.name not in without])
    return pa.Table.from_pylist(filled, schema=kept)


def report_of(table: pa.Table, folder: Path, **options: Any) -> CheckReport:
    path = folder / "events.parquet"
    pq.write_table(table, path)
    return check_events(path, now=NOW, **options)


def by_code(report: CheckReport) -> dict[str, Finding]:
    return {finding.code: finding for finding in report.findings}


def test_good_events_have_no_finding(tmp_path: Path) -> None:
    report = report_of(events(), tmp_path)
    assert report.ok
    assert report.findings == ()
    assert (report.rows, report.accounts) == (2, 1)
    assert json.loads(json.dumps(report.to_dict()))["ok"] is True


ERRORS: list[tuple[str, str, dict[str, Any]]] = [
    ("null_account_id", "account_id", {"account_id": None}),
    ("null_kind", "kind", {"kind": None}),
    ("before_1970", "ts", {"ts": datetime(1969, 12, 31, tzinfo=UTC)}),
    ("in_the_future", "known_at", {"ts": NOW + 2 * DAY}),
    ("negative_amount", "amount", {"amount": -1}),
    ("negative_amount", "amount", {"kind": "repayment", "amount": -1}),
    ("negative_amount", "amount", {"kind": "inflow", "amount": -1}),
    ("missing_amount", "amount", {"amount": None}),
    ("missing_amount", "amount", {"kind": "limit", "amount": None}),
    ("missing_days_past_due", "value", {"kind": "overdue", "amount": 9}),
    ("negative_days_past_due", "value", {"kind": "overdue", "value": -3}),
    ("negative_minutes", "value", {"kind": "outage", "value": -3, "amount": None}),
]


@pytest.mark.parametrize(("code", "column", "row"), ERRORS)
def test_each_fault_of_a_row_is_an_error_with_its_place(
    code: str, column: str, row: dict[str, Any], tmp_path: Path
) -> None:
    report = report_of(events(row, {"ts": NOON + DAY}, {"ts": NOON + DAY, **row}), tmp_path)
    assert not report.ok
    found = by_code(report)[code]
    assert (found.level, found.column, found.count, found.row) == ("error", column, 2, 2)
    assert "in 2 of 5 rows; first in events.parquet, row 2" in found.message
    assert f"column {column} " in found.message
    assert found.mend


def test_a_null_time_is_an_error(tmp_path: Path) -> None:
    table = events({"ts": NOON})
    times = pa.array([NOON - DAY, NOON, None], pa.timestamp("us", "UTC"))
    report = report_of(table.set_column(1, "ts", times), tmp_path)
    assert by_code(report)["null_ts"].count == 1


WARNINGS: list[tuple[str, dict[str, Any]]] = [
    ("negative_due", {"kind": "due", "amount": -5}),
    ("negative_due", {"kind": "overdue", "amount": -5, "value": 3}),
    ("no_amount", {"kind": "income", "amount": None}),
    ("known_before_it_happened", {"known_at": NOON - 2 * DAY}),
    ("score_out_of_range", {"kind": "external_score", "amount": None, "value": 349}),
    ("score_out_of_range", {"kind": "external_score", "amount": None, "value": 951}),
    ("repeated_rows", {}),
    ("prepaid_more_than_owed", {"kind": "prepayment", "amount": 6, "ts": NOON + DAY}),
    ("no_limit", {"account_id": 2}),
    ("unknown_kind", {"kind": "gift"}),
]


@pytest.mark.parametrize(("code", "row"), WARNINGS)
def test_each_strange_row_is_a_warning_and_no_error(
    code: str, row: dict[str, Any], tmp_path: Path
) -> None:
    report = report_of(events(row), tmp_path)
    assert report.ok
    assert by_code(report)[code].level == "warning"
    assert by_code(report)[code].count == 1


FINE: list[dict[str, Any]] = [
    {"kind": "external_score", "amount": None, "value": 350},
    {"kind": "external_score", "amount": None, "value": 950, "ts": NOON + DAY},
    {"kind": "overdue", "amount": None, "value": 0},
    {"kind": "operation", "amount": None, "detail": "login_failed"},
    {"ts": NOW, "known_at": NOW + DAY},
    {"ts": datetime(1970, 1, 1, tzinfo=UTC), "known_at": NOON},
    {"kind": "prepayment", "amount": 5, "ts": NOON + DAY},
    {"loan_id": 4},
    {"detail": "travel"},
    {"known_at": NOON - DAY},
]


@pytest.mark.parametrize("row", FINE)
def test_what_is_just_allowed_is_not_a_finding(row: dict[str, Any], tmp_path: Path) -> None:
    codes = set(by_code(report_of(events(row), tmp_path)))
    assert codes <= {"unsorted"}


def test_unknown_kinds_are_one_warning_with_their_counts(tmp_path: Path) -> None:
    strange = [{"kind": kind} for kind in ("gift", "bonus", "gift")]
    found = by_code(report_of(events(*strange), tmp_path))["unknown_kind"]
    assert found.count == 3
    assert found.message.startswith("3 of 5 rows are of kinds that features ignore: bonus (1), gif")
    assert "gift (2)" in found.message


def test_only_money_is_asked_for_in_fen(tmp_path: Path) -> None:
    table = events()
    for name in ("amount", "value"):
        place = table.column_names.index(name)
        table = table.set_column(place, name, table[name].cast(pa.float64()))
    mends = [finding.mend for finding in report_of(table, tmp_path).findings]
    assert ["fen" in mend for mend in mends] == [True, False]


def test_future_counts_from_the_time_given_and_a_book_may_end_earlier(tmp_path: Path) -> None:
    table = events({"ts": NOW + 2 * DAY})
    assert not report_of(table, tmp_path).ok
    later = check_events(tmp_path / "events.parquet", now=NOW + DAY)
    assert later.ok
    ended = check_events(tmp_path / "events.parquet", now=NOW + DAY, ends=NOON)
    assert by_code(ended)["after_the_book"].count == 1


def test_a_late_row_is_noted_across_batches_and_parts(tmp_path: Path) -> None:
    assert by_code(report_of(events({"ts": NOON - 2 * DAY}), tmp_path))["unsorted"].row == 2
    folder = tmp_path / "parts"
    write_parquet(events(), folder / "a.parquet")
    write_parquet(events({"account_id": 0}), folder / "b.parquet")
    found = by_code(check_events(folder, now=NOW))["unsorted"]
    assert (found.level, found.count, Path(found.file).name, found.row) == (
        "note", 2, "b.parquet", 0)  # fmt: skip


@settings(max_examples=60)
@given(st.lists(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 3)), max_size=5), max_size=4))
def test_the_order_watch_equals_comparing_pairs(batches: list[list[tuple[int, int]]]) -> None:
    flat = [row for batch in batches for row in batch]
    expected = [n > 0 and flat[n] < flat[n - 1] for n in range(len(flat))]
    for id_type, name in ((pa.int64(), int), (pa.string(), str)):
        watch, got = OrderWatch(), []
        for batch in batches:
            ids = pa.chunked_array([pa.array([name(a) for a, _ in batch], id_type)])
            got += watch.see(ids, np.array([t for _, t in batch], np.int64)).tolist()
        assert got == expected


rows = st.tuples(
    st.integers(1, 2), st.integers(0, 4), st.sampled_from(["draw", "prepayment", "repayment"]),
    st.integers(0, 4), st.sampled_from([None, 1]),
)  # fmt: skip


@settings(max_examples=80, deadline=None)
@given(st.lists(rows, min_size=1, max_size=25))
def test_repeats_and_overpayments_equal_a_plain_count(plain: list[Any]) -> None:
    account, ts, kind, amount, loan = zip(*plain, strict=True)
    times = pa.array(list(ts), pa.int64()).cast(pa.timestamp("us", "UTC"))
    table = {"account_id": list(account), "ts": times, "kind": list(kind), "amount": list(amount),
             "loan_id": pa.array(list(loan), pa.int64())}  # fmt: skip
    block = blocks_from_table(pa.table(table))
    places = account_of(block)
    assert repeated(block, places).sum() == len(plain) - len(set(plain))
    over = 0
    for one in set(account):
        owed = 0
        own = sorted((row[1], row[2] != "draw", n) for n, row in enumerate(plain) if row[0] == one)
        by_place = block_order(plain, [n for _, _, n in own])
        for n in by_place:
            _, _, what, fen, _ = plain[n]
            over += what == "prepayment" and fen > max(0, owed)
            owed += fen if what == "draw" else -fen
    assert more_than_owed(block, places).sum() == over


def test_a_null_amount_and_none_at_all_are_two_rows(tmp_path: Path) -> None:
    incomes = [{"kind": "income", "amount": amount} for amount in (None, 0)]
    assert set(by_code(report_of(events(*incomes), tmp_path))) == {"no_amount"}


def test_a_draw_known_late_still_comes_before_what_repays_it(tmp_path: Path) -> None:
    late = {"ts": NOON + DAY, "amount": 50, "known_at": NOON + 3 * DAY}
    paid = {"ts": NOON + DAY, "amount": 55, "kind": "prepayment"}
    assert report_of(events(paid, late), tmp_path).findings == ()


def test_a_row_is_counted_in_its_file_whatever_the_batches(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(import_module("relimit.data.check"), "ROW_GROUP_ROWS", 2)
    bad = [{"ts": NOON + DAY}, {"ts": NOON + DAY, "amount": -1, "loan_id": 2}]
    report = report_of(events(*bad, {"ts": NOON}), tmp_path, quarantine=tmp_path / "out")
    assert by_code(report)["negative_amount"].row == 3
    assert by_code(report)["unsorted"].row == 4
    assert report.quarantine is not None
    assert report.quarantine.good == 4


def block_order(plain: list[Any], own: list[int]) -> list[int]:
    """Order one account's rows: time, draws first, then kind, loan (null first) and amount."""
    kinds = ["draw", "repayment", "prepayment"]
    return sorted(own, key=lambda n: (plain[n][1], kinds.index(plain[n][2]), plain[n][4] or 0,
                                      plain[n][3]))  # fmt: skip


def test_columns_and_files_that_are_not_read_are_told(tmp_path: Path) -> None:
    table = events(without=("known_at",))
    table = table.append_column("known_At", table["ts"]).append_column("remark", table["kind"])
    write_parquet(table, tmp_path / "a.parquet")
    (tmp_path / "b.parq").write_bytes(b"")
    found = by_code(check_events(tmp_path, now=NOW))
    assert found["misspelt_column"].message == "column known_At is not read; was known_at meant?"
    assert "remark" in found["extra_columns"].message
    assert "known_At" not in found["extra_columns"].message
    assert "b.parq" in found["unread_files"].message


def test_an_absent_known_at_is_taken_from_ts_and_a_null_one_noted(tmp_path: Path) -> None:
    assert report_of(events(without=("known_at",)), tmp_path).findings == ()
    table = events()
    place = table.schema.get_field_index("known_at")
    some = pa.array([NOON, None], pa.timestamp("us", "UTC"))
    found = by_code(report_of(table.set_column(place, "known_at", some), tmp_path))
    assert (found["no_known_at"].level, found["no_known_at"].count) == ("note", 1)


def test_a_score_that_the_bureau_did_not_have_is_a_note_and_no_matter_of_scale(
    tmp_path: Path,
) -> None:
    report = report_of(events({"kind": "external_score", "amount": None}), tmp_path)
    found = by_code(report)
    assert (found["no_score"].level, found["no_score"].count) == ("note", 1)
    assert "score_out_of_range" not in found


def test_quarantine_parts_the_rows_and_loses_none(tmp_path: Path) -> None:
    bad = [{"account_id": None, "amount": None}, {"amount": -1}, {"kind": "overdue", "value": 5}]
    report = report_of(events(*bad), tmp_path, quarantine=tmp_path / "out")
    assert not report.ok
    assert report.quarantine is not None
    assert (report.quarantine.good, report.quarantine.rejected) == (3, 2)
    rejected = pq.read_table(report.quarantine.rejected_file)
    assert rejected["reason"].to_pylist() == ["null_account_id, missing_amount", "negative_amount"]
    assert rejected["amount"].to_pylist() == [None, -1]
    good = check_events(Path(report.quarantine.events), now=NOW)
    assert good.ok
    assert good.rows == 3
    assert sorted(file.name for file in (tmp_path / "out").iterdir()) == [
        "events.parquet", "rejected.parquet"]  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from([row for _, _, row in ERRORS] + FINE), max_size=12))
def test_quarantined_rows_add_up_and_the_good_ones_check_clean(
    tmp_path_factory: pytest.TempPathFactory, extra: list[dict[str, Any]]
) -> None:
    folder = tmp_path_factory.mktemp("quarantine")
    report = report_of(events(*extra), folder, quarantine=folder / "out")
    assert report.quarantine is not None
    assert report.quarantine.good + report.quarantine.rejected == report.rows == 2 + len(extra)
    assert report.quarantine.rejected == sum(row not in FINE for row in extra)
    assert check_events(folder / "out" / "events.parquet", now=NOW).ok


def test_quarantine_never_touches_its_own_input(tmp_path: Path) -> None:
    message = "would overwrite or mix with the events"
    with pytest.raises(DataError, match=message):
        report_of(events(), tmp_path, quarantine=tmp_path)
    write_parquet(events(), tmp_path / "parts" / "a.parquet")
    for folder in (tmp_path / "parts", tmp_path / "parts" / "in" / "it"):
        with pytest.raises(DataError, match=message):
            check_events(tmp_path / "parts", quarantine=folder)
    assert [file.name for file in (tmp_path / "parts").iterdir()] == ["a.parquet"]


def test_string_ids_are_checked_alike(tmp_path: Path) -> None:
    table = events({"account_id": 2}, {"account_id": 2, "amount": -4})
    table = table.set_column(0, "account_id", table["account_id"].cast(pa.string()))
    report = report_of(table, tmp_path)
    assert report.accounts == 2
    assert by_code(report)["negative_amount"].row == 3


def test_an_account_of_a_hundred_thousand_events_is_checked_whole(tmp_path: Path) -> None:
    count = 100_000
    start = int(NOON.timestamp()) * 1_000_000
    table = pa.table(
        {
            "account_id": np.ones(count, np.int64),
            "ts": pa.array(start + np.arange(count), pa.int64()).cast(pa.timestamp("us", "UTC")),
            "kind": ["limit"] + ["draw"] * (count - 1),
            "amount": np.ones(count, np.int64),
            "detail": pa.nulls(count, pa.string()),
        }
    )
    assert report_of(table, tmp_path).findings == ()
    doubled = pa.concat_tables([table, table.slice(500, 7)])
    report = report_of(doubled, tmp_path)
    found = by_code(report)
    assert found["repeated_rows"].count == 7
    assert found["repeated_rows"].message.startswith("7 of 100,007 rows repeat another")
    assert found["unsorted"].row == count
    assert report.accounts == 1


def test_all_faulty_columns_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    table = events().drop_columns("kind")
    amounts = pa.array([1.5] * table.num_rows)
    table = table.set_column(table.schema.get_field_index("amount"), "amount", amounts)
    parts = tmp_path / "parts"
    parts.mkdir()
    pq.write_table(table, parts / "a.parquet")
    pq.write_table(events().drop_columns("ts"), parts / "b.parquet")
    (parts / "c.parquet").write_bytes(b"no")
    report = check_events(parts, now=NOW)
    told = [(Path(found.file).name, found.column) for found in report.findings]
    assert sorted(told) == [
        ("a.parquet", "amount"), ("a.parquet", "kind"), ("b.parquet", "ts"), ("c.parquet", ""),
    ]  # fmt: skip


def test_all_columns_of_which_a_value_does_not_fit_are_told_at_once(tmp_path: Path) -> None:
    table = events({"value": 7, "loan_id": 1})
    for name in ("value", "loan_id"):
        wide = pa.array([2**63] * table.num_rows, pa.uint64())
        table = table.set_column(table.schema.get_field_index(name), name, wide)
    report = report_of(table, tmp_path)
    assert [found.column for found in report.findings] == ["value", "loan_id"]
    assert all("doesn't fit" in found.message for found in report.findings)


def test_nothing_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file or folder"):
        check(tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"neither events\.parquet nor a folder events"):
        check(tmp_path)
