"""The engine: what was known of each account at each snapshot, by prefix sums and binary search.

An event is visible at a snapshot if and only if `known_at <= as_of`; a trailing window is
`(as_of - w, as_of]` on `known_at`. This module is the only one that applies that rule: features
ask a `History`, and so cannot look ahead.
"""

import weakref
from collections.abc import Callable, Hashable
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.events import EventBlock
from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.features.bits import Bools, Cut, Ints
from relimit.features.kinds import ByKind, Kind
from relimit.features.select import Select, Window
from relimit.features.series import Floats, Series

__all__ = ["Bools", "Events", "Floats", "History", "Ints", "Select", "Window", "pick"]

Events = str | Select | Series
"""A kind, some events of a kind, or a derived series."""

USUAL: Final = (0, 7, 30, 60, 90, 120, 150, 180, 365)
"""Days before a snapshot that most features look at."""

_USUAL_AGO: Final = np.array(USUAL)[:, np.newaxis] * MICROSECONDS_PER_DAY

FEW: Final = 16
"""Up to this many snapshots, all the usual days are looked up at once: calls cost most then."""

_ENDS: Final = (None, *USUAL)


class _Before(dict[int | None, Ints]):
    """What lies before each end, by the days that the end lies ago; looked up once asked for.

    Parameters
    ----------
    look_up
        Returns it for one end; None is the account's start.
    usual
        `[usual, snapshots]` for all usual ends, if they were looked up at once.
    """

    def __init__(self, look_up: Callable[[int | None], Ints], usual: Ints | None = None) -> None:
        super().__init__(() if usual is None else zip(_ENDS, usual, strict=True))
        self._look_up = look_up
        self.usual = usual

    def __missing__(self, ago: int | None) -> Ints:
        found = self[ago] = self._look_up(ago)
        return found


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
        self._cuts: dict[int | None, Cut] = {}
        self._series: dict[Events, Series] = {}
        self._amounts: dict[Events, Series] = {}
        self._counted: dict[Events, _Before] = {}
        self._summed: dict[Events, _Before] = {}
        self._cache: dict[Hashable, Any] = {}

    def cached(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return what `compute` returned the first time that `key` was asked for; don't write."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    @cached_property
    def start(self) -> Ints:
        """The row at which each snapshot's account begins."""
        if len(self.block.account_ids) == 0:
            return np.zeros(self.size, np.int64)
        return np.where(self.account >= 0, self.block.starts[self.account], 0)

    @cached_property
    def row_start(self) -> Ints:
        """`[events]`: the row at which each event's account begins."""
        starts = self.block.starts
        return np.repeat(starts[:-1], np.diff(starts))

    def end(self, ago: int = 0) -> Ints:
        """Return the row after the last one known `ago` days before each snapshot."""
        return self.cut(ago).row

    @cached_property
    def _timeline(self) -> tuple[Ints, int, int, Ints | None]:
        """One ascending key per event, account first; the first time, how many there may be.

        A key of account and microsecond overflows int64 for many accounts over many years; then
        the place among the block's distinct times, which come last, stands for the time.
        """
        block = self.block
        accounts = len(block.account_ids)
        length = np.diff(block.starts)
        first, last = int(block.known_at.min()), int(block.known_at.max())
        span = last - first + 2
        if span * (accounts + 1) < 2**62:
            key = np.repeat(np.arange(accounts) * span - (first - 1), length)
            key += block.known_at
            return key, first - 1, span, None
        times, rank = np.unique(block.known_at, return_inverse=True)
        index = np.repeat(np.arange(accounts), length)
        return index * (len(times) + 1) + rank + 1, 0, len(times) + 1, times

    def _search(self, ago: int | Ints) -> Ints:
        if len(self.block.known_at) == 0:
            return np.zeros(np.broadcast_shapes(np.shape(ago), self.as_of.shape), np.int64)
        key, first, span, times = self._timeline
        moment: Ints = self.as_of - ago
        if times is None:
            place = np.minimum(np.maximum(moment - first, 0), span - 1)
        else:
            place = np.searchsorted(times, moment, side="right")
        rows = np.searchsorted(key, self.account * span + place, side="right")
        return np.where(self.account >= 0, rows, 0)

    def cut(self, ago: int | None) -> Cut:
        """Return the ends that lie some days ago; None is the account's start."""
        found = self._cuts.get(ago)
        if found is None:
            row = self.start if ago is None else self._search(ago * MICROSECONDS_PER_DAY)
            found = self._cuts[ago] = Cut(row)
        return found

    @cached_property
    def _usual_ends(self) -> Ints:
        """`[usual, snapshots]`: the account's start, and the ends of the usual days ago."""
        return np.concatenate((self.start[np.newaxis], self._search(_USUAL_AGO)))

    def _ranks(self, events: Events) -> _Before:
        """Return how many of some events come before each end."""
        found = self._counted.get(events)
        if found is None:
            series = self.series(events)
            few = self.size <= FEW
            usual = series.rows.searchsorted(self._usual_ends) if few else None
            me = weakref.proxy(self)  # a cycle would keep the block until the collector runs
            found = _Before(lambda ago: series.before(me.cut(ago)), usual)
            self._counted[events] = self._counted[series] = found
        return found

    def _sums(self, events: Events) -> _Before:
        """Return what the amounts or values before each end add up to."""
        found = self._summed.get(events)
        if found is None:
            series = self.series(events)
            ranks, total = self._ranks(series), series.total
            usual = None if ranks.usual is None else total[ranks.usual]
            found = _Before(lambda ago: total[ranks[ago]], usual)
            self._summed[events] = self._summed[series] = found
        return found

    def series(self, events: Events) -> Series:
        """Return the block's events of a kind or selection, with their amounts in fen."""
        found = self._series.get(events)
        if found is None:
            found = self._series[events] = self._select(events)
        return found

    @cached_property
    def _by_kind(self) -> ByKind:
        return ByKind(self.block.kind)

    def _select(self, events: Events) -> Series:
        if isinstance(events, Series):
            return events
        if isinstance(events, str):
            return Kind(events, self._by_kind, self.block.amount)
        whole = self.series(events.kind)
        return _part_of(whole, self._chosen(events, whole.rows))

    def _chosen(self, select: Select, rows: Ints) -> Bools:
        block = self.block
        chosen = np.ones(len(rows), np.bool_)
        if select.at_least is not None:
            chosen &= block.has_value[rows] & (block.value[rows] >= select.at_least)
        if select.detail is not None or select.prefix is not None:
            fits = np.zeros(len(block.details) + 1, np.bool_)  # the last stands for null
            fits[select.among(block.details)] = True
            chosen &= fits[block.detail[rows]]
        return chosen

    def derive(self, name: str, compute: Callable[[], tuple[Ints, Ints]]) -> Series:
        """Return a series of the caller's own: `compute` gives ascending rows and int64 values.

        A fact about several events belongs to the row of the last of them, or it would be seen
        before it was known.
        """
        found: Series = self.cached(
            ("derive", name), lambda: Series(*compute(), len(self.block.kind))
        )
        return found

    def part(
        self, name: str, of: Events, compute: Callable[[Series], tuple[Bools, Ints]]
    ) -> Series:
        """Return some rows of a series with values of the caller's own: `derive`, but quicker.

        `compute` takes the series and returns `[rows]` which of them, and `[rows]` int64 values,
        of which only those of the chosen rows are looked at.
        """
        key = ("part", name)
        if key not in self._cache:
            whole = self.series(of)
            self._cache[key] = _part_of(whole, *compute(whole))
        found: Series = self._cache[key]
        return found

    @cached_property
    def _all_have_amounts(self) -> bool:
        return bool(self.block.has_amount.all())

    def amounts(self, events: Events) -> Series:
        """Return the events that have an amount; a derived series has its value instead."""
        found = self._amounts.get(events)
        if found is None:
            found = self.series(events)
            if not isinstance(events, Series) and not self._all_have_amounts:
                there = self.block.has_amount[found.rows]
                found = found if there.all() else _part_of(found, there)
            self._amounts[events] = found
        return found

    def values(self, events: str | Select) -> Series:
        """Return the events that have a `value`, with the value in place of the amount."""
        return self.part(f"values of {events}", events, self._values)

    def _values(self, whole: Series) -> tuple[Bools, Ints]:
        block = self.block
        return block.has_value[whole.rows], block.value[whole.rows].astype(np.int64)

    def span(self, events: Events, window: Window | None = None) -> tuple[Ints, Ints]:
        """Return the places `first:last` within a series that are visible in a window."""
        ranks = self._ranks(events)
        first, last = _bounds(window)
        return ranks[first], ranks[last]

    def count(self, events: Events, window: Window | None = None) -> Ints:
        """Return how many events are visible in a window; None is ever."""
        first, last = self.span(events, window)
        return last - first

    def sum(self, events: Events, window: Window | None = None) -> Ints:
        """Return the sum of the visible amounts (fen) or values in a window; None is ever."""
        sums = self._sums(events)
        first, last = _bounds(window)
        return sums[last] - sums[first]

    def sum_before(self, events: Events, ago: int = 0) -> Ints:
        """Return the sum of all amounts (fen) or values that were visible some days ago."""
        sums = self._sums(events)
        return sums[ago] - sums[None]

    def largest(self, events: Events, window: Window | None = None) -> Floats:
        """Return the largest visible amount or value in a window; NaN if there is none."""
        series = self.amounts(events)
        return series.largest(*self.span(series, window))

    def smallest(self, events: Events, window: Window | None = None) -> Floats:
        """Return the smallest visible amount or value in a window; NaN if there is none."""
        series = self.amounts(events)
        return series.smallest(*self.span(series, window))

    def mean(self, events: Events, window: Window | None = None) -> Floats:
        """Return the mean visible amount or value in a window; NaN if there is none."""
        series = self.amounts(events)
        count = self.count(series, window)
        result: Floats = np.full(self.size, np.nan)
        np.divide(self.sum(series, window), count, out=result, where=count > 0)
        return result

    def last(self, events: Events, back: int = 0) -> tuple[Ints, Bools]:
        """Return the place of the last visible event (or `back` before it), and if there is one.

        Where there is none the place is 0, or any other that can be looked up.
        """
        first, last = self.span(events)
        there = last > first + back
        return np.where(there, last - (1 + back), 0), there

    def last_row(self, events: Events) -> Ints:
        """Return the block's row of the last visible event; −1 if there is none."""
        place, there = self.last(events)
        return pick(self.series(events).rows, place, there, -1)

    def last_amount(self, events: Events, back: int = 0) -> Floats:
        """Return the amount (fen) or value of the last visible event with one; NaN if none has."""
        series = self.amounts(events)
        place, there = self.last(series, back)
        return pick(series.value, place, there, np.nan)

    def amount_before(self, events: Events, ago: int) -> Floats:
        """Return what `last_amount` would have been `ago` days before each snapshot."""
        series = self.amounts(events)
        ranks = self._ranks(series)
        place = ranks[ago] - 1
        return pick(series.value, place, place >= ranks[None], np.nan)

    def last_value(self, events: str | Select) -> Floats:
        """Return the `value` of the last visible event that has one; NaN if there is none."""
        return self.last_amount(self.values(events))

    def last_ts(self, events: Events, back: int = 0) -> tuple[Ints, Bools]:
        """Return when the last visible event happened (µs), and whether there is one."""
        place, there = self.last(events, back)
        rows = pick(self.series(events).rows, place, there, 0)
        return pick(self.block.ts, rows, there, 0), there

    def since(self, events: Events) -> Floats:
        """Return the days from the last visible event's `ts` to the snapshot; NaN if never."""
        ts, there = self.last_ts(events)
        return np.where(there, (self.as_of - ts) / MICROSECONDS_PER_DAY, np.nan)

    def recent(self, events: Events, most: int) -> Floats:
        """Return the last `most` visible amounts or values, latest first: `[most, snapshots]`.

        NaN where there are fewer.
        """
        series = self.amounts(events)
        first, last = self.span(series)
        place = last - np.arange(1, most + 1)[:, np.newaxis]
        return pick(series.value, np.maximum(place, 0), place >= first, np.nan)


def _bounds(window: Window | None) -> tuple[int | None, int]:
    """Return how many days ago a window begins, None for the account's start, and ends."""
    if window is None:
        return None, 0
    days, ago = window
    return ago + days, ago


def pick(source: NDArray[Any], place: Ints, there: Bools, otherwise: Any) -> NDArray[Any]:
    """Return `source[place]` where `there`, else `otherwise`; the source may be empty."""
    if len(source) == 0:
        return np.full(place.shape, otherwise)
    return np.where(there, source[place], otherwise)


def _part_of(whole: Series, part: Bools, value: Ints | None = None) -> Series:
    values = whole.value if value is None else value
    return Series(whole.rows[part], values[part], whole.size)
