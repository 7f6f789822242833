"""The engine: what was known of each account at each snapshot, by prefix sums and binary search.

An event is visible at a snapshot if and only if `known_at <= as_of`; a trailing window is
`(as_of - w, as_of]` on `known_at`. `Timeline` alone turns that rule into rows; features ask a
`History`, which asks it, and so see nothing beyond. Facts about several events are booked at the
row of the last (`derive`, `part`); the few that compare `known_at` themselves do so for such rows.
"""

import weakref
from collections.abc import Callable, Hashable
from typing import Any, TypeGuard

import numpy as np

from relimit.data.events import EventBlock
from relimit.data.vocabulary import KINDS, MICROSECONDS_PER_DAY, PLACE
from relimit.features.arithmetic import pick, ratio, variation_of_recent
from relimit.features.bits import Bools, Cut, Ints
from relimit.features.ends import AnyWindow, Before, Ends, around, part_of
from relimit.features.kinds import ByKind, Kind
from relimit.features.once import once
from relimit.features.select import Select, Window
from relimit.features.series import Floats, Part, Series
from relimit.features.timeline import Timeline
from relimit.features.usual import (
    DAYS_AGO,
    FEW,
    RECENT,
    USUAL,
    Usual,
    UsualKinds,
    place_of_end,
    places_of_window,
)

__all__ = ["Bools", "Events", "Floats", "History", "Ints", "Select", "Window", "pick"]

Events = str | Select | Series
"""A kind, some events of a kind, or a derived series."""


class History:
    """A block of whole accounts, asked at snapshots; the answer to each is `[snapshots]`.

    What features share is computed once. A snapshot's answer depends on nothing but the visible
    events of its own account.

    Parameters
    ----------
    block
        The events of whole accounts.
    account
        `[snapshots]` int64, places in `block.account_ids`; −1 for an account without events.
    as_of
        `[snapshots]` int64, microseconds since 1970 in UTC; any order, repeats allowed.
    """

    def __init__(self, block: EventBlock, account: Ints, as_of: Ints) -> None:
        self.block = block
        self.account = account
        self.as_of = as_of
        self.size = len(as_of)
        self.few = self.size <= FEW
        self._cuts: dict[Ends, Cut] = {}
        self._series: dict[Events, Series] = {}
        self._amounts: dict[Events, Series] = {}
        self._timeline = Timeline(block, account, as_of)
        self._ranked: dict[Events, Before] = {}
        self._summed: dict[Events, Before] = {}
        self._cache: dict[Hashable, Any] = {}

    def cached(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return what `compute` returned the first time that `key` was asked for; don't write."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

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
            found = self._cuts[ago] = Cut(self._rows[ago]) if known is None else known
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
        return Cut(np.append(self.block.starts[:-1], 0))

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

    def series(self, events: Events) -> Series:
        """Return the block's events of a kind or selection, with their amounts in fen."""
        found = self._series.get(events)
        if found is None:
            found = self._series[events] = self._select(events)
        return found

    @once
    def _by_kind(self) -> ByKind:
        return ByKind(self.block.kind, self.block.amount)

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

    def _tabled(self, events: Events) -> TypeGuard[str]:
        """Return whether the last event of these was looked up with those of all kinds."""
        return self.few and isinstance(events, str) and len(self.block.kind) > 0

    def _tells_amounts(self, events: Events) -> TypeGuard[str]:
        """Return whether the last events' amounts were looked up too."""
        return self._tabled(events) and not self.without_amounts[PLACE[events]]

    def last(self, events: Events, back: int = 0) -> tuple[Ints, Bools]:
        """Return the place of the last visible event (or `back` before it), and if there is one.

        Where there is none the place is 0, or any other that can be looked up.
        """
        first, last = self.span(events)
        return np.maximum(last - (1 + back), 0), last > first + back

    def last_row(self, events: Events) -> Ints:
        """Return the block's row of the last visible event; −1 if there is none."""
        if self._tabled(events):
            rows: Ints = self.usual_kinds.last_row[PLACE[events]]
            return rows
        place, there = self.last(events)
        return pick(self.series(events).rows, place, there, -1)

    def last_amount(self, events: Events, back: int = 0) -> Floats:
        """Return the amount (fen) or value of the last visible event with one; NaN if none has."""
        if self._tells_amounts(events) and back < RECENT:
            amount: Floats = self.usual_kinds.recent[back, PLACE[events]]
            return amount
        found: Floats = self.cached(("last", events, back), lambda: self._last_amount(events, back))
        return found

    def _last_amount(self, events: Events, back: int) -> Floats:
        series = self.amounts(events)
        place, there = self.last(series, back)
        return pick(series.value, place, there, np.nan)

    def amount_before(self, events: Events, ago: int | tuple[int, ...]) -> Floats:
        """Return what `last_amount` would have been `ago` days before each snapshot.

        Several numbers of days give `[ends, snapshots]`.
        """
        if self._tells_amounts(events):
            usual = place_of_end(ago)
            if usual is not None:
                amount: Floats = self.usual_kinds.amounts[PLACE[events]][usual]
                return amount
        series = self.amounts(events)
        ranks = self._ranks(series)
        place = ranks[ago] - 1
        return pick(series.value, place, place >= ranks[None], np.nan)

    def last_value(self, events: str | Select) -> Floats:
        """Return the `value` of the last visible event that has one; NaN if there is none."""
        return self.last_amount(self.values(events))

    def last_ts(self, events: Events, back: int = 0) -> tuple[Ints, Bools]:
        """Return when the last visible event happened (µs), and whether there is one."""
        if back == 0 and self._tabled(events):
            rows = self.usual_kinds.last_row[PLACE[events]]
            there = rows >= 0
        else:
            place, there = self.last(events, back)
            rows = pick(self.series(events).rows, place, there, 0)
        return pick(self.block.ts, rows, there, 0), there

    def since(self, events: Events) -> Floats:
        """Return the days from the last visible event's `ts` to the snapshot; NaN if never."""
        if self._tabled(events):
            since: Floats = self.usual_kinds.since[PLACE[events]]
            return since
        rows = self.series(events).rows
        if len(rows) == 0:
            return np.full(self.size, np.nan)
        place, there = self.last(events)
        ts = self.block.ts.take(rows.take(place, mode="wrap"), mode="wrap")
        return np.where(there, (self.as_of - ts) / MICROSECONDS_PER_DAY, np.nan)

    def recent(self, events: Events, most: int) -> Floats:
        """Return the last `most` visible amounts or values, latest first: `[most, snapshots]`.

        NaN where there are fewer.
        """
        series = self.amounts(events)
        first, last = self.span(series)
        place = last - np.arange(1, most + 1)[:, np.newaxis]
        return pick(series.value, np.maximum(place, 0), place >= first, np.nan)

    def variation(self, events: Events, most: int) -> Floats:
        """Return the coefficient of variation of what `recent` gives; see `variation_of_recent`."""
        if most == RECENT and self._tells_amounts(events):
            found: Floats = self.usual_kinds.variation[PLACE[events]]
            return found
        return variation_of_recent(self.recent(events, most))
