"""Windows that most features share, answered together where snapshots are few.

A live decision has one snapshot, and there a call costs more than its work. Where snapshots are
many, answering windows that nobody asks for would cost more.
"""

from functools import lru_cache
from itertools import takewhile
from typing import Final, NamedTuple, Self

import numpy as np

from relimit.data.vocabulary import KINDS, MICROSECONDS_PER_DAY, PLACE
from relimit.features.arithmetic import variation_of_recent
from relimit.features.bits import Bools, Ints
from relimit.features.cells import COUNT, LAST, SINCE, SUM, VARIATION
from relimit.features.kinds import ByKind, Kind
from relimit.features.once import once
from relimit.features.places import as_slice
from relimit.features.select import Window, Windows
from relimit.features.series import Floats, Series

FEW: Final = 16
"""Up to this many snapshots, what follows is quicker."""

DAYS: Final = (0, 30, 60, 90, 120, 150, 180, 365, 3, 7)
"""Days before a snapshot that most features look at, and policies.

Months come one after another: what is taken of them is then a view, and not copied.
"""

DAYS_AGO: Final = np.array(DAYS)[:, np.newaxis]
USUAL: Final = (None, *DAYS)
"""The usual ends: the account's start, and so many days ago."""

_PLACE: Final = {ago: place for place, ago in enumerate(USUAL)}

RECENT: Final = 6
"""How many of the last events of a kind are told; as many as any feature looks at."""

_BACK: Final = np.arange(RECENT)[:, np.newaxis, np.newaxis]
NOW: Final = _PLACE[0]
"""The place of the end that is the snapshot itself."""

_WIDTHS: Final = {COUNT: len(_PLACE), SUM: len(_PLACE), LAST: len(_PLACE), SINCE: 1, VARIATION: 1}
"""How many rows each kind has in the tables, one table after another."""


@lru_cache(256)
def place_of_end(ago: int | tuple[int | None, ...] | None) -> "int | slice | Ints | None":
    """Return the place of an end among the usual ones, or of several; None if one is unusual.

    The first is where the account begins.

    Examples
    --------
    >>> place_of_end(0), place_of_end((7, 30)), place_of_end((7, 30, 90)), place_of_end(45)
    (1, slice(10, 1, -8), array([10,  2,  4]), None)
    """
    if not isinstance(ago, tuple):
        return _PLACE.get(ago)
    places = [_PLACE[days] for days in ago if days in _PLACE]
    return _index_of(places) if len(places) == len(ago) else None


def _index_of(places: list[int]) -> "slice | Ints":
    """Return what takes these of an array quickest."""
    found = as_slice(places)
    return found if isinstance(found, slice) else np.array(found)


@lru_cache(256)
def places_of_window(
    window: Window | Windows | None,
) -> "tuple[int | slice | Ints, int] | None":
    """Return the places of the ends of a window, or of several; None if one is unusual.

    Examples
    --------
    >>> places_of_window(Window(90)), places_of_window(Window(90, ago=90))
    ((4, 1), (7, 4))
    """
    days, ago = (None, 0) if window is None else window
    if days is None:
        begin = place_of_end(None)
    else:
        begin = place_of_end(
            tuple(ago + each for each in days) if isinstance(days, tuple) else ago + days
        )
    end = _PLACE.get(ago)
    return None if begin is None or end is None else (begin, end)


class Usual(NamedTuple):
    """Whole numbers that add up, told at the usual ends: `[..., usual, snapshots]` each.

    Attributes
    ----------
    before
        What comes between the account's start and the end.
    after
        What comes between the end and the snapshot.
    """

    before: Ints
    after: Ints

    @classmethod
    def of(cls, found: Ints) -> Self:
        """Return it from running totals, of which only differences mean anything."""
        return cls(found - found[..., :1, :], found[..., 1:2, :] - found)

    def within(self, begin: "int | slice | Ints", end: int) -> Ints:
        """Return what comes between two ends, or between several and one."""
        if end == NOW:
            found: Ints = self.after[begin]
            return found
        return np.asarray(self.before[end] - self.before[begin])

    def of_kind(self, kind: str | Kind) -> "Usual":
        """Return one kind's, `[usual, snapshots]`, from those of all kinds."""
        place = PLACE[kind if isinstance(kind, str) else kind.kind]
        return Usual(self.before[place], self.after[place])


class UsualKinds:
    """All kinds at the usual ends.

    Parameters
    ----------
    by_kind
        The block's events by kind.
    ends
        `[usual, snapshots]` rows of the block.
    ts
        `[events]` when each happened, µs.
    as_of
        `[snapshots]` µs.
    """

    def __init__(self, by_kind: ByKind, ends: Ints, ts: Ints, as_of: Ints) -> None:
        self._by_kind = by_kind
        self._ends = ends
        self._ts = ts
        self._as_of = as_of
        self._ranks: dict[Series, Ints] = {}
        self._counts: dict[str | Series, Usual] = {}
        self._sums: dict[str | Series, Usual] = {}
        self._places = by_kind.places(ends)
        self.ranks: Ints = self._places - by_kind.starts[:-1, np.newaxis, np.newaxis]
        self.counts = Usual.of(self.ranks)
        self.sums = Usual.of(by_kind.totals.take(self._places))
        self.there: Bools = self.counts.after[:, 0] > 0
        """`[kinds, snapshots]`: whether an event of the kind is visible."""
        self._last = self._places[:, 1] - 1

    @once
    def last_row(self) -> Ints:
        """`[kinds, snapshots]`: the row of the last visible event; −1 if there is none."""
        return np.where(self.there, self._by_kind.order.take(self._last), -1)

    @once
    def amounts(self) -> Floats:
        """`[kinds, usual, snapshots]`: the amount of the last event before each end; or NaN."""
        amounts = self._by_kind.values.take(self._places - 1, mode="wrap")
        return np.where(self.counts.before > 0, amounts, np.nan)

    @once
    def recent(self) -> Floats:
        """`[RECENT, kinds, snapshots]`: the last visible amounts, the latest first, or NaN."""
        place = self._last - _BACK
        amounts = self._by_kind.values.take(place, mode="clip")
        return np.where(place >= self._places[:, 0], amounts, np.nan)

    @once
    def variation(self) -> Floats:
        """`[kinds, snapshots]`: the coefficient of variation of the last visible amounts."""
        return variation_of_recent(self.recent)

    @once
    def since(self) -> Floats:
        """`[kinds, snapshots]`: the days since the last visible event; NaN if never."""
        days = (self._as_of - self._ts.take(self.last_row)) / MICROSECONDS_PER_DAY
        return np.where(self.there, days, np.nan)

    @once
    def table(self) -> Floats:
        """`[rows, snapshots]`: all that is told of kinds, as `place_in_table` finds it."""
        told = (self.counts.after, self.sums.after, self.amounts, self.since, self.variation)
        return np.concatenate([part.reshape(-1, len(self._as_of)) for part in told])

    def of(self, series: str | Series, *, sums: bool) -> Usual:
        """Return how many events of a kind or series lie around the usual ends, or their sums."""
        known = self._sums if sums else self._counts
        found = known.get(series)
        if found is None:
            found = known[series] = self._of(series, sums=sums)
        return found

    def _of(self, series: str | Series, *, sums: bool) -> Usual:
        if isinstance(series, str | Kind):
            return (self.sums if sums else self.counts).of_kind(series)
        ranks = self.ranks_of(series)
        return Usual.of(series.total.take(ranks) if sums else ranks)

    def ranks_of(self, series: Series) -> Ints:
        """Return `[usual, snapshots]` how many rows of a series come before each usual end."""
        if isinstance(series, Kind):
            ranks: Ints = self.ranks[PLACE[series.kind]]
            return ranks
        found = self._ranks.get(series)
        if found is None:
            found = self._ranks[series] = series.before(self._ends)
        return found


def place_in_table(what: str, kind: str, end: int) -> int:
    """Return the row of `UsualKinds.table` that has a cell: see `Cell`."""
    before = takewhile(lambda other: other != what, _WIDTHS)
    return sum(map(_WIDTHS.__getitem__, before)) * len(KINDS) + PLACE[kind] * _WIDTHS[what] + end


ROWS: Final = sum(_WIDTHS.values()) * len(KINDS)
"""How many rows that table has."""
