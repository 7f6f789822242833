"""The series of a block: its events of a kind, some of these, and series derived from them."""

from collections.abc import Callable, Hashable
from typing import Any

import numpy as np

from relimit.data.events import EventBlock
from relimit.data.vocabulary import KINDS, PLACE
from relimit.features.bits import Bools, Ints
from relimit.features.compiled import Engine
from relimit.features.kinds import ByKind, Kind
from relimit.features.once import once
from relimit.features.select import Select
from relimit.features.series import Part, Series

Events = str | Select | Series
"""A kind, some events of a kind, or a derived series."""


class BlockSeries:
    """The series of a block, each made once somebody asks.

    Parameters
    ----------
    block
        The events of whole accounts.
    engine
        What turns them into numbers.
    """

    def __init__(self, block: EventBlock, engine: Engine) -> None:
        self.block = block
        self._engine = engine
        self._series: dict[Events, Series] = {}
        self._amounts: dict[Events, Series] = {}
        self._cache: dict[Hashable, Any] = {}

    def cached(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return what `compute` returned the first time that `key` was asked for; don't write."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    @once
    def _by_kind(self) -> ByKind:
        return self._engine.by_kind(self.block.kind, self.block.amount)

    def series(self, events: Events) -> Series:
        """Return the block's events of a kind or selection, with their amounts in fen."""
        found = self._series.get(events)
        if found is None:
            found = self._series[events] = self._select(events)
        return found

    def _select(self, events: Events) -> Series:
        if isinstance(events, Series):
            return events
        if isinstance(events, str):
            return Kind(events, self._by_kind)
        whole = self.series(events.kind)
        if events.takes_any:
            return whole
        chosen = events.chosen(self.block, whole.rows)
        return self._nothing if chosen is None else self._part(whole, chosen)

    def _part(self, whole: Series, chosen: Bools, value: Ints | None = None) -> Series:
        return Part(whole, chosen, value) if np.count_nonzero(chosen) else self._nothing

    @once
    def _nothing(self) -> Series:
        """A series without rows, the same for all that have none: what is asked of it is known."""
        none = np.empty(0, np.int64)
        return Series(none, none, len(self.block.kind))

    def without(self, kind: str) -> bool:
        """Return whether the block has no event of a kind."""
        return len(self.series(kind).rows) == 0

    def found(self, find: Callable[..., Series], *given: Any) -> Series:
        """Return the series that a function finds in this history: so can be told which, unseen."""
        return find(self, *given)

    def derive(self, name: str, compute: Callable[[], tuple[Ints, Ints]]) -> Series:
        """Return a series of the caller's own: `compute` gives ascending rows and int64 values.

        A fact about several events belongs to the row of the last of them, or it would be seen
        before it was known.
        """
        size = len(self.block.kind)
        found: Series = self.cached(("derive", name), lambda: Series(*compute(), size))
        return found

    def part(
        self, name: Hashable, of: Events, compute: Callable[[Series], tuple[Bools, Ints]]
    ) -> Series:
        """Return some rows of a series with values of the caller's own: `derive`, but quicker.

        `compute` takes the series and returns `[rows]` which of them, and `[rows]` int64 values,
        of which only those of the chosen rows are looked at.
        """
        key = ("part", name)
        if key not in self._cache:
            whole = self.series(of)
            some = len(whole.rows) > 0
            self._cache[key] = self._part(whole, *compute(whole)) if some else self._nothing
        found: Series = self._cache[key]
        return found

    @once
    def without_amounts(self) -> Bools:
        """`[kinds]`: whether any event of a kind has no amount."""
        if self.block.has_amount.all():
            return np.zeros(len(KINDS), np.bool_)
        kind = self.block.kind[~self.block.has_amount]
        return np.bincount(kind + 1, minlength=len(KINDS) + 1)[1:] > 0

    def amounts(self, events: Events) -> Series:
        """Return the events that have an amount; a derived series has its value instead."""
        found = self._amounts.get(events)
        if found is None:
            found = self.series(events)
            if not isinstance(events, Series):
                kind = events if isinstance(events, str) else events.kind
                if self.without_amounts[PLACE[kind]]:
                    found = self._part(found, self.block.has_amount[found.rows])
            self._amounts[events] = found
        return found

    def values(self, events: str | Select) -> Series:
        """Return the events that have a `value`, with the value in place of the amount."""
        return self.part(("values", events), events, self._values)

    def _values(self, whole: Series) -> tuple[Bools, Ints]:
        block = self.block
        return block.has_value[whole.rows], block.value[whole.rows].astype(np.int64)
