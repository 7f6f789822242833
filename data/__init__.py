"""relimit's data layer: the tables of a book, checked, read, written and labelled."""

from relimit.data.atomic import staged, write_json
from relimit.data.book import Book
from relimit.data.check import check_events
from relimit.data.check_book import check, check_book
from relimit.data.errors import DataError, ModelError, PolicyError, RelimitError
from relimit.data.files import TableFiles, validate_schema
from relimit.data.findings import CheckReport, Finding, Quarantine
from relimit.data.observe import observe
from relimit.data.outcomes import realised
from relimit.data.prepayments import (
    Prepayments,
    decision_id,
    find_prepayments,
)
from relimit.data.schema import (
    accounts_schema,
    decisions_log_schema,
    events_schema,
    observations_schema,
    snapshots_schema,
)
from relimit.data.tables import parquet_writer, read_parquet, write_parquet

__all__ = [
    "Book",
    "CheckReport",
    "DataError",
    "Finding",
    "ModelError",
    "PolicyError",
    "Prepayments",
    "Quarantine",
    "RelimitError",
    "TableFiles",
    "accounts_schema",
    "check",
    "check_book",
    "check_events",
    "decision_id",
    "decisions_log_schema",
    "events_schema",
    "find_prepayments",
    "observations_schema",
    "observe",
    "parquet_writer",
    "read_parquet",
    "realised",
    "snapshots_schema",
    "staged",
    "validate_schema",
    "write_json",
    "write_parquet",
]
