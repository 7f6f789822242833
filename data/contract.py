"""What a column may look like, and the lossless casts that bring it into the contract's shape."""

from difflib import get_close_matches
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt
from numpy.typing import NDArray

from relimit.data.errors import DataError

ID_COLUMN: Final = "account_id"

REQUIRED: Final = {"events": ("amount",), "observations": ("bad",)}
"""Columns that may hold nulls but must be there, besides those that may not hold nulls."""


def required_columns(schema: pa.Schema, table: str) -> tuple[str, ...]:
    """Return the columns of `schema` that a file of the table must have, in its order."""
    extra = REQUIRED.get(table, ())
    return tuple(field.name for field in schema if not field.nullable or field.name in extra)


def check_columns(
    found: pa.Schema, schema: pa.Schema, *, table: str, where: str, rows: int
) -> None:
    """Check the names and types of one file's columns against the contract.

    Raises
    ------
    DataError
        A required column is missing, a name occurs twice, or a type can't be cast losslessly.
    """
    for name in required_columns(schema, table):
        if name not in found.names:
            raise _missing(name, found, schema, where=where, rows=rows)
    for field in schema:
        if found.names.count(field.name) > 1:
            what = f"column {field.name} occurs {found.names.count(field.name)} times ({rows} rows)"
            raise DataError(what, where=where, mend="Keep one of them")
        if field.name in found.names:
            _check_type(found.field(field.name).type, field, where=where, rows=rows)


def _missing(name: str, found: pa.Schema, schema: pa.Schema, *, where: str, rows: int) -> DataError:
    """Return the error for a missing column, with the name that was probably meant."""
    foreign = [other for other in found.names if other not in schema.names]
    close = get_close_matches(name, foreign, n=1)
    mend = f"Rename column {close[0]} to {name}" if close else f"Add column {name}"
    what = f"column {name} is missing ({rows} rows; columns: {', '.join(found.names)})"
    return DataError(what, where=where, mend=mend)


def _check_type(found: pa.DataType, field: pa.Field, *, where: str, rows: int) -> None:
    """Raise a `DataError` if a column's type has no lossless cast to the contract's."""
    mend = type_fault(found, field)
    if mend:
        what = f"column {field.name} is {found} ({rows} rows), expected {wanted_words(field)}"
        raise DataError(what, where=where, mend=mend)


def wanted_words(field: pa.Field) -> str:
    """Return what the contract wants of a column, in words."""
    if field.name == ID_COLUMN:
        return "int64 or string"
    return "string" if is_text(field.type) else str(field.type)


def type_fault(found: pa.DataType, field: pa.Field) -> str:
    """Return how to mend a column of this type, or an empty string if it can be taken as it is."""
    wanted = field.type
    if pt.is_null(found):
        return ""
    if field.name == ID_COLUMN:
        fits = pt.is_integer(found) or is_text(found)
        return "" if fits else "Cast the ids to int64 or to string"
    if pt.is_timestamp(wanted):
        return _time_fault(found, field.name)
    if pt.is_integer(wanted):
        mend = f"Cast {field.name} to {wanted}; money is counted in fen, whole numbers"
        return "" if pt.is_integer(found) else mend
    if pt.is_floating(wanted):
        fits = pt.is_floating(found) or pt.is_integer(found)
    elif pt.is_boolean(wanted):
        fits = pt.is_boolean(found) or pt.is_integer(found)
    else:
        fits = is_text(found)
    return "" if fits else f"Cast {field.name} to {wanted_words(field)}"


def _time_fault(found: pa.DataType, name: str) -> str:
    """Return how to mend a time column, or an empty string if it has a unit and a zone."""
    if not pt.is_timestamp(found):
        return f"Write {name} as timestamp[us, UTC]"
    if found.tz is None:
        return f"The times have no zone: localise {name} to the zone it was recorded in"
    return ""


def is_text(found: pa.DataType) -> bool:
    """Return whether a type holds words: a string of any width, or a dictionary of them."""
    values = found.value_type if pt.is_dictionary(found) else found
    return bool(pt.is_string(values) or pt.is_large_string(values) or pt.is_string_view(values))


def id_type(found: pa.DataType) -> pa.DataType:
    """Return the contract's id type for a column's type: string for words, int64 otherwise."""
    return pa.string() if is_text(found) else pa.int64()


def with_id_type(schema: pa.Schema, account_id: pa.DataType) -> pa.Schema:
    """Return the schema with `account_id` of another type; as it is if it has no such column."""
    place = schema.get_field_index(ID_COLUMN)
    return schema if place < 0 else schema.set(place, schema.field(place).with_type(account_id))


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
        raise DataError(what, where=where, mend=f"Cast {field.name} to bool")
    return column.cast(field.type)


def _lossy(column: Any, field: pa.Field, *, where: str) -> DataError:
    """Return the error for a column of which some values don't survive the cast."""
    name, rows = field.name, len(column)
    if pt.is_dictionary(field.type):
        distinct = pc.count_distinct(column).as_py()
        what = f"column {name} has {distinct} distinct words in {rows} rows, too many"
        return DataError(what, where=where, mend=f"Check that {name} holds what it should")
    if pt.is_timestamp(field.type) and column.type.unit == "ns":
        uneven = _count(_integers(column) % 1000 != 0)
        what = f"column {name} ({column.type}) is not whole microseconds in {uneven} of {rows} rows"
        return DataError(what, where=where, mend=f"Floor {name} to microseconds")
    lowest, highest = _range(column.type, field.type)
    values = _integers(column)
    beyond = _count((values < lowest) | (values > highest))
    what = f"column {name} ({column.type}) doesn't fit {field.type} in {beyond} of {rows} rows"
    return DataError(what, where=where, mend=f"Mend these values of {name}, or leave them null")


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
    for field in schema:
        nulls = table[field.name].null_count
        if nulls and not field.nullable:
            what = f"column {field.name} is null in {nulls} of {table.num_rows} rows"
            raise DataError(what, where=where, mend=f"Fill {field.name} or leave these rows out")
    return pa.Table.from_arrays(table.columns, schema=schema)
