"""The engine: what was known of each account at each snapshot, by prefix sums and binary search.

An event is visible at a snapshot if and only if `known_at <= as_of`; a trailing window is
`(as_of - w, as_of]` on `known_at`. `Timeline` alone turns that rule into rows; features ask a
`History`, which asks it, and so see nothing beyond. Facts about several events are booked at the
row of the last (`derive`, `part`); the few that compare `known_at` themselves do so for such rows.
"""

from typing import TypeGuard

import numpy as np

from relimit.data.vocabulary import MICROSECONDS_PER_DAY, PLACE
from relimit.features.arithmetic import pick, variation_of_recent
from relimit.features.bits import Bools, Ints
from relimit.features.block_series import Events
from relimit.features.select import Select, Window
from relimit.features.series import Floats
from relimit.features.usual import RECENT, place_of_end
from relimit.features.windowed import Windowed

__all__ = ["Bools", "Events", "Floats", "History", "Ints", "Select", "Window", "pick"]


class History(Windowed):
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
