"""Stream a book's tables to Parquet: row groups of one size, whatever the blocks were."""

from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from relimit.data.schema import accounts_schema, decisions_log_schema, events_schema
from relimit.data.simulator.parcel import Parcel
from relimit.data.simulator.tables import encoded
from relimit.data.tables import ROW_GROUP_ROWS, parquet_writer

ORACLE = "oracle.parquet"
ORACLE_ACCOUNTS = "oracle_accounts.parquet"


class TableStream:
    """Rows that are written in groups of `ROW_GROUP_ROWS`, however they come."""

    def __init__(self, writer: pq.ParquetWriter) -> None:
        self.rows = 0
        self._waiting: list[pa.Table] = []
        self._waiting_rows = 0
        self._writer = writer

    def add(self, table: pa.Table) -> None:
        """Append rows; write the groups that are full."""
        self._waiting.append(table)
        self._waiting_rows += table.num_rows
        self._flush(self._waiting_rows // ROW_GROUP_ROWS * ROW_GROUP_ROWS)

    def finish(self) -> None:
        """Write the rest."""
        self._flush(self._waiting_rows)

    def _flush(self, rows: int) -> None:
        if rows == 0:
            return
        table = pa.concat_tables(self._waiting)
        for first in range(0, rows, ROW_GROUP_ROWS):
            group = table.slice(first, min(ROW_GROUP_ROWS, rows - first))
            prepared = self._prepare(group)
            self._writer.write_table(prepared, row_group_size=prepared.num_rows)
            self.rows += prepared.num_rows
        self._waiting = [table.slice(rows)]
        self._waiting_rows -= rows

    def _prepare(self, group: pa.Table) -> pa.Table:
        return group.combine_chunks()


class EventStream(TableStream):
    """The events, their details encoded group by group.

    With a share `redelivered` above 0, that many events of each group come twice and all of the
    group out of order, as a message queue would deliver them.
    """

    def __init__(self, writer: pq.ParquetWriter, redelivered: float, seed: int) -> None:
        super().__init__(writer)
        self._redelivered = redelivered
        self._generator = np.random.default_rng(seed)

    def _prepare(self, group: pa.Table) -> pa.Table:
        if not self._redelivered:
            return encoded(group)
        twice = np.flatnonzero(self._generator.random(group.num_rows) < self._redelivered)
        rows = np.concatenate([np.arange(group.num_rows), twice])
        return encoded(group.take(pa.array(self._generator.permutation(rows))))


class BookWriter:
    """The three tables of a book; they appear only if the body ends well."""

    def __init__(self, out: Path, *, redelivered: float, seed: int) -> None:
        self._out = out
        self._delivery = (redelivered, seed)
        self._stack = ExitStack()
        self._streams: tuple[TableStream, ...] = ()

    @property
    def events(self) -> int:
        """Return the events written."""
        return self._streams[0].rows

    @property
    def decisions(self) -> int:
        """Return the decisions written."""
        return self._streams[1].rows

    def write(self, block: Parcel) -> None:
        """Append a block; blocks come in the order of their accounts."""
        events, decisions, accounts = self._streams
        for piece in block.events():
            events.add(piece)
        decisions.add(block.decisions)
        accounts.add(block.accounts)

    def __enter__(self) -> Self:
        self._stack.__enter__()
        self._streams = (
            EventStream(self._open("events", events_schema()), *self._delivery),
            TableStream(self._open("decisions", decisions_log_schema())),
            TableStream(self._open("accounts", accounts_schema())),
        )
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if error is None:
            for stream in self._streams:
                stream.finish()
        self._stack.__exit__(kind, error, trace)

    def _open(self, table: str, schema: pa.Schema) -> pq.ParquetWriter:
        return self._stack.enter_context(parquet_writer(self._out / f"{table}.parquet", schema))
