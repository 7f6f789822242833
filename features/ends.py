"""Counts and sums of what lies before the ends of windows, each end looked up once."""

from collections.abc import Callable

import numpy as np

from relimit.features.bits import Ints
from relimit.features.select import Window, Windows
from relimit.features.usual import place_of_end

AnyWindow = Window | Windows | None
"""One trailing window, several that end at once, or ever."""


class Before(dict[int | None, Ints]):
    """What lies before each end, by the days that the end lies ago; looked up once asked for.

    Parameters
    ----------
    look_up
        Returns it for one end; None is the account's start.
    usual
        `[usual, snapshots]` for all usual ends, if they were looked up at once.
    """

    def __init__(self, look_up: Callable[[int | None], Ints], usual: Ints | None = None) -> None:
        super().__init__()
        self._look_up = look_up
        self.usual = usual

    def __missing__(self, ago: int | None) -> Ints:
        usual = None if self.usual is None else place_of_end(ago)
        if self.usual is None or usual is None:
            return self.setdefault(ago, self._look_up(ago))
        return self.setdefault(ago, self.usual[usual])


def around(before: Before, window: AnyWindow) -> tuple[Ints, Ints]:
    """Return what lies before the beginning of a window, or of several, and before its end."""
    if window is None:
        return before[None], before[0]
    days, ago = window
    begin = ago + days if isinstance(days, int) else tuple(ago + each for each in days)
    return at(before, begin), before[ago]


def at(before: Before, ago: int | tuple[int, ...]) -> Ints:
    """Return what lies before an end, or `[ends, snapshots]` before several."""
    if isinstance(ago, int):
        return before[ago]
    usual = None if before.usual is None else place_of_end(ago)
    if before.usual is None or usual is None:
        return np.stack([before[each] for each in ago])
    found: Ints = before.usual[usual]
    return found
