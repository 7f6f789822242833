"""Features that are a number of tables, or a share of two, had all at once where snapshots are few.

A live decision has one snapshot, and there a call costs more than its work. Few snapshots have all
of these features by three look-ups, and not by several calls each.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from relimit.data.vocabulary import PLACE
from relimit.features.arithmetic import ratio
from relimit.features.bits import Ints
from relimit.features.cells import COUNT, LAST, VARIATION, Cell, Entry, Found
from relimit.features.history import Floats, History
from relimit.features.registry import Feature
from relimit.features.series import Series
from relimit.features.stand_in import StandIn, entry_of
from relimit.features.usual import NOW, ROWS, USUAL, place_in_table

MOST_EVENTS: Final = 4_096
"""Up to so many events of a block, to add up along all of them costs less than calls."""

OwnTable = tuple[str, Any]
"""`COUNT` or `SUM`, and of which events that are not all of a kind."""


@dataclass(frozen=True, slots=True)
class Tabled:
    """Some features that are of tables, as places in them.

    Attributes
    ----------
    plain, cells
        Columns, and the place of the cell that each is.
    shares, parts, wholes, divisors
        Columns, the places of the two cells of which each is the share, and `[shares, 1]` what
        the share is divided by.
    own
        The tables of events that are not all of a kind: first the counts, then the sums.
    kinds, lacks
        The kinds whose amounts are looked up, and those of which there must be no events.
    """

    plain: Ints
    cells: Ints
    shares: Ints
    parts: Ints
    wholes: Ints
    divisors: Floats
    own: tuple[OwnTable, ...]
    kinds: tuple[str, ...]
    lacks: tuple[str, ...]

    @classmethod
    def of(cls, features: Sequence[Feature], *, lacking: bool) -> tuple[Self, list[bool]]:
        """Return those of some features that are of tables, and which of the features they aren't.

        Parameters
        ----------
        lacking
            For histories without any event of the kinds that the features ask after.
        """
        stand_in = StandIn(lacking=lacking)
        entries = [entry_of(known, stand_in) for known in features]
        found = cls._of({at: one for at, one in enumerate(entries) if one is not None}, stand_in)
        return found, [one is None for one in entries]

    @classmethod
    def _of(cls, entries: dict[int, Entry], stand_in: StandIn) -> Self:
        cells = [cell for one in entries.values() for cell in (one.part, one.whole) if cell]
        own = {cell[:2]: None for cell in cells if not isinstance(cell.events, str)}
        tables = sorted(own, key=lambda table: table[0] != COUNT)
        plain = {at: one.part for at, one in entries.items() if one.whole is None}
        shares = {at: (one.part, one.whole) for at, one in entries.items() if one.whole}
        return cls(
            plain=np.array([*plain], np.int64),
            cells=_places(tables, plain.values()),
            shares=np.array([*shares], np.int64),
            parts=_places(tables, [part for part, _ in shares.values()]),
            wholes=_places(tables, [whole for _, whole in shares.values()]),
            divisors=np.array([entries[at].divisor for at in shares])[:, np.newaxis],
            own=tuple(tables),
            kinds=tuple(sorted({one.events for one in cells if one.what in {LAST, VARIATION}})),
            lacks=tuple(sorted(stand_in.lacks)),
        )

    def fill(self, columns: Floats, history: History) -> bool:
        """Write these of `[features, snapshots]`; return False if the history doesn't allow it."""
        table = self._table(history)
        if table is None:
            return False
        columns[self.plain] = table.take(self.cells, axis=0)
        parts, wholes = table.take(self.parts, axis=0), table.take(self.wholes, axis=0)
        columns[self.shares] = ratio(parts, wholes) / self.divisors
        return True

    def _table(self, history: History) -> Floats | None:
        """Return `[rows, snapshots]` the tables, all in one; None if something keeps from it."""
        if history.size == 0 or not 0 < len(history.block.kind) <= MOST_EVENTS:
            return None
        if not all(map(history.without, self.lacks)):
            return None
        if any(history.without_amounts[PLACE[kind]] for kind in self.kinds):
            return None
        table = history.usual_kinds.table
        return np.concatenate((table, self._own_table(history))) if self.own else table

    def _own_table(self, history: History) -> Floats:
        """Return `[own x usual, snapshots]` the counts and sums from each usual end on."""
        found = [_series(history, events) for _, events in self.own]
        counted = sum(what == COUNT for what, _ in self.own)
        sizes = [len(series.rows) for series in found]
        numbers = [np.ones(sum(sizes[:counted]), np.int64), *(one.value for one in found[counted:])]
        row = np.concatenate([series.rows for series in found])
        told = np.zeros((len(found), len(history.block.kind) + 1), np.int64)
        told[np.repeat(np.arange(len(found)), sizes), row + 1] = np.concatenate(numbers)
        at = np.add.accumulate(told, axis=1, out=told).take(history.usual_ends, axis=1)
        return (at[:, NOW : NOW + 1] - at).reshape(-1, history.size).astype(np.float64)


def _places(own: list[OwnTable], cells: Iterable[Cell]) -> Ints:
    """Return the row of the tables that each cell is."""
    return np.array([_place(own, cell) for cell in cells], np.int64)


def _place(own: list[OwnTable], cell: Cell) -> int:
    if isinstance(cell.events, str):
        return place_in_table(*cell)
    return ROWS + own.index((cell.what, cell.events)) * len(USUAL) + cell.end


def _series(history: History, events: Any) -> Series:
    if isinstance(events, Found):
        return events.find(history, *events.given)
    return history.series(events)
