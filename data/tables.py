"""Parquet in and out: every file's schema checked before reading, checksums, whole files."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from relimit.data.atomic import staged
from relimit.data.casts import cast_columns, reject_nulls
from relimit.data.files import open_parquet, unreadable, validate_schema

ROW_GROUP_ROWS: Final = 131_072
"""Rows of a row group: about one block of the feature engine."""


def read_parquet(path: Path, schema: pa.Schema, *, table: str) -> pa.Table:
    """Read a table under its contract, one file or a folder of parts in the order of their names.

    Every file's schema is checked before a row is read, page checksums are verified, and columns
    are cast losslessly: integers widen or narrow where every value fits, timestamps of any unit
    and zone become microseconds in UTC, words become strings. Optional columns that are absent
    read as nulls; columns that the contract doesn't know are not read.

    Parameters
    ----------
    path, schema, table
        As in `validate_schema`.

    Returns
    -------
    pa.Table
        Exactly the columns of `schema`; `account_id` is int64 or string, as the files have it.

    Raises
    ------
    DataError
        As in `validate_schema`; or a value doesn't survive its cast, or a required value is null.
    """
    found = validate_schema(path, schema, table)
    return pa.concat_tables([_read_file(file, found.schema) for file in found.files])


def _read_file(file: Path, schema: pa.Schema) -> pa.Table:
    """Read one file whose schema has been checked."""
    return conform(read_whole(file, schema.names), schema, where=str(file))


def read_whole(file: Path, names: Sequence[str] | None = None) -> pa.Table:
    """Return those columns of a file that it has, or all, as it has them; checksums are verified.

    Raises
    ------
    DataError
        The file can't be opened, or a page is damaged.
    """
    with open_parquet(file) as opened:
        there = opened.schema_arrow.names
        try:
            return opened.read(columns=[name for name in names or there if name in there])
        except (pa.ArrowException, OSError) as error:
            raise unreadable(file, error) from error


def read_batches(file: Path, schema: pa.Schema) -> Iterator[pa.Table]:
    """Yield the rows of a file whose schema has been checked as `read_parquet` has them, in parts.

    Raises
    ------
    DataError
        As in `read_parquet`; what is wrong is counted in one part.
    """
    with open_parquet(file) as opened:
        there = [name for name in schema.names if name in opened.schema_arrow.names]
        try:
            for batch in opened.iter_batches(ROW_GROUP_ROWS, columns=there):
                yield conform(pa.Table.from_batches([batch]), schema, where=str(file))
        except (pa.ArrowException, OSError) as error:
            raise unreadable(file, error) from error


def conform(table: pa.Table, schema: pa.Schema, *, where: str) -> pa.Table:
    """Return the table cast to `schema`, once no required value is null.

    Raises
    ------
    DataError
        A value doesn't survive its cast, or a required value is null.
    """
    return reject_nulls(cast_columns(table, schema, where=where), schema, where=where)


@contextmanager
def parquet_writer(path: Path, schema: pa.Schema) -> Iterator[pq.ParquetWriter]:
    """Yield a writer of a Parquet file that appears only when the body ends well.

    Pages carry checksums and are compressed with zstd; hand over `ROW_GROUP_ROWS` at a time.

    Raises
    ------
    DataError
        The system refuses to write.
    """
    options: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}
    with staged(path) as staging, pq.ParquetWriter(staging, schema, **options) as writer:
        yield writer


def write_parquet(table: pa.Table, path: Path) -> None:
    """Write a table to one Parquet file, whole or not at all, with page checksums.

    Raises
    ------
    DataError
        The system refuses to write.
    """
    with parquet_writer(path, table.schema) as writer:
        writer.write_table(table, row_group_size=ROW_GROUP_ROWS)
