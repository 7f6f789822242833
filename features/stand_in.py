"""A stand-in for a history: it tells what a feature would look up, before there are any events.

Only what the tables have can be asked of it, and only dividing can be done with its answers. What
a feature does beyond that fails here, and the feature is then asked with each history itself.
"""

from collections.abc import Callable
from typing import Any, Final

import numpy as np

from relimit.data.errors import DataError
from relimit.features.cells import (
    COUNT,
    LAST,
    SINCE,
    SUM,
    VARIATION,
    Asked,
    Cell,
    Entry,
    Found,
    UntabledError,
)
from relimit.features.ends import AnyWindow
from relimit.features.history import History
from relimit.features.registry import Feature
from relimit.features.select import Select, Windows
from relimit.features.series import Series
from relimit.features.usual import NOW, RECENT, USUAL, place_of_end, places_of_window

_EVERY: Final = np.arange(len(USUAL))
_BEYOND: Final = (UntabledError, AttributeError, TypeError, ValueError, DataError)
"""What a function raises that does more with a stand-in than to look up and to divide."""


class StandIn:
    """Answers what a `History` is asked for with the entries of the tables that have it.

    Parameters
    ----------
    lacking
        It stands for histories without any event of the kinds that are asked after.

    Attributes
    ----------
    lacks
        Those kinds.
    """

    def __init__(self, *, lacking: bool) -> None:
        self._lacking = lacking
        self.lacks: set[str] = set()

    def without(self, kind: str) -> bool:
        """Say that there is no event of a kind, and note that it was asked."""
        if not self._lacking:
            raise UntabledError
        self.lacks.add(kind)
        return True

    def found(self, find: Callable[..., Series], *given: Any) -> Found:
        """Name what a function finds."""
        return Found(find, given)

    def values(self, events: str | Select) -> Found:
        """Name the events that have a `value`."""
        return Found(History.values, (events,))

    def count(self, events: Any, window: AnyWindow = None) -> Asked:
        """Return the cells of counts."""
        return _cells(COUNT, events, _begins(window))

    def sum(self, events: Any, window: AnyWindow = None) -> Asked:
        """Return the cells of sums."""
        return _cells(SUM, events, _begins(window))

    def mean(self, events: Any, window: AnyWindow = None) -> Asked:
        """Return the shares of sums by counts, of events that have a number each."""
        if not isinstance(events, Found):
            raise UntabledError
        shares: Asked = self.count(events, window).under(self.sum(events, window))
        return shares

    def since(self, events: Any) -> Asked:
        """Return the cells of days since an event."""
        return _cells(SINCE, events, 0)

    def last_amount(self, events: Any, back: int = 0) -> Asked:
        """Return the cells of last amounts."""
        return _cells(LAST, events, None if back else NOW)

    def amount_before(self, events: Any, ago: int | tuple[int, ...]) -> Asked:
        """Return the cells of last amounts before some ends."""
        return _cells(LAST, events, place_of_end(ago))

    def variation(self, events: Any, most: int) -> Asked:
        """Return the cells of variations."""
        return _cells(VARIATION, events, 0 if most == RECENT else None)

    def at(self, _name: str, compute: Callable[[Any], Any], ago: int | tuple[int, ...]) -> Any:
        """Return what is computed of the cells some days ago."""
        return compute(ago)


def entry_of(feature: Feature, stand_in: StandIn) -> Entry | None:
    """Return what a feature is of the tables; None where it is more than a cell or a share."""
    history: Any = stand_in
    try:
        if feature.together is None:
            found: Any = feature.compute(history)
        else:
            found = feature.together(history, Windows((feature.window or 0,)))
    except _BEYOND:
        return None
    return found.entries[0] if isinstance(found, Asked) and len(found.entries) == 1 else None


def _begins(window: AnyWindow) -> Any:
    """Return the places at which windows begin that end now."""
    begin, end = places_of_window(window) or (None, None)
    return begin if end == NOW else None


def _cells(what: str, events: Any, ends: Any) -> Asked:
    if isinstance(events, Select) and events.takes_any:
        events = events.kind
    if ends is None or not (isinstance(events, str) or what in {COUNT, SUM}):
        raise UntabledError
    places = np.atleast_1d(_EVERY[ends]).tolist()
    return Asked([Entry(Cell(what, events, end)) for end in places])
