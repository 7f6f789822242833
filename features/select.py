"""Which events, and when: what a feature asks a history for."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from itertools import islice, takewhile
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from relimit.data.events import EventBlock
from relimit.features.bits import Bools, Ints


class Window(NamedTuple):
    """The trailing days `(as_of - ago - days, as_of - ago]`, on `known_at`.

    Examples
    --------
    >>> Window(30), Window(30, ago=60)
    (Window(days=30, ago=0), Window(days=30, ago=60))
    """

    days: int
    ago: int = 0


class Windows(NamedTuple):
    """Several windows that end at once; what is asked in them comes as `[windows, snapshots]`."""

    days: tuple[int, ...]
    ago: int = 0


class Select(NamedTuple):
    """Some events of one kind: those with certain details, or with at least a value.

    Attributes
    ----------
    kind
        One of `relimit.data.vocabulary.KINDS`.
    detail
        The `detail`, or several to choose from; None takes any, null too.
    prefix
        The start of `detail`; an empty one takes any but null, None takes null too.
    at_least
        The smallest `value`; None takes any, null too.

    """

    kind: str
    detail: str | tuple[str, ...] | None = None
    prefix: str | None = None
    at_least: int | None = None

    @property
    def takes_any(self) -> bool:
        """Whether it takes every event of its kind."""
        return self[1:] == (None, None, None)

    @property
    def reads_detail(self) -> bool:
        """Whether it chooses by `detail`."""
        return self.detail is not None or self.prefix is not None

    def among(self, words: Sequence[str]) -> list[int]:
        """Return the places of the chosen details among sorted words.

        Found by bisection: a block has a word for each decision that was ever restored.

        Examples
        --------
        >>> Select("draw", prefix="coupon:").among(["coupon:home", "coupon:other", "home"])
        [0, 1]
        >>> Select("draw", detail=("home", "travel")).among(["coupon:home", "home", "other"])
        [1]
        """
        prefix = self.prefix or ""
        if self.detail is None:
            first = bisect_left(words, prefix)
            following = islice(words, first, None)
            return list(range(first, first + sum(1 for _ in takewhile(_begins(prefix), following))))
        if isinstance(self.detail, str):
            choice = [self.detail] if self.detail.startswith(prefix) else []
        else:
            choice = [word for word in {*self.detail} if word.startswith(prefix)]
        return sorted(place for place in places_of(choice, words) if place is not None)

    def chosen(self, block: EventBlock, rows: Ints) -> Bools | None:
        """Return `[rows]` which rows of its kind it takes; None if none, as the details tell."""
        chosen = np.ones(len(rows), np.bool_)
        if self.reads_detail:
            places, known = self.among(block.details), len(block.details)
            if not places:
                return None
            chosen = _is_among(places, block.detail.take(rows), known)
        if self.at_least is not None:
            chosen &= block.has_value.take(rows) & (block.value.take(rows) >= self.at_least)
        return chosen


def places_of(choice: Sequence[str], words: Sequence[str]) -> list[int | None]:
    """Return the place of each of some words among sorted ones; None where it is not there."""
    places = [bisect_left(words, word) for word in choice]
    size = len(words)
    return [
        place if place < size and words[place] == word else None
        for word, place in zip(choice, places, strict=True)
    ]


def _is_among(places: list[int], detail: NDArray[np.int32], known: int) -> Bools:
    """Return whether each detail is one of those at some of the known places."""
    if len(places) == 1:
        return np.asarray(detail == places[0])
    fits = np.zeros(known + 1, np.bool_)  # the last stands for null
    fits[places] = True
    return fits.take(detail)


def _begins(prefix: str) -> Callable[[str], bool]:
    return lambda word: word.startswith(prefix)
