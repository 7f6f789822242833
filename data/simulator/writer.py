"""Stream a book's tables to Parquet: row groups of one size, whatever the blocks were."""

from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.parquet as pq

from relimit.data.schema import accounts_schema, decisions_log_schema, events_schema
from relimit.data.simulator.tables import encoded
from relimit.data.simulator.world import BlockTables

ROWS = 100_000
"""Rows of a group: what the feature engine reads at a time."""


class TableStream:
    """A Parquet file written in groups of `ROWS` rows, under a staged name until closed."""

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self.path = path
        self.staged = path.with_name(f"_tmp_{path.name}")
        self.rows = 0
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._writer = pq.ParquetWriter(
            self.staged, schema, compression="zstd", write_page_checksum=True
        )

    def add(self, table: pa.Table) -> None:
        """Append rows; write the groups that are full."""
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        if self._waiting_rows >= ROWS:
            self._flush(self._waiting_rows // ROWS * ROWS)

    def close(self) -> None:
        """Write the rest and put the file in its place."""
        self._flush(self._waiting_rows)
        self._writer.close()
        self.staged.replace(self.path)

    def discard(self) -> None:
        """Drop the staged file."""
        self._writer.close()
        self.staged.unlink()

    def _flush(self, rows: int) -> None:
        if rows == 0:
            return
        table = pa.concat_tables(self._waiting)
        for first in range(0, rows, ROWS):
            group = table.slice(first, min(ROWS, rows - first))
            self._writer.write_table(self._prepare(group), row_group_size=ROWS)
        self._waiting = [table.slice(rows)]
        self._waiting_rows -= rows
        self.rows += rows

    def _prepare(self, group: pa.Table) -> pa.Table:
        return group.combine_chunks()


class EventStream(TableStream):
    """The events, their details encoded group by group."""

    def _prepare(self, group: pa.Table) -> pa.Table:
        return encoded(group)


class BookWriter:
    """The three streams of a book; on an error nothing is left but what was there before."""

    def __init__(self, out: Path) -> None:
        self._events = EventStream(out / "events.parquet", events_schema())
        self._decisions = TableStream(out / "decisions.parquet", decisions_log_schema())
        self._accounts = TableStream(out / "accounts.parquet", accounts_schema())

    @property
    def events(self) -> int:
        """Return the events written so far."""
        return self._events.rows

    @property
    def decisions(self) -> int:
        """Return the decisions written so far."""
        return self._decisions.rows

    def write(self, tables: BlockTables) -> None:
        """Append a block; blocks come in the order of their accounts."""
        self._events.add(tables.events)
        self._decisions.add(tables.decisions)
        self._accounts.add(tables.accounts)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for stream in (self._events, self._decisions, self._accounts):
            if error is None:
                stream.close()
            else:
                stream.discard()
