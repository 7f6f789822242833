"""Tables put together into numbered Parquet files."""

from pathlib import Path
from typing import Final

import pyarrow as pa

from relimit.data import write_parquet

PART_ROWS: Final = 250_000


class Parts:
    """A folder of parts of about `PART_ROWS` rows; which row is in which depends on order alone.

    Parameters
    ----------
    folder
        Where the parts go; made when the first is written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files: list[str] = []
        self.rows = 0
        self._held: list[pa.Table] = []

    def add(self, table: pa.Table) -> None:
        """Take in a table, and write a part if enough rows have come together."""
        self.rows += table.num_rows
        self._held.append(table)
        if sum(held.num_rows for held in self._held) >= PART_ROWS:
            self._write()

    def close(self, *, empty: pa.Schema) -> None:
        """Write what is left; a folder is never without a part, so that readers find a schema."""
        if not self.files and not self._held:
            self._held = [empty.empty_table()]
        if not self.files or any(held.num_rows for held in self._held):
            self._write()

    def _write(self) -> None:
        name = f"part-{len(self.files):05d}.parquet"
        write_parquet(pa.concat_tables(self._held), self.folder / name)
        self.files.append(name)
        self._held = []
