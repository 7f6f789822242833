"""Windows that most features share, answered together where snapshots are few.

A live decision has one snapshot, and there a call costs more than its work. Where snapshots are
many, answering windows that nobody asks for would cost more.
"""

from functools import lru_cache
from typing import Final, NamedTuple, Self

import numpy as np

from relimit.data.vocabulary import MICROSECONDS_PER_DAY, PLACE
from relimit.features.bits import Bools, Ints
from relimit.features.kinds import ByKind, Kind
from relimit.features.once import once
from relimit.features.select import Window, Windows
from relimit.features.series import Floats

FEW: Final = 16
"""Up to this many snapshots, what follows is quicker."""

DAYS: Final = (0, 7, 30, 60, 90, 120, 150, 180, 365)
"""Days before a snapshot that most features look at."""

DAYS_AGO: Final = np.array(DAYS)[:, np.newaxis]
_PLACE: Final = {days: place for place, days in enumerate((None, *DAYS))}


@lru_cache(256)
def place_of_end(ago: int | tuple[int, ...] | None) -> int | list[int] | None:
    """Return the place of an end among the usual ones, or of several; None if one is unusual.

    The first is where the account begins.

    Examples
    --------
    >>> place_of_end(0), place_of_end((7, 30)), place_of_end(45)
    (1, [2, 3], None)
    """
    if not isinstance(ago, tuple):
        return _PLACE.get(ago)
    places = [_PLACE[days] for days in ago if days in _PLACE]
    return places if len(places) == len(ago) else None


@lru_cache(256)
def place_of_window(window: Window | Windows | None) -> int | list[int] | None:
    """Return the place of the end at which a window that ends now begins; None if unusual."""
    if window is None:
        return place_of_end(None)
    return None if window.ago else place_of_end(window.days)


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
    """

    def __init__(self, by_kind: ByKind, ends: Ints) -> None:
        self._by_kind = by_kind
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
    def last_amount(self) -> Floats:
        """`[kinds, snapshots]`: the amount of the last visible event; NaN if there is none."""
        return np.where(self.there, self._by_kind.values.take(self._last), np.nan)

    def recent(self, most: int) -> Floats:
        """Return `[most, kinds, snapshots]` the last visible amounts, the latest first, or NaN."""
        place = self._last - np.arange(most)[:, np.newaxis, np.newaxis]
        amounts = self._by_kind.values.take(place, mode="clip")
        return np.where(place >= self._places[:, 0], amounts, np.nan)

    def since(self, ts: Ints, as_of: Ints) -> Floats:
        """Return `[kinds, snapshots]` the days since the last visible event; NaN if never."""
        days = (as_of - ts.take(self.last_row)) / MICROSECONDS_PER_DAY
        return np.where(self.there, days, np.nan)
