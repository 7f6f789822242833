"""Rows sorted out: those fit for use into one file, those with an error into another."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from relimit.data.casts import reject_nulls
from relimit.data.errors import DataError
from relimit.data.findings import Quarantine
from relimit.data.tables import parquet_writer

Mask = NDArray[np.bool_]


class Sorter:
    """Writes each row either to the good or to the rejected, and counts both.

    Parameters
    ----------
    good, rejected
        Writers of the two files.
    schema
        The contract's schema of a good row.
    """

    def __init__(self, good: pq.ParquetWriter, rejected: pq.ParquetWriter, schema: pa.Schema):
        self.good_rows = 0
        self.rejected_rows = 0
        self._good = good
        self._rejected = rejected
        self._schema = schema

    def add(self, rows: pa.Table, faults: Mapping[str, Mask]) -> None:
        """Sort a batch by the masks of its faults, named by their codes."""
        bad = np.zeros(rows.num_rows, bool)
        for mask in faults.values():
            bad |= mask
        good = rows.filter(pa.array(~bad))
        rejected = rows.filter(pa.array(bad))
        self._good.write_table(reject_nulls(good, self._schema, where="quarantine"))
        reasons = pa.array(reasons_of(faults, bad), pa.string())
        self._rejected.write_table(rejected.append_column("reason", reasons))
        self.good_rows += good.num_rows
        self.rejected_rows += rejected.num_rows


def reasons_of(faults: Mapping[str, Mask], bad: Mask) -> list[str]:
    """Return the codes of the faults of each row that has any, joined by `, `.

    Examples
    --------
    >>> faults = {"a": np.array([True, False, True]), "b": np.array([True, False, False])}
    >>> reasons_of(faults, np.array([True, False, True]))
    ['a, b', 'a']
    """
    table = np.column_stack([mask[bad] for mask in faults.values()])
    patterns, which = np.unique(table, axis=0, return_inverse=True)
    codes = list(faults)
    words = [", ".join(codes[place] for place in np.flatnonzero(row)) for row in patterns]
    return [words[place] for place in which]


@contextmanager
def sorter(folder: Path, schema: pa.Schema, source: Path) -> Iterator[Sorter]:
    """Yield a sorter into `folder`; its two files appear only when the body ends well.

    Raises
    ------
    DataError
        It would overwrite the events, or add to their parts; or it can't be written.
    """
    good_file, rejected_file = quarantine_files(folder)
    target, origin = folder.resolve(), source.resolve()
    taken = (target, *target.parents) if source.is_dir() else (good_file.resolve(),)
    if origin in taken:
        what = "the quarantine would overwrite or mix with the events that are checked"
        raise DataError(what, where=str(folder), mend="Choose another folder")
    loose = pa.schema([field.with_nullable(True) for field in schema])
    wide = loose.append(pa.field("reason", pa.string()))
    with (
        parquet_writer(good_file, schema) as good,
        parquet_writer(rejected_file, wide) as rejected,
    ):
        yield Sorter(good, rejected, schema)


def quarantine_files(folder: Path) -> tuple[Path, Path]:
    """Return where the good and the rejected rows go."""
    return folder / "events.parquet", folder / "rejected.parquet"


def outcome(folder: Path, box: Sorter, rows: int) -> Quarantine:
    """Return where the rows went, once the two files have been counted again.

    Raises
    ------
    DataError
        The rows of both files don't add up to those that came in.
    """
    good_file, rejected_file = quarantine_files(folder)
    written = [pq.read_metadata(file).num_rows for file in (good_file, rejected_file)]
    if written != [box.good_rows, box.rejected_rows] or sum(written) != rows:
        what = f"{rows} rows came in, but {written[0]} good and {written[1]} rejected were written"
        raise DataError(what, where=str(folder), mend="Check the disk, and run the check again")
    return Quarantine(str(good_file), str(rejected_file), *written)
