"""Kinds of events that fall silent: a month or more without any, where that can't be chance."""

from dataclasses import dataclass
from math import log
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import KINDS, MICROSECONDS_PER_DAY

Counts = NDArray[np.int64]
Days = NDArray[np.int64]

SILENT_DAYS: Final = 28
"""The shortest silence that is told: as long as the shortest month."""

MONTHS_BEFORE: Final = 6
MUCH_LONGER: Final = 1.5
"""How many times as long as any of the months before: a monthly run is silent for 30 days each
time, and for a week more where it waits for the end of holidays."""

ALIKE: Final = 1.3
"""How many times the shortest of the six months' longest silences the longest one may be where
events are said to come regularly; of random bursts, one history of years in a thousand seems to."""

LEAST_BURSTS: Final = -log(1e-6)
"""Of so many bursts a month (13.8), Poisson's probability of none in a whole month is 1e-6."""


@dataclass(frozen=True, slots=True)
class Silence:
    """A stretch of days without an event of a kind, that had them in each month before it.

    Attributes
    ----------
    kind
        Its place in `KINDS`; None if there was no event of any kind.
    begins, ends
        The first and the last silent day, counted from 1970 in UTC.
    before
        How many events each of the `MONTHS_BEFORE` calendar months before had.
    over
        Whether events of the kind came again afterwards.
    """

    kind: int | None
    begins: int
    ends: int
    before: tuple[int, ...]
    over: bool

    @property
    def days(self) -> int:
        """How many days it lasted."""
        return self.ends - self.begins + 1


def find_silences(counts: Counts, told: NDArray[np.bool_], end: int) -> list[Silence]:
    """Return the silences of all kinds together and, beyond those, of each kind.

    A silence has at least `SILENT_DAYS` days and `MUCH_LONGER` times as many as any in the six
    whole calendar months before. Each of these has events of the kind, and bursts of them are so
    many that none in a month could not be chance.

    Poisson's probability of no event is of what happens independently, and events of one cause come
    together: an outage touches many accounts. So days with any are counted, not events. Where they
    come on few days but regularly, as interest that is charged monthly, bursts are the months'
    squared mean over their variance.

    Parameters
    ----------
    counts
        `[days, kinds + 1]` how many events happened on each day since 1970; the first column has
        those of unknown kinds.
    told
        Like `counts`: whether any became known on a day. A kind that the lender learns of late is
        not silent while news of it comes in.
    end
        The last day that the events cover.
    """
    active = (counts > 0) | told
    every, days = counts.sum(axis=1), np.flatnonzero(active.any(axis=1))
    if len(days) == 0:
        return []
    first = int(days[0])
    found = _silences(None, every, days, first, end)
    nothing = np.zeros(len(counts) + 1, bool)
    for silence in found:
        nothing[silence.begins : silence.ends + 1] = True
    for place in range(len(KINDS)):
        own = np.flatnonzero(active[:, place + 1])
        for silence in _silences(place, counts[:, place + 1], own, first, end):
            quiet = int(np.count_nonzero(nothing[silence.begins : silence.ends + 1]))
            if silence.days - quiet >= SILENT_DAYS:
                found.append(silence)
    return found


def _silences(kind: int | None, counts: Counts, days: Days, first: int, end: int) -> list[Silence]:
    """Return the silences between `[n]` ascending days that have events, and up to the end."""
    days = days[days <= end]
    stops = np.append(days[1:], end + 1)
    found = []
    for place in np.flatnonzero(stops - days > SILENT_DAYS):
        begins = int(days[place]) + 1
        months = _months_before(begins)
        if months[0] < first:
            continue
        before = np.add.reduceat(counts[: months[-1]], months[:-1])
        if before.all() and _is_no_chance(stops[place] - begins, before, days[: place + 1], months):
            ends, over = int(stops[place]) - 1, int(place) < len(days) - 1
            found.append(Silence(kind, begins, ends, tuple(before.tolist()), over))
    return found


def _is_no_chance(silent_days: int, before: Counts, days: Days, months: Days) -> bool:
    """Return whether so long a silence is unlike the months before it, on their `days`."""
    longest = _longest_silences(days, months)
    own = days[(days >= months[0]) & (days < months[-1])]
    bursts = len(own) / MONTHS_BEFORE
    if longest[:-1].max() <= ALIKE * longest[:-1].min():
        bursts = max(bursts, _alike(before))
    return bool(silent_days >= MUCH_LONGER * longest.max() and bursts >= LEAST_BURSTS)


def _longest_silences(days: Days, months: Days) -> Days:
    """Return the longest silence that ended in each of the six months, and since."""
    days = days[max(0, int(np.searchsorted(days, months[0])) - 1) :]
    silences = np.diff(days, prepend=min(int(days[0]), int(months[0])) - 1) - 1
    month = np.searchsorted(months, days, side="right") - 1
    longest = np.zeros(len(months), np.int64)
    inside = month >= 0
    np.maximum.at(longest, month[inside], silences[inside])
    return longest


def _alike(before: Counts) -> float:
    """Return the months' squared mean over their variance, which is at least Poisson's.

    It is taken from month to month, so that growth isn't variance (von Neumann 1941).
    """
    mean, changes = float(before.mean()), np.diff(before)
    return mean * mean / max(mean, float(changes @ changes) / (2 * len(changes)))


def _months_before(day: int) -> Days:
    """Return on which days the six calendar months before a day's begin, and its own."""
    month = np.datetime64(day, "D").astype("datetime64[M]")
    return np.arange(month - MONTHS_BEFORE, month + 1).astype("datetime64[D]").astype(np.int64)


class DailyCounts:
    """Counts the events of each kind and day, batch after batch, in whatever order they come.

    It holds a number a kind for each day from 1970 to the latest possible: 3 MB.

    Parameters
    ----------
    latest
        Microseconds since 1970; events after it are left out, as are those without a time.
    """

    def __init__(self, latest: int) -> None:
        self._latest = latest
        self._counts = np.zeros((latest // MICROSECONDS_PER_DAY + 1, len(KINDS) + 1), np.int64)
        self._told = np.zeros(self._counts.shape, bool)
        self._end = -1

    def see(
        self,
        ts: NDArray[np.int64],
        known_at: NDArray[np.int64],
        kind: NDArray[np.int8],
        absent: NDArray[np.bool_],
    ) -> None:
        """Count a batch.

        Parameters
        ----------
        ts, known_at
            `[n]` microseconds since 1970.
        kind
            `[n]` the place in `KINDS`, −1 where it is unknown.
        absent
            `[n]` whether there is no `ts`.
        """
        strange = (
            absent | (np.minimum(ts, known_at) < 0) | (np.maximum(ts, known_at) > self._latest)
        )
        if strange.any():
            ts, known_at, kind = ts[~strange], known_at[~strange], kind[~strange]
        if len(ts) == 0:
            return
        happened, known = ts // MICROSECONDS_PER_DAY, known_at // MICROSECONDS_PER_DAY
        self._end = max(self._end, int(known.max()))
        late = np.flatnonzero(known != happened)
        self._told[known[late], kind[late] + 1] = True
        width = self._counts.shape[1]
        low = int(happened.min())
        more = np.bincount((happened - low) * width + (kind + 1))
        self._counts.reshape(-1)[low * width : low * width + len(more)] += more

    def silences(self, ends: int | None) -> list[Silence]:
        """Return what `find_silences` finds up to the last event known, or until the book ends.

        Parameters
        ----------
        ends
            Microseconds since 1970, if something says when the book ends.
        """
        told = -1 if ends is None else min(ends - 1, self._latest) // MICROSECONDS_PER_DAY
        return find_silences(self._counts, self._told, max(self._end, told))
