"""Counts and sums of what lies before the ends of windows, each end looked up once."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Protocol, Self, TypeVar

import numpy as np

from relimit.features.bits import Ints
from relimit.features.places import Place, as_slice
from relimit.features.select import Window, Windows
from relimit.features.usual import place_of_end

AnyWindow = Window | Windows | None
"""One trailing window, several that end at once, or ever."""

Ends = int | tuple[int, ...] | None
"""How many days ago an end lies, or several; None is the account's start."""


class Parted(Protocol):
    """Rows `[ends, snapshots]` of which some can be had by their places."""

    def __getitem__(self, place: Place, /) -> Self:
        """Return those rows."""


P = TypeVar("P", bound=Parted)


class Before(dict[Ends, Ints]):
    """What lies before each end, by the days that the end lies ago; looked up once asked for.

    Several ends at once come as `[ends, snapshots]`, and are looked up together: a call for each
    would cost as much as its work.

    Parameters
    ----------
    look_up
        Returns it for one end or several.
    usual
        `[usual, snapshots]` for all usual ends, if they were looked up at once.
    """

    def __init__(self, look_up: Callable[[Ends], Ints], usual: Ints | None = None) -> None:
        super().__init__()
        self._look_up = look_up
        self.usual = usual

    def __missing__(self, ago: Ends) -> Ints:
        usual = None if self.usual is None else place_of_end(ago)
        if self.usual is not None and usual is not None:
            return self.setdefault(ago, self.usual[usual])
        return self.setdefault(ago, self._find(ago))

    def _find(self, ago: Ends) -> Ints:
        found = part_of(self, ago)
        if found is not None:
            return found
        if isinstance(ago, tuple) and any(part_of(self, each) is not None for each in ago):
            return np.stack([self[each] for each in ago])
        return self._look_up(ago)


def part_of(known: Mapping[Ends, P], ago: Ends) -> P | None:
    """Return what is known at some ends from what was looked up at those and others, if it was."""
    for whole, found in known.items():
        if isinstance(whole, tuple):
            place = _place_among(ago, whole)
            if place is not None:
                return found[place]
    return None


@lru_cache(1024)
def _place_among(ago: Ends, whole: tuple[int, ...]) -> Place | None:
    """Return the places of some ends among others; None if one is not among them."""
    if not isinstance(ago, tuple):
        return whole.index(ago) if ago in whole else None
    places = [whole.index(each) for each in ago if each in whole]
    return as_slice(places) if len(places) == len(ago) else None


def around(before: Before, window: AnyWindow) -> tuple[Ints, Ints]:
    """Return what lies before the beginning of a window, or of several, and before its end."""
    if window is None:
        return before[None], before[0]
    days, ago = window
    begin = ago + days if isinstance(days, int) else tuple(ago + each for each in days)
    return before[begin], before[ago]
