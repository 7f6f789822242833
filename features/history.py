"""The engine: what was known of each account at each snapshot, by prefix sums and binary search.

An event is visible at a snapshot if and only if `known_at <= as_of`; a trailing window is
`(as_of - w, as_of]` on `known_at`. This module is the only one that applies that rule: features
ask a `History`, and so cannot look ahead.
"""

from collections.abc import Callable, Hashable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.events import EventBlock
from relimit.data.vocabulary import KINDS, MICROSECONDS_PER_DAY
from relimit.features.series import Series

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_PLACE: Final = {kind: place for place, kind in enumerate(KINDS)}


@dataclass(frozen=True, slots=True)
class Window:
    """The trailing days `(as_of - ago - days, as_of - ago]`, on `known_at`.

    Examples
    --------
    >>> Window(30), Window(30, ago=60)
    (Window(days=30, ago=0), Window(days=30, ago=60))
    """

    days: int
    ago: int = 0


@dataclass(frozen=True, slots=True)
class Select:
    """Some events of one kind: those with certain details, or with at least a value.

    Attributes
    ----------
    kind
        One of `relimit.data.vocabulary.KINDS`.
    detail
        The `detail`, or several to choose from; None takes any, null too.
    prefix
        The start of `detail`; None takes any, null too.
    at_least
        The smallest `value`; None takes any, null too.
    """

    kind: str
    detail: str | tuple[str, ...] | None = None
    prefix: str | None = None
    at_least: int | None = None

    def takes(self, word: str) -> bool:
        """Return whether events with this detail are chosen."""
        choice = (self.detail,) if isinstance(self.detail, str) else self.detail
        return (choice is None or word in choice) and word.startswith(self.prefix or "")


Events = str | Select | Series
"""A kind, some events of a kind, or a derived series."""


class History:
    """A block of whole accounts, asked at snapshots; the answer to each is `[snapshots]`.

    Answers are cached, so that features share them, and so must not be written to. A snapshot's
    answer depends on nothing but the visible events of its own account.

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
        self._cache: dict[Hashable, Any] = {}

    def cached(self, key: Hashable, compute: Callable[[], Any]) -> Any:
        """Return what `compute` returned the first time that `key` was asked for."""
        if key not in self._cache:
            self._cache[key] = compute()
        return self._cache[key]

    @cached_property
    def start(self) -> Ints:
        """The row at which each snapshot's account begins."""
        known = self.account >= 0
        return np.where(known, self.block.starts[np.where(known, self.account, 0)], 0)

    @cached_property
    def row_start(self) -> Ints:
        """`[events]`: the row at which each event's account begins."""
        starts = self.block.starts
        return np.repeat(starts[:-1], np.diff(starts))

    def end(self, ago: int = 0) -> Ints:
        """Return the row after the last one known `ago` days before each snapshot."""
        found: Ints = self.cached(("end", ago), lambda: self._search(ago * MICROSECONDS_PER_DAY))
        return found

    @cached_property
    def _timeline(self) -> tuple[Ints, Ints | None]:
        """One ascending key per event, account first; the distinct times if they had to be ranked.

        A key of account and microsecond overflows int64 for many accounts over many years; then
        the place among the block's distinct times stands for the time.
        """
        block = self.block
        if len(block.known_at) == 0:
            return np.empty(0, np.int64), None
        accounts = len(block.account_ids)
        first, last = int(block.known_at.min()), int(block.known_at.max())
        index = np.repeat(np.arange(accounts), np.diff(block.starts))
        if (last - first + 2) * (accounts + 1) < 2**62:
            return index * (last - first + 2) + (block.known_at - first + 1), None
        times, rank = np.unique(block.known_at, return_inverse=True)
        return index * (len(times) + 1) + rank + 1, times

    def _search(self, ago: int) -> Ints:
        key, times = self._timeline
        if len(key) == 0:
            return np.zeros(self.size, np.int64)
        moment = self.as_of - ago
        if times is None:
            known_at = self.block.known_at
            first, last = int(known_at.min()), int(known_at.max())
            span, place = last - first + 2, np.clip(moment, first - 1, last) - (first - 1)
        else:
            span, place = len(times) + 1, np.searchsorted(times, moment, side="right")
        rows = np.searchsorted(key, self.account * span + place, side="right")
        return np.where(self.account >= 0, rows, 0)

    def series(self, events: Events) -> Series:
        """Return the block's events of a kind or selection, with their amounts in fen."""
        if isinstance(events, Series):
            return events
        found: Series = self.cached(("series", events), lambda: self._select(events))
        return found

    def _select(self, events: str | Select) -> Series:
        if isinstance(events, str):
            rows = np.flatnonzero(self.block.kind == _PLACE[events])
        else:
            rows = self.series(events.kind).rows
            rows = rows[self._chosen(events, rows)]
        return Series(rows, self.block.amount[rows], len(self.block.kind))

    def _chosen(self, select: Select, rows: Ints) -> Bools:
        block = self.block
        chosen = np.ones(len(rows), np.bool_)
        if select.at_least is not None:
            chosen &= block.has_value[rows] & (block.value[rows] >= select.at_least)
        if select.detail is not None or select.prefix is not None:
            fits = [select.takes(word) for word in block.details]
            chosen &= np.array([*fits, False])[block.detail[rows]]
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

    def amounts(self, events: Events) -> Series:
        """Return the events that have an amount; the same series if all have."""
        series = self.series(events)
        if isinstance(events, Series) or self.block.has_amount[series.rows].all():
            return series
        return self.derive(f"amounts of {events}", lambda: self._amounts(series))

    def _amounts(self, series: Series) -> tuple[Ints, Ints]:
        there = self.block.has_amount[series.rows]
        return series.rows[there], series.value[there]

    def values(self, events: str | Select) -> Series:
        """Return the events that have a `value`, with the value in place of the amount."""
        return self.derive(f"values of {events}", lambda: self._values(events))

    def _values(self, events: str | Select) -> tuple[Ints, Ints]:
        rows = self.series(events).rows
        rows = rows[self.block.has_value[rows]]
        return rows, self.block.value[rows].astype(np.int64)

    def span(self, events: Events, window: Window | None = None) -> tuple[Ints, Ints]:
        """Return the places `first:last` within a series that are visible in a window."""
        series = self.series(events)
        found: tuple[Ints, Ints] = self.cached(
            ("span", series, window), lambda: self._span(series, window)
        )
        return found

    def _span(self, series: Series, window: Window | None) -> tuple[Ints, Ints]:
        if window is None:
            return series.before(self.start), series.before(self.end())
        return (
            series.before(self.end(window.ago + window.days)),
            series.before(self.end(window.ago)),
        )

    def count(self, events: Events, window: Window | None = None) -> Ints:
        """Return how many events are visible in a window; None is ever."""
        first, last = self.span(events, window)
        return last - first

    def sum(self, events: Events, window: Window | None = None) -> Ints:
        """Return the sum of the visible amounts (fen) or values in a window; None is ever."""
        first, last = self.span(events, window)
        total = self.series(events).total
        return total[last] - total[first]

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
        there = last - back > first
        return np.where(there, last - 1 - back, 0), there

    def last_row(self, events: Events) -> Ints:
        """Return the block's row of the last visible event; −1 if there is none."""
        place, there = self.last(events)
        return pick(self.series(events).rows, place, there, -1)

    def last_amount(self, events: Events, back: int = 0) -> Floats:
        """Return the amount (fen) or value of the last visible event with one; NaN if none has."""
        series = self.amounts(events)
        place, there = self.last(series, back)
        return pick(series.value, place, there, np.nan)

    def last_value(self, events: str | Select) -> Floats:
        """Return the `value` of the last visible event that has one; NaN if there is none."""
        return self.last_amount(self.values(events))

    def last_ts(self, events: Events, back: int = 0) -> tuple[Ints, Bools]:
        """Return when the last visible event happened (µs), and whether there is one."""
        place, there = self.last(events, back)
        series = self.series(events)
        rows = pick(series.rows, place, there, 0)
        return pick(self.block.ts, rows, there, 0), there

    def since(self, events: Events) -> Floats:
        """Return the days from the last visible event's `ts` to the snapshot; NaN if never."""
        ts, there = self.last_ts(events)
        return np.where(there, (self.as_of - ts) / MICROSECONDS_PER_DAY, np.nan)

    def recent(self, events: Events, most: int) -> Floats:
        """Return the last `most` visible amounts or values, latest first: `[snapshots, most]`.

        NaN where there are fewer.
        """
        columns = [self.last_amount(events, back) for back in range(most)]
        return np.stack(columns, axis=1)


def pick(source: NDArray[Any], place: Ints, there: Bools, otherwise: Any) -> NDArray[Any]:
    """Return `source[place]` where `there`, else `otherwise`; the source may be empty."""
    if len(source) == 0:
        return np.full(len(place), otherwise)
    return np.where(there, source[place], otherwise)
