"""The files of a table: which they are, and whether their schemas keep the contract."""

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from relimit.data.contract import ID_COLUMN, ColumnError, column_faults, id_type, with_id_type
from relimit.data.errors import DataError


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The files of one table, their schemas checked against the contract.

    Attributes
    ----------
    files
        The Parquet files, by name.
    schema
        The contract's schema, with `account_id` of the type that the files have.
    rows
        Rows in all files, by their footers.
    absent
        Optional columns that no file has; they read as nulls.
    extra
        Columns that the contract doesn't know; they are not read.
    unread
        Files of the folder that are not named `*.parquet`.
    """

    files: tuple[Path, ...]
    schema: pa.Schema
    rows: int
    absent: tuple[str, ...]
    extra: tuple[str, ...]
    unread: tuple[Path, ...]


def parquet_files(path: Path) -> tuple[Path, ...]:
    """Return the file itself, or a folder's `*.parquet` at any depth, sorted by path.

    Names that start with `_` or `.`, and what is in folders so named, are staging files or
    somebody's notes, and are skipped.

    Raises
    ------
    DataError
        Nothing is there, or the folder has no part.
    """
    if path.is_file():
        return (path,)
    if not path.is_dir():
        mend = "Give a Parquet file or a folder of them"
        raise DataError("there is no such file or folder", where=str(path), mend=mend)
    parts = tuple(file for file in _visible(path) if file.suffix == ".parquet")
    if not parts:
        mend = "Give a folder that has parts named *.parquet"
        raise DataError("the folder has no *.parquet file", where=str(path), mend=mend)
    return parts


def _visible(folder: Path) -> list[Path]:
    """Return the files of a folder at any depth, without those hidden by `_` or `.`."""
    return sorted(
        file
        for file in folder.rglob("*")
        if file.is_file() and not any(p[0] in "_." for p in file.relative_to(folder).parts)
    )


def open_parquet(path: Path) -> pq.ParquetFile:
    """Open one Parquet file, its page checksums to be verified as it is read.

    Raises
    ------
    DataError
        The file is empty, cut short, or not Parquet.
    """
    try:
        return pq.ParquetFile(path, page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise unreadable(path, error) from error


def unreadable(path: Path, error: Exception) -> DataError:
    """Return the error for a file whose bytes can't be read as Parquet."""
    size = path.stat().st_size if path.exists() else 0
    reason = str(error).splitlines()[0].rstrip(".")
    what = f"can't be read as Parquet ({size} bytes): {reason}"
    return DataError(
        what, where=str(path), mend="The file is damaged or unfinished: write it again"
    )


def validate_schema(path: Path, schema: pa.Schema, table: str) -> TableFiles:
    """Check the schema of every file of a table, from the footers alone.

    Parameters
    ----------
    path
        One Parquet file or a folder of parts.
    schema
        The contract, from `relimit.data.schema`.
    table
        The table's name: `events`, `decisions`, `observations`, `accounts`, ...

    Raises
    ------
    DataError
        A file is missing or damaged, lacks a required column, has a type that can't be cast
        losslessly, or differs from its siblings in its id type or in its optional columns.
    """
    files = parquet_files(path)
    footers = [_read_footer(file) for file in files]
    own = (fault for footer in footers for fault in _own_faults(footer, schema, table))
    for fault in itertools.chain(own, _sibling_faults(footers, schema)):
        raise fault
    names = {name for footer in footers for name in footer.schema.names}
    known = schema.names
    unread = _visible(path) if path.is_dir() else []
    return TableFiles(
        files=files,
        schema=with_id_type(schema, _id_type(footers, schema)),
        rows=sum(footer.rows for footer in footers),
        absent=tuple(name for name in known if name not in names),
        extra=tuple(sorted(names - set(known))),
        unread=tuple(file for file in unread if file.suffix != ".parquet"),
    )


def schema_faults(path: Path, schema: pa.Schema, table: str) -> list[DataError]:
    """Return every fault of a table's files; `validate_schema` raises the first.

    Whether parts fit each other is looked at once each is in order by itself.

    Raises
    ------
    DataError
        There is nothing at `path`.
    """
    footers: list[_Footer] = []
    faults: list[DataError] = []
    for file in parquet_files(path):
        try:
            footers.append(_read_footer(file))
        except DataError as error:
            faults.append(error)
        else:
            faults += _own_faults(footers[-1], schema, table)
    return faults or list(_sibling_faults(footers, schema))


@dataclass(frozen=True, slots=True)
class _Footer:
    """What a file's footer says; the file itself is closed, for a folder may have thousands."""

    file: Path
    schema: pa.Schema
    rows: int


def _read_footer(file: Path) -> _Footer:
    with open_parquet(file) as opened:
        return _Footer(file, opened.schema_arrow, opened.metadata.num_rows)


def _own_faults(footer: _Footer, schema: pa.Schema, table: str) -> Iterator[ColumnError]:
    where, rows = str(footer.file), footer.rows
    return column_faults(footer.schema, schema, table=table, where=where, rows=rows)


def _sibling_faults(footers: Sequence[_Footer], schema: pa.Schema) -> Iterator[ColumnError]:
    """Yield what parts lack of the columns of their siblings, and those with other ids."""
    for name in schema.names:
        having = [footer for footer in footers if name in footer.schema.names]
        if having and len(having) < len(footers):
            part = next(footer for footer in footers if name not in footer.schema.names)
            what = f"column {name} is missing ({part.rows} rows), but {having[0].file.name} has it"
            mend = "Write every part with the same columns"
            yield ColumnError(what, column=name, rows=part.rows, where=str(part.file), mend=mend)
    if ID_COLUMN in schema.names:
        yield from _id_faults(footers, schema)


def _id_faults(footers: Sequence[_Footer], schema: pa.Schema) -> Iterator[ColumnError]:
    """Yield the parts of which the ids are numbers where an earlier part's are words, or so."""
    wanted = _id_type(footers, schema)
    for footer in footers:
        found, rows = footer.schema.field(ID_COLUMN).type, footer.rows
        if not pa.types.is_null(found) and id_type(found) != wanted:
            what = f"column {ID_COLUMN} is {found} ({rows} rows), but {wanted} in an earlier part"
            mend = "Write the ids alike in every part"
            where = str(footer.file)
            yield ColumnError(what, column=ID_COLUMN, rows=rows, where=where, mend=mend)


def _id_type(footers: Sequence[_Footer], schema: pa.Schema) -> pa.DataType:
    """Return the type of the ids in the first part that has any."""
    if ID_COLUMN not in schema.names:
        return pa.int64()
    types = [footer.schema.field(ID_COLUMN).type for footer in footers]
    return id_type(next((found for found in types if not pa.types.is_null(found)), pa.int64()))
