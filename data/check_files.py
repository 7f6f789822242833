"""Checks of the files of a table, from their footers: schemas, columns, what is not read."""

from difflib import get_close_matches
from pathlib import Path

import pyarrow as pa

from relimit.data.files import TableFiles, schema_faults, validate_schema
from relimit.data.findings import NOTE, WARNING, Finding, from_error


def check_files(
    path: Path, schema: pa.Schema, table: str
) -> tuple[TableFiles | None, list[Finding]]:
    """Return a table's files, None if a schema is at fault, and what was found in the footers.

    Every file and column is looked at, so that all faulty ones are told at once.

    Raises
    ------
    DataError
        There is nothing at `path`.
    """
    if faults := schema_faults(path, schema, table):
        return None, [from_error(fault, "schema") for fault in faults]
    files = validate_schema(path, schema, table)
    return files, _remarks(path, files, schema)


def _remarks(path: Path, files: TableFiles, schema: pa.Schema) -> list[Finding]:
    """Return what is unusual about files whose schemas are in order."""
    found = []
    misspelt = {name: close for name in files.extra if (close := _meant(name, files, schema))}
    for name, close in misspelt.items():
        message = f"column {name} is not read; was {close} meant?"
        mend = f"Rename it to {close}, or leave it if it is another thing"
        found.append(
            Finding(WARNING, "misspelt_column", name, files.rows, str(path), None, message, mend)
        )
    extra = [name for name in files.extra if name not in misspelt]
    if extra:
        message = f"columns that the contract doesn't know are not read: {', '.join(extra)}"
        found.append(
            Finding(
                NOTE, "extra_columns", extra[0], len(extra), str(path), None, message, "Nothing"
            )
        )
    if files.unread:
        names = ", ".join(file.name for file in files.unread[:5])
        message = f"{len(files.unread)} files of the folder are not read: {names}"
        mend = "Name parts *.parquet; begin the names of other files with _"
        found.append(
            Finding(WARNING, "unread_files", "", len(files.unread), str(path), None, message, mend)
        )
    return found


def _meant(name: str, files: TableFiles, schema: pa.Schema) -> str:
    """Return the absent column that an unknown name was probably meant for, or an empty string."""
    absent = [field for field in files.absent if field in schema.names]
    return next(iter(get_close_matches(name.lower(), absent, n=1, cutoff=0.75)), "")
