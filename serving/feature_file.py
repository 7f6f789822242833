"""Features written to Parquet as they are computed: a matrix of a whole book is never held."""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile
from typing import Final

import numpy as np
import pyarrow as pa

from relimit.data.tables import parquet_writer
from relimit.features import FeatureStream
from relimit.features.history import Floats
from relimit.serving.inputs import with_columns

GROUP_ROWS: Final = 32_768
"""Rows of a row group: the whole catalogue then takes about 40 MB."""


def write_features(
    blocks: FeatureStream, points: pa.Table, names: Sequence[str], out: Path, *, where: str
) -> int:
    """Write `points` with a column a feature, and return how many have no events.

    Blocks are written one by one where the snapshots ascend by account; otherwise they are first
    put in order in a temporary file beside `out`.

    Parameters
    ----------
    blocks
        Computed for `points` and `names`.
    where
        The name of the table of snapshots for messages.

    Raises
    ------
    DataError
        None of the accounts has events, or the system refuses to write.
    """
    schema = with_columns(points.slice(0, 0), names, np.empty((0, len(names)))).schema
    with parquet_writer(out, schema) as writer:
        parts = (matrix for _, matrix in blocks) if blocks.in_order else _put_in_order(
            blocks, (points.num_rows, len(names)), out.parent
        )  # fmt: skip
        begin = 0
        for matrix in _row_groups(parts):
            mine = with_columns(points.slice(begin, len(matrix)), names, matrix)
            writer.write_table(mine)
            begin += len(matrix)
        return blocks.count_without_events(where=where)


def _row_groups(parts: Iterator[Floats]) -> Iterator[Floats]:
    """Put parts together until they make a row group, and cut those that are larger."""
    held: list[Floats] = []
    pieces = (
        part[low : low + GROUP_ROWS] for part in parts for low in range(0, len(part), GROUP_ROWS)
    )
    for piece in pieces:
        if sum(map(len, held)) + len(piece) > GROUP_ROWS:
            yield np.concatenate(held)
            held = []
        held.append(piece)
    if held:
        yield np.concatenate(held)


def _put_in_order(blocks: FeatureStream, shape: tuple[int, int], folder: Path) -> Iterator[Floats]:
    """Scatter the blocks over a file without a name, then yield it from the first row on."""
    with TemporaryFile(dir=folder) as file:
        if shape[0] == 0:
            return
        matrix: Floats = np.memmap(file, np.float64, "w+", shape=shape)
        blocks.gather(into=matrix)
        for low, high in itertools.pairwise((*range(0, shape[0], GROUP_ROWS), shape[0])):
            yield np.asarray(matrix[low:high])
