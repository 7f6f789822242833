"""Outages, late postings and limits that are due back on a day."""

from dataclasses import dataclass, field

import numpy as np

from relimit.data.segments import places_of
from relimit.data.simulator.calendar import HOUR, Calendar
from relimit.data.simulator.settings import Settings
from relimit.data.simulator.streams import Ints, Keys, Purpose, account_keys, uniform
from relimit.data.vocabulary import MICROSECONDS_PER_DAY

MINUTE = 60_000_000
_SYSTEM = -1
"""The account number that keys the lender's own random numbers."""
_BOOKING_HOUR = 8
_BOOKING_SPAN = HOUR


@dataclass(frozen=True, slots=True)
class Outages:
    """System outages of a world: `[outages]` start and end in microseconds UTC, minutes, day."""

    start: Ints
    end: Ints
    minutes: Ints
    day: Ints

    def covering(self, ts: Ints) -> Ints:
        """Return for each instant the end of the outage that it falls into; 0 if none."""
        end = np.zeros(len(ts), dtype=np.int64)
        for first, last in zip(self.start, self.end, strict=True):
            end[(ts >= first) & (ts < last)] = last
        return end

    def near(self, day: int) -> "Outages":
        """Return those that touch a day."""
        last_day = self.day + self.minutes // (24 * 60) + 1
        rows = np.flatnonzero((self.day <= day) & (day <= last_day))
        return Outages(self.start[rows], self.end[rows], self.minutes[rows], self.day[rows])


def make_outages(settings: Settings, calendar: Calendar, seed: int) -> Outages:
    """Return the outages of a world: about one in two months, Pareto minutes."""
    faults = settings.faults
    key = account_keys(seed, np.array([_SYSTEM]))
    day = np.arange(calendar.days)
    hit = uniform(np.repeat(key, len(day)), 0, Purpose.OUTAGE, day) < faults.outage_daily
    day = day[hit]
    key = np.repeat(key, len(day))
    tail = (2.0 * uniform(key, 0, Purpose.OUTAGE_SIZE, day)) ** (-1.0 / faults.outage_tail)
    minutes = np.minimum(faults.outage_median_minutes * tail, faults.outage_longest_minutes)
    minutes = np.maximum(minutes, faults.outage_shortest_minutes).astype(np.int64)
    within = uniform(key, 0, Purpose.OUTAGE_TIME, day) * MICROSECONDS_PER_DAY
    start = calendar.instant(0) + day * MICROSECONDS_PER_DAY + within.astype(np.int64)
    return Outages(start=start, end=start + minutes * MINUTE, minutes=minutes, day=day)


def booked(calendar: Calendar, key: Keys, day: int, days_late: Ints) -> Ints:
    """Return when late postings are booked: between 8 and 9 o'clock, `days_late` days on."""
    within = (uniform(key, day, Purpose.LATE, days_late) * _BOOKING_SPAN).astype(np.int64)
    return calendar.instant(day) + days_late * MICROSECONDS_PER_DAY + _BOOKING_HOUR * HOUR + within


@dataclass(slots=True)
class Pending:
    """Limit that comes back on a later day: `[rows]` row, day, instant, amount, decision.

    A decision of −1 stands for a scheduled payment that is not booked yet: no event tells of it.
    """

    row: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    day: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    ts: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    amount: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    decision: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))

    def add(self, row: Ints, day: Ints, ts: Ints, amount: Ints, decision: Ints) -> None:
        """Queue amounts."""
        for name, more in (
            ("row", row), ("day", day), ("ts", ts), ("amount", amount), ("decision", decision)
        ):  # fmt: skip
            setattr(self, name, np.concatenate([getattr(self, name), more]))

    def pop(self, day: int) -> "Pending":
        """Remove and return what comes back today."""
        due = self.day == day
        if not due.any():
            return Pending()
        today, rest = self.select(np.flatnonzero(due)), self.select(np.flatnonzero(~due))
        self.row, self.day, self.ts = rest.row, rest.day, rest.ts
        self.amount, self.decision = rest.amount, rest.decision
        return today

    def select(self, places: Ints) -> "Pending":
        """Return some of the queue."""
        return Pending(
            self.row[places], self.day[places], self.ts[places], self.amount[places],
            self.decision[places],
        )  # fmt: skip

    def take(self, rows: Ints) -> "Pending":
        """Return the queue of some accounts under their new places; repeated rows are copied."""
        order = np.argsort(self.row, kind="stable")
        first = np.searchsorted(self.row[order], rows, side="left")
        count = np.searchsorted(self.row[order], rows, side="right") - first
        row, place = places_of(first, count)
        chosen = self.select(order[place])
        chosen.row = row
        return chosen
