"""How many events of a series lie in windows that end at snapshots, and what they add up to."""

import weakref
from collections.abc import Callable
from typing import Any

import numpy as np

from relimit.data.events import EventBlock
from relimit.features.arithmetic import ratio
from relimit.features.bits import Cut, Ints
from relimit.features.block_series import BlockSeries, Events
from relimit.features.compiled import engine_for
from relimit.features.ends import AnyWindow, Before, Ends, around, part_of
from relimit.features.once import once
from relimit.features.series import Floats, Part, Series
from relimit.features.usual import (
    DAYS_AGO,
    FEW,
    USUAL,
    Usual,
    UsualKinds,
    place_of_end,
    places_of_window,
)


class Windowed(BlockSeries):
    """A block asked about windows that end at snapshots: the answer to each is `[snapshots]`.

    The parameters are those of `History`.
    """

    def __init__(self, block: EventBlock, account: Ints, as_of: Ints) -> None:
        super().__init__(block, engine_for(len(block.kind), len(as_of)))
        self.account = account
        self.as_of = as_of
        self.size = len(as_of)
        self.few = self.size <= FEW
        self._cuts: dict[Ends, Cut] = {}
        self._timeline = self._engine.timeline(block, account, as_of)
        self._ranked: dict[Events, Before] = {}
        self._summed: dict[Events, Before] = {}

    def at(self, name: str, compute: Callable[[Any], Any], ago: int | tuple[int, ...]) -> Any:
        """Return what `compute` finds some days ago, once; few snapshots have all usual days.

        It takes one number of days or several, and returns `[snapshots]` or `[ends, snapshots]`.
        """
        place = place_of_end(ago) if self.few else None
        if place is None:
            return self.cached(("at", name, ago), lambda: compute(ago))
        return self.cached(("at", name), lambda: compute(USUAL))[place]

    @property
    def start(self) -> Ints:
        """The row at which each snapshot's account begins."""
        return self._timeline.start

    @property
    def row_start(self) -> Ints:
        """`[events]`: the row at which each event's account begins."""
        return self._timeline.row_start

    def end(self, ago: int = 0) -> Ints:
        """Return the row after the last one known `ago` days before each snapshot."""
        return self.cut(ago).row

    def cut(self, ago: Ends) -> Cut:
        """Return the ends that lie some days ago; None is the account's start."""
        found = self._cuts.get(ago)
        if found is None:
            known = part_of(self._cuts, ago)
            found = self._cuts[ago] = self._engine.cut(self._rows[ago]) if known is None else known
        return found

    @once
    def _rows(self) -> Before:
        return Before(self._timeline.rows_at, self.usual_ends if self.few else None)

    def _ranks(self, events: Events) -> Before:
        """Return how many of some events come before each end."""
        found = self._ranked.get(events)
        if found is None:
            series = self.series(events)
            if series is events:
                found = self._ranked[series] = self._rank(series)
            else:
                found = self._ranked[events] = self._ranks(series)
        return found

    def _rank(self, series: Series) -> Before:
        if isinstance(series, Part) and not self.few:
            number, whole = series.number, self._ranks(series.whole)
            return Before(lambda ago: number.take(whole[ago], mode="wrap"))
        me = weakref.proxy(self)  # a cycle would keep the block until the collector runs
        usual = self.usual_kinds.ranks_of(series) if self.few else None
        return Before(lambda ago: me.before(series, ago), usual)

    def before(self, series: Series, ago: Ends) -> Ints:
        """Return how many rows of a series come before some ends."""
        if ago is None and len(self._heads.row) < self.size:
            return series.before(self._heads).take(self.account, mode="wrap")
        return series.before(self.cut(ago))

    @once
    def _heads(self) -> Cut:
        """Where the accounts begin, and 0 for those without events, whose place is -1."""
        return self._engine.cut(np.append(self.block.starts[:-1], 0))

    @once
    def usual_ends(self) -> Ints:
        """`[usual, snapshots]`: the account's start, and the ends of the usual days ago."""
        return np.concatenate((self.start[np.newaxis], self._timeline.rows(DAYS_AGO)))

    @once
    def usual_kinds(self) -> UsualKinds:
        """All kinds at the usual ends, where snapshots are few."""
        return UsualKinds(self._by_kind, self.usual_ends, self.block.ts, self.as_of)

    def _usual(self, events: Events, *, sums: bool) -> Usual:
        """Return how many events lie around the usual ends, of few snapshots, or their sums."""
        series = events if isinstance(events, str) else self.series(events)
        return self.usual_kinds.of(series, sums=sums)

    def span(self, events: Events, window: AnyWindow = None) -> tuple[Ints, Ints]:
        """Return the places `first:last` within a series that are visible in a window."""
        ranks = self._ranks(events)
        return around(ranks, window)

    def count(self, events: Events, window: AnyWindow = None) -> Ints:
        """Return how many events are visible in a window; None is ever."""
        places = places_of_window(window) if self.few else None
        if places is not None:
            return self._usual(events, sums=False).within(*places)
        first, last = self.span(events, window)
        return last - first

    def sum(self, events: Events, window: AnyWindow = None) -> Ints:
        """Return the sum of the visible amounts (fen) or values in a window; None is ever."""
        places = places_of_window(window) if self.few else None
        if places is not None:
            return self._usual(events, sums=True).within(*places)
        first, last = around(self._totals(events), window)
        return last - first

    def sum_before(self, events: Events, ago: int | tuple[int, ...] = 0) -> Ints:
        """Return the sum of all amounts (fen) or values that were visible some days ago.

        Several numbers of days give `[ends, snapshots]`.
        """
        place = place_of_end(ago) if self.few else None
        if place is not None:
            return self._usual(events, sums=True).before[place]
        totals = self._totals(events)
        return totals[ago] - totals[None]

    def _totals(self, events: Events) -> Before:
        """Return what the amounts or values before each end add up to."""
        found = self._summed.get(events)
        if found is None:
            ranks, total = self._ranks(events), self.series(events).total
            found = self._summed[events] = Before(lambda ago: total.take(ranks[ago], mode="wrap"))
        return found

    def largest(self, events: Events, window: AnyWindow = None) -> Floats:
        """Return the largest visible amount or value in a window; NaN if there is none."""
        series = self.amounts(events)
        return series.largest(*self.span(series, window))

    def smallest(self, events: Events, window: AnyWindow = None) -> Floats:
        """Return the smallest visible amount or value in a window; NaN if there is none."""
        series = self.amounts(events)
        return series.smallest(*self.span(series, window))

    def mean(self, events: Events, window: AnyWindow = None) -> Floats:
        """Return the mean visible amount or value in a window; NaN if there is none."""
        series = self.amounts(events)
        return ratio(self.sum(series, window), self.count(series, window))
