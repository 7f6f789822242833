"""A block's tables on their way from the process that made them to the one that writes the book.

Its events go by a file: through a pipe they would be in memory four times, for each block that
waits for its turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from relimit.data.errors import DataError
from relimit.data.simulator.world import World, run_block
from relimit.data.tables import ROW_GROUP_ROWS


@dataclass(frozen=True, slots=True)
class Parcel:
    """A block's tables, the events in a file."""

    path: Path
    decisions: pa.Table
    accounts: pa.Table

    def events(self) -> Iterator[pa.Table]:
        """Yield the events in pieces; the file is gone at the end."""
        with pa.OSFile(str(self.path)) as file, pa.ipc.open_stream(file) as reader:
            for batch in reader:
                yield pa.Table.from_batches([batch])
        self.path.unlink()


def pack_block(world: World, first: int, last: int, path: Path) -> Parcel:
    """Live the days of the accounts `first` to `last` (exclusive), events to a file.

    Raises
    ------
    DataError
        The system refuses to write the file.
    """
    tables = run_block(world, first, last)
    try:
        with pa.ipc.new_stream(path, tables.events.schema) as stream:
            stream.write_table(tables.events, max_chunksize=ROW_GROUP_ROWS)
    except OSError as error:
        mend = "Make room, or choose a folder that can be written"
        raise DataError(f"can't be written: {error}", where=str(path), mend=mend) from error
    return Parcel(path, tables.decisions, tables.accounts)
