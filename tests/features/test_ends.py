"""Ends of windows: what is known at some is not looked up again, however it is asked for."""

from collections.abc import Iterable

import numpy as np
import pytest

from relimit.features.bits import Cut, words_of
from relimit.features.ends import Before, Ends, around
from relimit.features.select import Window, Windows

SIZE = 4


def one(ago: int | None) -> list[int]:
    return [1_000 * (ago or 0) + place for place in range(SIZE)]


def several(ago: Iterable[int]) -> list[list[int]]:
    return [one(each) for each in ago]


class Asked:
    """Remembers which ends were looked up."""

    def __init__(self) -> None:
        self.ends: list[Ends] = []

    def __call__(self, ago: Ends) -> np.ndarray:
        self.ends.append(ago)
        return np.array(several(ago) if isinstance(ago, tuple) else one(ago))


@pytest.mark.parametrize(
    "ago", [30, (7,), (7, 30), (30, 90), (7, 90), (90, 7), (7, 30, 90), (30, 30)]
)
def test_ends_among_those_looked_up_together_are_not_looked_up_again(ago: Ends) -> None:
    asked = Asked()
    before = Before(asked)
    assert before[7, 30, 90].tolist() == several((7, 30, 90))
    found = before[ago]
    assert found.tolist() == (several(ago) if isinstance(ago, tuple) else one(ago))
    assert before[ago] is found
    assert asked.ends == [(7, 30, 90)]


def test_ends_that_lie_evenly_among_others_are_not_copied() -> None:
    before = Before(Asked())
    whole = before[7, 30, 90]
    for ago in ((30, 90), (7, 90), 30):
        assert np.shares_memory(before[ago], whole)


def test_only_the_ends_still_unknown_are_looked_up() -> None:
    asked = Asked()
    before = Before(asked)
    assert before[7, 30].tolist() == several((7, 30))
    assert before[0, 7, 60].tolist() == several((0, 7, 60))
    assert asked.ends == [(7, 30), 0, 60]


def test_windows_begin_and_end_where_they_say() -> None:
    first, last = around(Before(Asked()), Windows((30, 90), ago=7))
    assert first.tolist() == several((37, 97))
    assert last.tolist() == one(7)
    first, last = around(Before(Asked()), Window(30, ago=7))
    assert (first.tolist(), last.tolist()) == (one(37), one(7))
    first, last = around(Before(Asked()), None)
    assert (first.tolist(), last.tolist()) == (one(None), one(0))


@pytest.mark.parametrize("place", [0, slice(1, 3), slice(0, 3, 2), [2, 0]])
def test_a_part_of_several_cuts_counts_as_they_do(place: int | slice | list[int]) -> None:
    rng = np.random.default_rng(0)
    chosen = rng.random(320) < 0.4
    row = rng.integers(0, 301, (3, 50))
    expected = np.concatenate(([0], np.cumsum(chosen)))[row[place]]
    part = Cut(row)[place]
    assert part.row.tolist() == row[place].tolist()
    assert part.count(words_of(chosen)).tolist() == expected.tolist()
