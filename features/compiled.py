"""The engine's hottest loops compiled, for large blocks, where the extra `fast` is installed.

Each class answers what the one that it stands in for does by numpy, to the last bit. numpy is the
reference, and does it where blocks are small, the extra is absent, or so little has come that the
loops are not worth loading.
"""

from typing import Any, Final, NamedTuple

import numpy as np

from relimit.data.events import EventBlock
from relimit.data.native import Loader, run
from relimit.data.vocabulary import KINDS, MICROSECONDS_PER_DAY, PLACE
from relimit.features.bits import Cut, Ints, Words, padded
from relimit.features.kinds import ByKind, Kind
from relimit.features.once import once
from relimit.features.timeline import Timeline
from relimit.features.usual import FEW

_loader: Final = Loader("relimit.features.loops")

_WORD: Final = 32
_BYTE: Final = 256


class CompiledCut(Cut):
    """Rows to count events before: see `Cut`."""

    def __getitem__(self, place: int | slice | list[int]) -> Cut:
        """Return some of several cuts `[ends, rows]`."""
        return CompiledCut(self.row[place])

    def count(self, words: Words) -> Ints:
        """Return how many bits come before each row."""
        row = np.ascontiguousarray(self.row)
        count = np.empty(row.shape, np.int64)
        _run("bits_before", row, row.size, words, count)
        return count


class CompiledByKind(ByKind):
    """The rows of each kind of a block's events: see `ByKind`."""

    @once
    def _sorted(self) -> tuple[Ints, Ints]:
        starts, order = np.empty(len(KINDS) + 1, np.int64), np.empty(self.size, np.int64)
        room = np.zeros(_BYTE, np.int64)
        kind = np.ascontiguousarray(self._kind)
        _run("order_by_kind", kind, self.size, len(KINDS), starts, order, room)
        return order, starts

    @once
    def order(self) -> Ints:
        """The rows sorted by kind, ascending within each."""
        return self._sorted[0]

    @once
    def starts(self) -> Ints:
        """`[kinds + 1]`: where each kind begins in `order`."""
        return self._sorted[1]

    def words(self, kind: str) -> Words:
        """Return a kind's bit vector."""
        words: Words = self._words[PLACE[kind]]
        return words

    @once
    def _words(self) -> Words:
        """`[kinds, words]`: those of all kinds, in one pass."""
        width = padded(self.size) // _WORD
        words, room = np.empty((len(KINDS), width), np.uint64), np.zeros(2 * _BYTE, np.uint64)
        kind = np.ascontiguousarray(self._kind)
        _run("words_of_kinds", kind, self.size, len(KINDS), words, width, room)
        return words

    def total_of(self, kind: Kind) -> Ints:
        """Return `[m + 1]`: the sum of a kind's amounts before each place."""
        rows, total = kind.rows, np.empty(len(kind.rows) + 1, np.int64)
        _run("totals", rows, len(rows), _plain(self.amount), total)
        return total


class CompiledTimeline(Timeline):
    """Where each snapshot stands in its account: see `Timeline`."""

    def __init__(self, block: EventBlock, account: Ints, as_of: Ints) -> None:
        super().__init__(block, account, as_of)
        beyond = int(account.max(initial=-1)) >= len(block.account_ids)
        if beyond or account.shape != as_of.shape:  # a loop would read what is not the block's
            raise IndexError("each snapshot needs a time and the place of an account, or -1")

    def rows(self, days: int | Ints) -> Ints:
        """Return the row after the last one known so many days before each snapshot."""
        block, asked = self._block, len(self._as_of)
        ago = np.ravel(np.asarray(days, np.int64)) * MICROSECONDS_PER_DAY
        rows = np.empty((len(ago), asked), np.int64)
        given = (block.known_at, block.starts, self._account, self._as_of)
        _run("rows_known", *map(_plain, given), asked, ago, len(ago), rows)
        return rows if isinstance(days, np.ndarray) else rows[0]


class Engine(NamedTuple):
    """What turns a block and its snapshots into numbers."""

    cut: type[Cut]
    by_kind: type[ByKind]
    timeline: type[Timeline]


NUMPY: Final = Engine(Cut, ByKind, Timeline)
COMPILED: Final = Engine(CompiledCut, CompiledByKind, CompiledTimeline)
"""Only where `engine_for` gave it: the loops must have been loaded."""


def engine_for(events: int, snapshots: int) -> Engine:
    """Return the engine for a block of so many events and snapshots; threads may ask."""
    # A decision at once has few snapshots, and is not to wait for anything to be loaded.
    return COMPILED if snapshots > FEW and _loader.loops_for(events) else NUMPY


def _run(name: str, *given: Any) -> None:
    run(_loader.loops[name], *given)


def _plain(numbers: Ints) -> Ints:
    return np.ascontiguousarray(numbers, np.int64)
