"""What a column may look like: names, types, and what is told of one that doesn't."""

from collections.abc import Iterator
from difflib import get_close_matches
from typing import Final

import pyarrow as pa
import pyarrow.types as pt

from relimit.data.errors import DataError

ID_COLUMN: Final = "account_id"

MONEY: Final = ("amount", "prepaid", "freed", "loss", "margin", "restored", "limit")
"""Columns of whole numbers that are money."""

REQUIRED: Final = {"events": ("amount",), "observations": ("bad",)}
"""Columns that may hold nulls but must be there, besides those that may not hold nulls."""


class ColumnError(DataError):
    """A column that breaks the contract.

    Parameters
    ----------
    column
        Its name.
    rows
        How many rows are at fault: all of the file's where the column itself is.
    """

    def __init__(self, what: str, *, column: str, rows: int, where: str, mend: str) -> None:
        super().__init__(what, where=where, mend=mend)
        self.column = column
        self.rows = rows


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
        The first of `column_faults`.
    """
    for fault in column_faults(found, schema, table=table, where=where, rows=rows):
        raise fault


def column_faults(
    found: pa.Schema, schema: pa.Schema, *, table: str, where: str, rows: int
) -> Iterator[ColumnError]:
    """Yield what is wrong with the names and types of one file's columns.

    A required column is missing, a name occurs twice, or a type can't be cast losslessly.
    """
    for name in required_columns(schema, table):
        if name not in found.names:
            yield _missing(name, found, schema, where=where, rows=rows)
    for field in schema:
        if found.names.count(field.name) > 1:
            what = f"column {field.name} occurs {found.names.count(field.name)} times ({rows} rows)"
            mend = "Keep one of them"
            yield ColumnError(what, column=field.name, rows=rows, where=where, mend=mend)
        elif field.name in found.names:
            kind = found.field(field.name).type
            if mend := type_fault(kind, field):
                wanted = wanted_words(field)
                what = f"column {field.name} is {kind} ({rows} rows), expected {wanted}"
                yield ColumnError(what, column=field.name, rows=rows, where=where, mend=mend)


def _missing(
    name: str, found: pa.Schema, schema: pa.Schema, *, where: str, rows: int
) -> ColumnError:
    """Return the error for a missing column, with the name that was probably meant."""
    foreign = [other for other in found.names if other not in schema.names]
    close = get_close_matches(name, foreign, n=1)
    mend = f"Rename column {close[0]} to {name}" if close else f"Add column {name}"
    what = f"column {name} is missing ({rows} rows; columns: {', '.join(found.names)})"
    return ColumnError(what, column=name, rows=rows, where=where, mend=mend)


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
        whole = "whole: money in fen" if field.name in MONEY else "whole"
        mend = (
            f"Cast {field.name} to {wanted} (of pandas: {str(wanted).capitalize()}), which is "
            f"{whole}, null where there is none"
        )
        return "" if pt.is_integer(found) else mend
    if pt.is_floating(wanted):
        fits = pt.is_floating(found) or pt.is_integer(found)
    elif pt.is_boolean(wanted):
        fits = pt.is_boolean(found) or pt.is_integer(found)
    elif pt.is_date(wanted):
        fits = found.equals(wanted)
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
