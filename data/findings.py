"""What a check found, with counts, an example and how to mend it."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from relimit.data.contract import ColumnError
from relimit.data.errors import DataError

ERROR: Final = "error"
WARNING: Final = "warning"
NOTE: Final = "note"
LEVELS: Final = (ERROR, WARNING, NOTE)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    Attributes
    ----------
    level
        `error`: the table can't be used; `warning`: look at it first; `note`: worth knowing.
    code
        A short name that stays the same between releases.
    column
        The column at fault; empty where it is the file or the account.
    count
        How many rows (or files, accounts or days) it holds for.
    file, row
        Where it was seen first; the row counts from 0 and is null where it is no single row.
    message, mend
        What is wrong and what to do about it, in words.
    """

    level: str
    code: str
    column: str
    count: int
    file: str
    row: int | None
    message: str
    mend: str


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Where the rows went: `good` to `events`, `rejected` (with a `reason`) to `rejected_file`."""

    events: str
    rejected_file: str
    good: int
    rejected: int


@dataclass(frozen=True, slots=True)
class CheckReport:
    """What a check found in a book or in one table.

    Attributes
    ----------
    path
        What was checked.
    rows, accounts
        How many events there are, or rows of another table alone, and of how many accounts.
    findings
        Errors first, then warnings, then notes.
    quarantine
        Null where none was asked for.
    table
        What the rows are of: `events` also where a book was checked.
    """

    path: str
    rows: int
    accounts: int
    findings: tuple[Finding, ...]
    quarantine: Quarantine | None
    table: str = "events"

    @property
    def ok(self) -> bool:
        """Whether nothing found is an error."""
        return all(finding.level != ERROR for finding in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """Return the report for JSON, with `ok`."""
        return {"ok": self.ok, **asdict(self), "findings": [asdict(f) for f in self.findings]}


@dataclass(slots=True)
class Tally:
    """Gathers findings of the same code from many batches and files."""

    found: dict[str, Finding] = field(default_factory=dict)

    def add(self, finding: Finding) -> None:
        """Add a finding; of those with one code the first is kept and the counts are summed."""
        if finding.count:
            first = self.found.get(finding.code)
            count = finding.count + (first.count if first else 0)
            self.found[finding.code] = replace(first or finding, count=count)

    def findings(self, rows: int) -> list[Finding]:
        """Return what was gathered, `{count}` and `{rows}` in the messages filled in."""
        return [
            replace(found, message=_filled(found.message, found.count, rows))
            for found in self.found.values()
        ]


def _filled(message: str, count: int, rows: int) -> str:
    """Return a message with its counts; a file's name in it may have braces of its own."""
    return message.replace("{count}", f"{count:,}").replace("{rows}", f"{rows:,}")


def by_level(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return the findings, errors first, otherwise in the order in which they came."""
    return tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level)))


def from_error(error: DataError, code: str) -> Finding:
    """Return a `DataError` as a finding of level `error`."""
    column, count = "", 1
    if isinstance(error, ColumnError):
        column, count = error.column, error.rows
    message = f"{Path(error.where).name}: {error.what}"
    return Finding(ERROR, code, column, count, error.where, None, message, error.mend)
