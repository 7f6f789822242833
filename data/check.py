"""Checks of events: every file, every row against the rules, every account by itself."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from relimit.data.casts import cast_columns, cast_faults
from relimit.data.check_accounts import check_accounts
from relimit.data.check_files import check_files
from relimit.data.errors import DataError
from relimit.data.files import TableFiles, open_parquet, unreadable
from relimit.data.findings import (
    ERROR,
    CheckReport,
    Finding,
    Quarantine,
    Tally,
    by_level,
    from_error,
)
from relimit.data.quarantine import outcome, sorter
from relimit.data.row_pass import RowPass
from relimit.data.rules import Clock
from relimit.data.schema import events_schema
from relimit.data.tables import ROW_GROUP_ROWS
from relimit.data.times import microseconds

CLOCK_SKEW: Final = timedelta(days=1)
"""How far ahead of our clock an event may be known: zones and clocks differ by less."""


class BrokenFileError(Exception):
    """A file of which some rows can't be read; holds the errors that say why."""

    def __init__(self, errors: Sequence[DataError]) -> None:
        super().__init__(str(errors[0]))
        self.errors = errors


def check_events(
    path: Path,
    *,
    quarantine: Path | None = None,
    now: datetime | None = None,
    ends: datetime | None = None,
) -> CheckReport:
    """Check an events table, streaming; faults of the data become findings, not exceptions.

    First the schema of every file, then every row, then, if no row has an error or those that have
    one were sorted out, every account.

    Parameters
    ----------
    path
        One Parquet file or a folder of parts.
    quarantine
        A folder to sort the rows into: those with an error go to `rejected.parquet` with their
        `reason`, the others to `events.parquet`. Nothing is written if a file can't be read.
    now
        The future begins a day after it; the clock's time unless given.
    ends
        When the book ends, if something says so.

    Raises
    ------
    DataError
        There is nothing at `path`, or the quarantine can't be written.
    """
    return examine_events(path, quarantine=quarantine, now=now, ends=ends)[0]


def examine_events(
    path: Path,
    *,
    quarantine: Path | None = None,
    now: datetime | None = None,
    ends: datetime | None = None,
) -> tuple[CheckReport, Any]:
    """Do what `check_events` does; return its report and the distinct account ids, in Arrow."""
    files, findings = check_files(path, events_schema(), "events")
    if files is None:
        return CheckReport(str(path), 0, 0, by_level(findings), None), None
    latest = microseconds((now or datetime.now(UTC)) + CLOCK_SKEW)
    clock = Clock(latest, latest if ends is None else microseconds(ends))
    seen, sorted_out, broken = _pass_over(path, files, clock, quarantine)
    findings += broken + seen.findings(path)
    findings += [] if broken else seen.emptiness(path) + seen.silences(path)
    clean = Path(sorted_out.events) if sorted_out else path
    if sorted_out or all(finding.level != ERROR for finding in findings):
        findings += _examine_accounts(clean, seen.rows)
    ids = seen.account_ids()
    accounts = 0 if ids is None else len(ids)
    return CheckReport(str(path), seen.rows, accounts, by_level(findings), sorted_out), ids


def _pass_over(
    path: Path, files: TableFiles, clock: Clock, quarantine: Path | None
) -> tuple[RowPass, Quarantine | None, list[Finding]]:
    """Check the rows of all files; a file that breaks off ends the pass and the quarantine."""
    seen, box = RowPass(clock, None), None
    try:
        with ExitStack() as stack:
            if quarantine is not None:
                box = stack.enter_context(sorter(quarantine, files.schema, path))
                seen = RowPass(clock, box)
            for file in files.files:
                _see_file(seen, file, files.schema)
    except BrokenFileError as broken:
        return seen, None, [from_error(error, "unreadable") for error in broken.errors]
    if box is None or quarantine is None:
        return seen, None, []
    return seen, outcome(quarantine, box, seen.rows), []


def _see_file(seen: RowPass, file: Path, schema: pa.Schema) -> None:
    """Pass over the rows of one file, batch after batch."""
    start = 0
    for batch, has_known_at in _batches(file, schema):
        seen.see(batch, has_known_at=has_known_at, file=file, start=start)
        start += batch.num_rows


def _batches(file: Path, schema: pa.Schema) -> Iterator[tuple[pa.Table, bool]]:
    """Yield a file's rows, cast but with their nulls, and whether it tells `known_at`."""
    try:
        with open_parquet(file) as opened:
            found = opened.schema_arrow
            names = [name for name in schema.names if name in found.names]
            timed = "known_at" in names and not pa.types.is_null(found.field("known_at").type)
            for batch in opened.iter_batches(ROW_GROUP_ROWS, columns=names):
                rows = pa.Table.from_batches([batch])
                try:
                    cast = cast_columns(rows, schema, where=str(file))
                except DataError as error:
                    raise BrokenFileError(cast_faults(rows, schema, where=str(file))) from error
                yield cast, timed
    except DataError as error:
        raise BrokenFileError([error]) from error
    except (pa.ArrowException, OSError) as error:
        raise BrokenFileError([unreadable(file, error)]) from error


def _examine_accounts(events: Path, rows: int) -> list[Finding]:
    """Return what is strange in whole accounts."""
    tally = Tally()
    try:
        check_accounts(events, tally)
    except DataError as error:
        return [from_error(error, "unreadable")]
    return tally.findings(rows)
