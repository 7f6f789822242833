"""relimit's data layer: the tables of a book, checked, read, written and labelled."""

from relimit.data.atomic import staged, write_json
from relimit.data.book import Book
from relimit.data.errors import DataError, ModelError, PolicyError, RelimitError
from relimit.data.files import TableFiles, validate_schema
from relimit.data.prepayments import (
    Prepayments,
    decision_id,
    find_prepayments,
    prepayments_from_table,
)
from relimit.data.tables import parquet_writer, read_parquet, write_parquet

__all__ = [
    "Book",
    "DataError",
    "ModelError",
    "PolicyError",
    "Prepayments",
    "RelimitError",
    "TableFiles",
    "decision_id",
    "find_prepayments",
    "parquet_writer",
    "prepayments_from_table",
    "read_parquet",
    "staged",
    "validate_schema",
    "write_json",
    "write_parquet",
]
