"""Tables of events in the types that blocks are made from."""

from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from relimit.data.contract import check_columns
from relimit.data.schema import events_schema
from relimit.data.tables import conform


def conform_events(
    events: pa.Table, *, where: str, lenient: bool = False, detail: bool = True
) -> pa.Table:
    """Return the columns of events in the types that blocks are made from.

    They are those of `events_schema`, but with room for as many words as a file may have.

    Parameters
    ----------
    lenient
        Let events without `ts` or `kind` pass, for `split_unusable`.
    detail
        False leaves `detail` out, for whoever doesn't look at it: to write nulls costs time.

    Raises
    ------
    DataError
        As in `blocks_from_table`.
    """
    contract, known = events_schema(), _BLOCK_SCHEMAS[lenient, detail]
    if any(events.schema.equals(schema) for schema in known.values()):
        return events
    check_columns(events.schema, contract, table="events", where=where, rows=events.num_rows)
    words = not pa.types.is_integer(events.schema.field("account_id").type)
    return conform(events, known[words], where=where)


def conform_columns(
    events: pa.Table, names: Sequence[str], *, where: str, lenient: bool = False
) -> pa.Table:
    """Return some columns of events as `conform_events` has them; one that is absent is null.

    Raises
    ------
    DataError
        As in `blocks_from_table`.
    """
    words = not pa.types.is_integer(events.schema.field("account_id").type)
    fields = [_BLOCK_SCHEMAS[lenient, True][words].field(name) for name in names]
    return conform(events, pa.schema(fields), where=where)


def block_schema(*, text_ids: bool, lenient: bool, detail: bool = True) -> pa.Schema:
    """Return the schema of what `conform_events` returns."""
    return _BLOCK_SCHEMAS[lenient, detail][text_ids]


def _block_schema(account_id: pa.DataType, *, lenient: bool, detail: bool) -> pa.Schema:
    schema = events_schema(account_id)
    for name in ("ts", "kind") if lenient else ():
        place = schema.get_field_index(name)
        schema = schema.set(place, schema.field(place).with_nullable(True))
    for name in ("kind", "detail"):
        place = schema.get_field_index(name)
        wide = pa.dictionary(pa.int32(), pa.string())
        schema = schema.set(place, schema.field(place).with_type(wide))
    return schema if detail else schema.remove(schema.get_field_index("detail"))


_BLOCK_SCHEMAS: Final = {
    (lenient, detail): {
        words: _block_schema(pa.string() if words else pa.int64(), lenient=lenient, detail=detail)
        for words in (False, True)
    }
    for lenient in (False, True)
    for detail in (False, True)
}
"""By whether events without `ts` or `kind` pass, whether `detail` does, and whether ids are words.
"""
