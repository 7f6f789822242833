"""A whole book checked: its log, observations and accounts beside its events."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from relimit.data.check_book import check, check_book
from relimit.data.errors import DataError
from relimit.data.findings import CheckReport, Finding
from relimit.data.tables import write_parquet

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
NOW = datetime(2025, 6, 1, tzinfo=UTC)
DAY = timedelta(days=1)
Report = Callable[..., CheckReport]


def by_code(report: CheckReport) -> dict[str, Finding]:
    return {finding.code: finding for finding in report.findings}


def decisions(**columns: Any) -> pa.Table:
    given = {"decision_id": ["a", "b"], "account_id": [1, 1], "decided_at": [NOON, NOON + DAY],
             "prepaid": [5, 5], "freed": [5, 0], "share": [1.0, 0.25], "delay_days": [0, 30],
             "propensity": [1.0, None], **columns}  # fmt: skip
    return pa.table(given)


def observations(**columns: Any) -> pa.Table:
    given = {"account_id": [1, 1], "as_of": [NOON, NOON + DAY], "bad": [True, False], **columns}
    return pa.table(given)


def accounts(**columns: Any) -> pa.Table:
    return pa.table({"account_id": [1, 7], **columns})


@pytest.fixture
def book_report(good_events: pa.Table) -> Report:
    """Check a book of good events and the tables given, in a folder."""

    def run(folder: Path, **tables: pa.Table) -> CheckReport:
        for name, table in {"events": good_events, **tables}.items():
            write_parquet(table, folder / f"{name}.parquet")
        return check(folder, now=NOW)

    return run


def test_a_good_book_has_only_a_note(book_report: Report, tmp_path: Path) -> None:
    report = book_report(
        tmp_path, decisions=decisions(), observations=observations(), accounts=accounts()
    )
    assert [finding.code for finding in report.findings] == ["accounts_without_events"]
    assert report.findings[0].level == "note"
    assert report.path == str(tmp_path)
    assert report.to_dict() == check_book(tmp_path, now=NOW).to_dict()


BOOK_FAULTS: list[tuple[str, pa.Table, str, str, int]] = [
    ("decisions", decisions(propensity=[0.0, None]), "propensity_range", "error", 1),
    ("decisions", decisions(propensity=[1.5, float("nan")]), "propensity_range", "error", 2),
    ("decisions", decisions(share=[1.01, -0.5]), "share_range", "error", 2),
    ("decisions", decisions(share=[1.0, 0.3]), "share_off_grid", "warning", 1),
    ("decisions", decisions(delay_days=[0, -1]), "negative_delay", "error", 1),
    ("decisions", decisions(delay_days=[0, 5]), "delay_off_grid", "warning", 1),
    ("decisions", decisions(freed=[6, 0]), "freed_over_prepaid", "error", 1),
    ("decisions", decisions(freed=[-1, 0]), "negative_freed", "error", 1),
    ("decisions", decisions(prepaid=[0, 5], freed=[0, 0]), "prepaid_not_positive", "error", 1),
    ("decisions", decisions(decision_id=["a", "a"]), "repeated_decisions", "error", 1),
    ("decisions", decisions(account_id=[1, 9]), "decisions_without_events", "warning", 1),
    ("decisions", decisions(account_id=[8, 9]), "decisions_without_events", "error", 2),
    ("decisions", decisions(account_id=["1", "1"]), "id_type", "error", 2),
    ("decisions", decisions(prepaid=[5.0, 5.0]), "schema", "error", 2),
    ("decisions", decisions(prepaid=[5, None]), "unreadable", "error", 1),
    ("observations", observations(bad=[True, True]), "one_outcome", "warning", 2),
    ("observations", observations(bad=[None, None]), "one_outcome", "warning", 2),
    ("observations", observations(as_of=[NOON, NOON]), "repeated_observations", "warning", 1),
    ("observations", observations(loss=[-1, 0]), "negative_loss", "error", 1),
    ("observations", observations(share=[2.0, None]), "share_range", "error", 1),
    ("accounts", accounts(account_id=[1, 1]), "repeated_accounts", "error", 1),
]  # fmt: skip


@pytest.mark.parametrize(("name", "table", "code", "level", "count"), BOOK_FAULTS)
def test_each_fault_of_a_book_is_told(
    name: str,
    table: pa.Table,
    code: str,
    level: str,
    count: int,
    book_report: Report,
    tmp_path: Path,
) -> None:
    report = book_report(tmp_path, **{name: table})
    found = by_code(report)[code]
    assert (found.level, found.count) == (level, count)
    assert found.message.startswith(f"{name}.parquet: ")
    assert report.ok == (level != "error")


def test_a_book_that_states_its_end_is_held_to_it(book_report: Report, tmp_path: Path) -> None:
    (tmp_path / "book.json").write_text('{"as_of": "2025-03-01T00:00:00Z"}')
    found = by_code(book_report(tmp_path))["after_the_book"]
    assert (found.level, found.count) == ("warning", 1)


def test_a_folder_of_parts_is_events_and_not_a_book(good_events: pa.Table, tmp_path: Path) -> None:
    write_parquet(good_events, tmp_path / "part-0.parquet")
    assert check(tmp_path, now=NOW).rows == 2


@pytest.mark.parametrize(
    ("name", "table", "code"),
    [
        ("decisions", decisions(propensity=[1.5, None]), "propensity_range"),
        ("observations", observations(loss=[-1, 0]), "negative_loss"),
        ("accounts", accounts(sex=["F", "M"], account_id=[1, 1]), "repeated_accounts"),
    ],
)
def test_a_table_alone_is_known_by_its_columns(
    name: str, table: pa.Table, code: str, tmp_path: Path
) -> None:
    file = tmp_path / "export-2025.parquet"
    write_parquet(table, file)
    report = check(file, now=NOW)
    accounts_of = len(set(table["account_id"].to_pylist()))
    assert (report.table, report.rows, report.accounts) == (name, 2, accounts_of)
    assert [finding.code for finding in report.findings] == [code]


def test_a_table_alone_that_lacks_its_mark_is_known_by_its_name(tmp_path: Path) -> None:
    write_parquet(observations().drop_columns("bad"), tmp_path / "observations.parquet")
    report = check(tmp_path / "observations.parquet", now=NOW)
    assert report.table == "observations"
    assert "column bad is missing" in report.findings[0].message


def test_only_events_are_sorted_out(tmp_path: Path) -> None:
    file = tmp_path / "decisions.parquet"
    write_parquet(decisions(), file)
    with pytest.raises(DataError, match="holds decisions, and only events are sorted out"):
        check(file, quarantine=tmp_path / "sorted", now=NOW)


def test_kinds_spelt_otherwise_are_an_error_where_no_row_is_read(
    good_events: pa.Table, tmp_path: Path
) -> None:
    place = good_events.column_names.index("kind")
    table = good_events.set_column(place, "kind", pa.array(["Limit", "DRAW"]))
    write_parquet(table, tmp_path / "events.parquet")
    report = check(tmp_path / "events.parquet", now=NOW)
    found = next(finding for finding in report.findings if finding.code == "unknown_kind")
    assert (found.level, found.count, report.ok) == ("error", 2, False)
    assert found.mend.endswith(": 'DRAW' to 'draw', 'Limit' to 'limit'")


def test_a_table_without_a_row_is_not_fit_to_use(good_events: pa.Table, tmp_path: Path) -> None:
    write_parquet(good_events.slice(0, 0), tmp_path / "events.parquet")
    report = check(tmp_path / "events.parquet", now=NOW)
    assert [finding.code for finding in report.findings] == ["no_events"]
    assert not report.ok
