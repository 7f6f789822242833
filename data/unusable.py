"""Events that lack what nothing can be told without: parted from the rest, so that it can be used.

Reading leniently keeps events without `ts` or `kind` beside the others of their account, for
whoever decides to see; one without an account is nobody's, and is looked for by itself.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from relimit.data.casts import cast_columns
from relimit.data.errors import DataError
from relimit.data.event_tables import conform_events
from relimit.data.files import TableFiles, open_parquet, unreadable

MOST_NAMELESS: Final = 1_000_000
"""More events without an account are a fault of the whole delivery, and of memory to keep them."""


def with_account(events: pa.Table) -> pa.Table:
    """Return the events that say whose they are."""
    ids = events["account_id"]
    return events.filter(ids.is_valid()) if ids.null_count else events


def conform_read(events: pa.Table, *, where: str, lenient: bool, detail: bool = True) -> pa.Table:
    """Return events as `conform_events` does; leniently, those without an account are left out."""
    named = with_account(events) if lenient else events
    return conform_events(named, where=where, lenient=lenient, detail=detail)


def split_unusable(events: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return the events that have their time and kind, and those that lack one."""
    if not (events["ts"].null_count or events["kind"].null_count):
        return events, events.slice(0, 0)
    whole = pc.and_(events["ts"].is_valid(), events["kind"].is_valid())
    return events.filter(whole), events.filter(pc.invert(whole))


def nameless_events(found: TableFiles) -> Iterator[pa.Table]:
    """Yield the events without an account, a row group each, in the columns of the contract.

    Row groups of which the footer says that every event has one are not read.

    Raises
    ------
    DataError
        There are more than `MOST_NAMELESS`, a page is damaged, or a value doesn't survive its cast.
    """
    count = 0
    for path in found.files:
        for rows in _nameless(path, found.schema.names):
            count += rows.num_rows
            if count > MOST_NAMELESS:
                what = f"column account_id is null in more than {MOST_NAMELESS:,} rows"
                mend = "Find out what delivers events of nobody, or leave them out as relimit "
                mend += "check --quarantine does"
                raise DataError(what, where=str(path), mend=mend)
            yield cast_columns(rows, found.schema, where=str(path))


def _nameless(path: Path, names: Sequence[str]) -> Iterator[pa.Table]:
    with open_parquet(path) as opened:
        there = [name for name in names if name in opened.schema_arrow.names]
        try:
            for number in range(opened.num_row_groups):
                if not _all_named(opened.metadata, number):
                    ids = opened.read_row_group(number, columns=["account_id"])["account_id"]
                    if ids.null_count:
                        rows = opened.read_row_group(number, columns=there)
                        yield rows.filter(ids.is_null())
        except (pa.ArrowException, OSError) as error:
            raise unreadable(path, error) from error


def _all_named(footer: pq.FileMetaData, group: int) -> bool:
    place = footer.schema.names.index("account_id")
    told = footer.row_group(group).column(place).statistics
    never = footer.schema.column(place).max_definition_level == 0
    return never or (told is not None and told.has_null_count and told.null_count == 0)
