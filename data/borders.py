"""Which bucket an account is of, where buckets are ascending ranges of accounts of like size."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.accounts import group_by_account
from relimit.data.columns import one_chunk
from relimit.data.event_numbers import offsets_of
from relimit.data.event_tables import conform_columns
from relimit.data.overlap import Workers, read_ahead
from relimit.data.row_groups import Lot
from relimit.data.unusable import with_account

Keys = NDArray[np.uint64]

MOST_BUCKETS: Final = 256
"""So many have numbers of one byte, which are sorted in linear time."""

_SAMPLE: Final = 200_000
_PIECE_ROWS: Final = 500_000
_FEW_GROUPS: Final = 32
"""So few row groups are sampled all through: the first rows of each would be of too few days."""

_MOST_GROUPS: Final = 256
"""Row groups that are sampled."""

_CELL_BITS: Final = 16
_UNEVEN: Final = 2
"""How many times the rows the largest bucket may have for being looked up, not searched for."""

_KEY_BYTES: Final = 8
_MASKS: Final = np.array([2**64 - (1 << 8 * left) for left in range(8, -1, -1)], np.uint64)
"""What keeps the first bytes of a key, by how many they are."""


@dataclass(frozen=True, slots=True)
class Borders:
    """The borders between buckets, as keys: whole numbers that ascend as the ids do.

    The key of a number is what it lies beyond the least of a sample. That of a word is made of the
    bytes after those with which all of the sample begin. Ids of one key are of one bucket.

    Attributes
    ----------
    first
        The least id of a sample, or the bytes with which all of it begin.
    keys
        `[buckets - 1]` ascending: a bucket begins with each.
    shift
        How many bits of a key are left out to look its bucket up.
    cells
        The bucket of every key so shortened; greater ones are of the last. None if that would make
        buckets too uneven, as ids that lie far apart may.
    """

    first: int | bytes
    keys: Keys
    shift: np.uint64
    cells: NDArray[np.uint8] | None

    @classmethod
    def of(cls, lots: Sequence[Lot], bucket_rows: int, pool: Workers | None = None) -> Self:
        """Return the borders that part events into buckets of about as many rows.

        They are found from a sample: the first rows of each row group, where there are many groups,
        or rows of all of it, where the first ones ascend and so tell little of the others.
        """
        rows = sum(lot.rows for lot in lots)
        groups = [replace(lot, groups=(group,)) for lot in lots for group in lot.groups]
        groups = groups[:: max(1, len(groups) // _MOST_GROUPS)]
        step = max(1, sum(group.rows for group in groups) // _SAMPLE)
        reads = (partial(_sample, group, step, len(groups) < _FEW_GROUPS) for group in groups)
        sample = pa.concat_arrays(read_ahead(reads, pool))
        first = _first(sample)
        keys = np.sort(_keys(sample, first))
        if len(keys) == 0:
            return cls(first, keys, np.uint64(0), None)
        return cls._between(first, keys, min(MOST_BUCKETS, rows // bucket_rows + 1))

    @classmethod
    def _between(cls, first: int | bytes, sample: Keys, buckets: int) -> Self:
        keys = np.unique(sample[np.arange(1, buckets) * len(sample) // buckets])
        shift = np.uint64(max(int(sample[-1]).bit_length() - _CELL_BITS, 0))
        begins = np.arange(int(sample[-1] >> shift) + 1, dtype=np.uint64)
        cells = np.searchsorted(keys >> shift, begins, side="right").astype(np.uint8)
        exact = np.bincount(np.searchsorted(keys, sample, side="right")).max()
        rough = np.bincount(cells[sample >> shift]).max()
        return cls(first, keys, shift, cells if rough <= _UNEVEN * exact else None)

    @property
    def of_text(self) -> bool:
        """Whether the ids are words."""
        return isinstance(self.first, bytes)

    @property
    def buckets(self) -> int:
        """How many there are."""
        return len(self.keys) + 1

    def bucket(self, ids: pa.ChunkedArray) -> NDArray[np.uint8]:
        """Return the bucket of each id, `[rows]`; none is null."""
        keys = _keys(one_chunk(ids), self.first)
        if self.cells is None:
            return np.searchsorted(self.keys, keys, side="right").astype(np.uint8)
        cell = np.minimum(keys >> self.shift, np.uint64(len(self.cells) - 1))
        bucket: NDArray[np.uint8] = self.cells.take(cell.view(np.int64))
        return bucket


def _sample(group: Lot, step: int, whole: bool) -> pa.Array:
    """Return one id of so many of a row group's, its first ones unless these ascend."""
    head = _ids(group, next(group.pieces(["account_id"], max(1, group.rows // step))))
    if not whole and group_by_account(head)[2] is not None:
        return one_chunk(head)
    pieces = group.pieces(["account_id"], _PIECE_ROWS)
    every = (_ids(group, piece) for piece in pieces)
    return pa.concat_arrays([one_chunk(ids)[::step] for ids in every])


def _ids(group: Lot, told: pa.Table) -> pa.ChunkedArray:
    """Return the ids of rows that have one, in a type of the contract."""
    where = str(group.path)
    return conform_columns(with_account(told), ["account_id"], where=where)["account_id"]


def _first(sample: pa.Array) -> int | bytes:
    """Return the least number, or the bytes with which all words of a sample begin."""
    if pa.types.is_integer(sample.type):
        return int(pc.min(sample).as_py() or 0)
    ends = pc.min_max(sample.cast(pa.binary()))
    least, greatest = ends["min"].as_py() or b"", ends["max"].as_py() or b""
    same = (place for place, (a, b) in enumerate(zip(least, greatest, strict=False)) if a != b)
    return bytes(least[: next(same, len(least))])


def _keys(ids: pa.Array, first: int | bytes) -> Keys:
    """Return the key of each id, `[rows]`."""
    keys: Keys
    if isinstance(first, int):
        keys = (np.maximum(ids.to_numpy(), first) - np.int64(first)).view(np.uint64)
        return keys
    words = ids.cast(pa.binary())
    offsets = offsets_of(words)
    begin = offsets[:-1] + len(first)
    text = np.frombuffer(words.buffers()[2] or b"", np.uint8)[: offsets[-1]]
    text = np.concatenate((text, np.zeros(len(first) + _KEY_BYTES, np.uint8)))
    eights = np.ndarray(len(text) - _KEY_BYTES + 1, ">u8", text, strides=(1,))
    length = np.clip(offsets[1:] - begin, 0, _KEY_BYTES)
    keys = eights[begin].astype(np.uint64) & _MASKS[length]
    alike = pc.starts_with(words, pattern=first).to_numpy(zero_copy_only=False)
    if not alike.all():
        below = pc.less(words, pa.scalar(first)).to_numpy(zero_copy_only=False)
        keys[~alike] = np.where(below[~alike], np.uint64(0), np.uint64(2**64 - 1))
    return keys
