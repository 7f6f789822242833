"""The lossless casts that bring a table into the contract's shape."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from relimit.data.contract import ColumnError


def cast_columns(table: pa.Table, schema: pa.Schema, *, where: str) -> pa.Table:
    """Return the schema's columns, losslessly cast; a column that is not there becomes nulls.

    Nulls pass in every column: see `reject_nulls`. Columns that the schema lacks are left out.

    Parameters
    ----------
    table
        Rows whose columns passed `check_columns`.
    schema
        The contract, with `account_id` of the type that the file has.
    where
        The file's name for messages.

    Raises
    ------
    DataError
        A value doesn't survive the cast: too large, finer than a microsecond, not 0 or 1.
    """
    columns = [_column(table, field, where=where) for field in schema]
    loose = pa.schema([field.with_nullable(True) for field in schema])
    return pa.Table.from_arrays(columns, schema=loose)


def cast_faults(table: pa.Table, schema: pa.Schema, *, where: str) -> list[ColumnError]:
    """Return what is wrong with each column of which `cast_columns` raises the first."""
    faults = []
    for field in schema:
        try:
            _column(table, field, where=where)
        except ColumnError as fault:
            faults.append(fault)
    return faults


def _column(table: pa.Table, field: pa.Field, *, where: str) -> Any:
    """Return one column, cast."""
    if field.name not in table.column_names:
        return pa.nulls(table.num_rows, field.type)
    column = table[field.name]
    if column.type.equals(field.type):
        return column
    if pt.is_string_view(column.type):
        column = column.cast(pa.string())
    if pt.is_boolean(field.type) and pt.is_integer(column.type):
        return _flags(column, field, where=where)
    try:
        return column.cast(field.type)
    except pa.ArrowInvalid as error:
        raise _lossy(column, field, where=where) from error


def _flags(column: Any, field: pa.Field, *, where: str) -> Any:
    """Return integers 0 and 1 as booleans."""
    strange = pc.sum(pc.and_(pc.not_equal(column, 0), pc.not_equal(column, 1))).as_py() or 0
    if strange:
        what = f"column {field.name} is neither 0 nor 1 in {strange} of {len(column)} rows"
        mend = f"Cast {field.name} to bool"
        raise ColumnError(what, column=field.name, rows=strange, where=where, mend=mend)
    return column.cast(field.type)


def _lossy(column: Any, field: pa.Field, *, where: str) -> ColumnError:
    """Return the error for a column of which some values don't survive the cast."""
    name, rows = field.name, len(column)
    if pt.is_dictionary(field.type):
        distinct = pc.count_distinct(column).as_py()
        what = f"column {name} has {distinct} distinct words in {rows} rows, too many"
        mend = f"Check that {name} holds what it should"
        return ColumnError(what, column=name, rows=rows, where=where, mend=mend)
    if pt.is_timestamp(field.type) and column.type.unit == "ns":
        uneven = _count(_integers(column) % 1000 != 0)
        what = f"column {name} ({column.type}) is not whole microseconds in {uneven} of {rows} rows"
        mend = f"Floor {name} to microseconds"
        return ColumnError(what, column=name, rows=uneven, where=where, mend=mend)
    lowest, highest = _range(column.type, field.type)
    values = _integers(column)
    beyond = _count((values < lowest) | (values > highest))
    what = f"column {name} ({column.type}) doesn't fit {field.type} in {beyond} of {rows} rows"
    mend = f"Mend these values of {name}, or leave them null"
    return ColumnError(what, column=name, rows=beyond, where=where, mend=mend)


def _integers(column: Any) -> NDArray[Any]:
    """Return a column's values that are not null, times as counts of their own unit."""
    values: NDArray[Any] = column.drop_null().to_numpy()
    return values.view(np.int64) if pt.is_timestamp(column.type) else values


def _count(mask: NDArray[np.bool_]) -> int:
    """Return how many are true."""
    return int(np.count_nonzero(mask))


def _range(found: pa.DataType, wanted: pa.DataType) -> tuple[int, int]:
    """Return the least and the greatest integer of `found` that `wanted` can hold."""
    if pt.is_timestamp(wanted):
        per_unit = {"s": 1_000_000, "ms": 1_000, "us": 1}[found.unit]
        bounds = np.iinfo(np.int64)
        return -(-bounds.min // per_unit), bounds.max // per_unit
    bounds = np.iinfo(wanted.to_pandas_dtype())
    return bounds.min, bounds.max


def reject_nulls(table: pa.Table, schema: pa.Schema, *, where: str) -> pa.Table:
    """Return the table under `schema` itself, once no required value is null.

    Raises
    ------
    DataError
        A column that may not hold nulls does; with the count.
    """
    for fault in null_faults(table, schema, where=where):
        raise fault
    return pa.Table.from_arrays(table.columns, schema=schema)


def null_faults(table: pa.Table, schema: pa.Schema, *, where: str) -> Iterator[ColumnError]:
    """Yield what is wrong with each column that may not hold nulls but does, with the count."""
    for field in schema:
        nulls = 0 if field.nullable else table[field.name].null_count
        if nulls:
            what = f"column {field.name} is null in {nulls} of {table.num_rows} rows"
            mend = f"Fill {field.name} or leave these rows out, as relimit check --quarantine does"
            mend += " with events"
            yield ColumnError(what, column=field.name, rows=nulls, where=where, mend=mend)
