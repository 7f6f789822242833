"""Checks of a whole book, or of one of its tables: which it is, and what is wrong with it."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Final

import pyarrow.compute as pc

from relimit.data.book import TABLES, Book
from relimit.data.check import check_events, examine_events
from relimit.data.check_tables import SCHEMAS, check_beside
from relimit.data.errors import DataError
from relimit.data.files import open_parquet, parquet_files
from relimit.data.findings import CheckReport, by_level
from relimit.data.tables import read_parquet

MARKS: Final = {
    "decisions": ("decided_at",),
    "observations": ("bad",),
    "accounts": ("opened_at", "sex", "age_band", "region"),
}
"""By any of these columns a table is known that has neither `ts` nor `kind`, as events have."""


def check(
    path: Path, *, quarantine: Path | None = None, now: datetime | None = None
) -> CheckReport:
    """Check a book, or one table alone: see `check_book` and `check_events`.

    A folder that has a table of a book in it is a book. A file, or a folder of parts, is the table
    that its columns, or else its name, say: decisions, observations or accounts, events otherwise.

    Raises
    ------
    DataError
        There is nothing at `path`, the book has no events, or the quarantine can't be written, or
        is asked for of another table than events.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> import pyarrow as pa
    >>> from relimit.data import write_parquet
    >>> events = pa.table({
    ...     "account_id": [7, 7],
    ...     "ts": pa.array([1_735_689_600, 1_735_776_000], pa.timestamp("s", tz="UTC")),
    ...     "kind": ["limit", "draw"],
    ...     "amount": [1_000_000, -60_000],
    ... })
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "events.parquet"
    ...     write_parquet(events, path)
    ...     report = check(path)
    >>> report.ok, [finding.code for finding in report.findings if finding.level == "error"]
    (False, ['negative_amount'])
    """
    names = [f"{name}.parquet" for name in TABLES] + [*TABLES, "book.json"]
    if path.is_dir() and (any((path / name).exists() for name in names) or _is_bare(path)):
        return check_book(path, quarantine=quarantine, now=now)
    name = table_of(path)
    if name == "events":
        return check_events(path, quarantine=quarantine, now=now)
    if quarantine is not None:
        mend = "Leave out the quarantine and mend the rows where they come from"
        raise DataError(f"holds {name}, and only events are sorted out", where=str(path), mend=mend)
    return check_lone(path, name)


def table_of(path: Path) -> str:
    """Return which table of a book a file, or a folder of parts, is, from its first footer.

    `events` where nothing tells, or nothing can be read, of which their check says why.
    """
    try:
        with open_parquet(parquet_files(path)[0]) as opened:
            names = set(opened.schema_arrow.names)
    except DataError:
        return "events"
    if names & {"ts", "kind"}:
        return "events"
    marked = (name for name, marks in MARKS.items() if names.intersection(marks))
    return next(marked, path.stem if path.stem in SCHEMAS else "events")


def check_lone(path: Path, name: str) -> CheckReport:
    """Check the table `name`, one of `SCHEMAS`, without the events that it goes with.

    Raises
    ------
    DataError
        There is nothing at `path`.
    """
    findings = check_beside(path, name, None)
    rows = accounts = 0
    if not any(finding.code in ("schema", "unreadable") for finding in findings):
        ids = read_parquet(path, SCHEMAS[name], table=name)["account_id"]
        rows, accounts = len(ids), len(pc.unique(ids))
    return CheckReport(str(path), rows, accounts, by_level(findings), None, name)


def _is_bare(folder: Path) -> bool:
    """Return whether a folder has no Parquet file at all, so that a book is what was meant."""
    return not any(folder.rglob("*.parquet"))


def check_book(
    path: Path, *, quarantine: Path | None = None, now: datetime | None = None
) -> CheckReport:
    """Check a book's events and the other tables that it has.

    Parameters
    ----------
    path
        The book's folder.
    quarantine, now
        As in `check_events`; only events are sorted out.

    Raises
    ------
    DataError
        The book has no events or a broken `book.json`, or the quarantine can't be written.
    """
    book = Book.open(path)
    ends = book.as_of if book.settings.get("as_of") is not None else None
    report, ids = examine_events(book.events, quarantine=quarantine, now=now, ends=ends)
    findings = list(report.findings)
    for name in SCHEMAS:
        table = getattr(book, name)
        if table is not None:
            findings += check_beside(table, name, ids)
    return replace(report, path=str(path), findings=by_level(findings))
