"""What a two-way table of log-odds may look like beside the points of its two features.

Each table keeps the directions of both features by itself, as each feature's own points do; so
their sum keeps them, however many tables a feature is in. Nothing is lost along one direction:
what a table would take back of a feature's own steps is left out of those steps instead.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.models.card_fit import Block

Float = NDArray[np.float64]

MOST_LEVELS: Final = 6
"""Ordered levels a side of a table: as many as can still be read at a glance."""


@dataclass(frozen=True, slots=True)
class Side:
    """One feature as a side of tables.

    `levels` intp [bins], the level of each bin: neighbouring intervals share one, the unordered
    bins have one each, after them; `ordered` how many of the former there are; `direction` 1 if
    log-odds may not fall from ordered level to level, -1 if they may not rise, 0 free.
    """

    levels: NDArray[np.intp]
    ordered: int
    direction: int

    @property
    def size(self) -> int:
        """How many levels there are."""
        return int(self.levels[-1]) + 1

    def steps(self) -> list[Float]:
        """Return by ordered step, towards the risk, the levels [size] beyond it; none if free."""
        places = np.arange(self.size)
        if self.direction == 0:
            return []
        sides = (places >= cut if self.direction == 1 else places < cut for cut in self._cuts())
        return [(side & (places < self.ordered)).astype(np.float64) for side in sides]

    def single(self) -> list[Float]:
        """Return by level without a direction its indicator [size]."""
        return list(np.eye(self.size)[self.ordered if self.direction else 0 :])

    def ordered_levels(self) -> NDArray[np.bool_]:
        """Return which levels are ordered, [size]."""
        return np.arange(self.size) < self.ordered

    def _cuts(self) -> range:
        return range(1, self.ordered)


def side_of(log_odds: Float, rows: Float, intervals: int, direction: int) -> Side:
    """Return a feature's bins as the side of a table.

    Of its first `intervals` bins those neighbours are joined that differ least (Ward 1963), until
    `MOST_LEVELS` are left.

    Parameters
    ----------
    log_odds, rows
        [bins], what each adds, and its training rows by weight.

    Examples
    --------
    >>> side_of(np.arange(9.0) ** 2, np.ones(9), 8, 1).levels
    array([0, 0, 0, 1, 2, 3, 4, 5, 6])
    """
    first = list(range(intervals))
    while len(first) > MOST_LEVELS:
        weight = np.add.reduceat(rows[:intervals], first)
        total = np.add.reduceat((rows * log_odds)[:intervals], first)
        gap = np.diff(np.divide(total, weight, out=np.zeros_like(total), where=weight > 0.0))
        both = weight[:-1] + weight[1:]
        shared = np.divide(weight[:-1] * weight[1:], both, out=np.zeros_like(both), where=both > 0)
        del first[int((shared * gap**2).argmin()) + 1]
    starts = np.isin(np.arange(len(log_odds)), [*first, *range(intervals, len(log_odds))])
    return Side(np.cumsum(starts) - 1, len(first), direction)


def table_block(index: NDArray[np.intp], first: Side, second: Side, penalty: float) -> Block:
    """Return the table as a part of a card, its cells row by row, held to 0.

    Where only one side has a direction, it may have steps of its own in each level of the other.
    Where both have, a step is taken by those who are beyond a level of both sides, or of either.
    """
    columns = [(np.outer(a, b), free) for a, b, free in _products(first, second)]
    inside = np.outer(first.ordered_levels(), second.ordered_levels())
    for a in first.steps():
        columns += [(np.maximum.outer(a, b) * inside, False) for b in second.steps()]
    basis = np.column_stack([table.ravel() for table, _ in columns])
    low = np.array([-np.inf if free else 0.0 for _, free in columns])
    none = np.full(len(columns), np.inf)
    return Block(index, basis, np.zeros(len(columns)), low, none, penalty)


def table_of(steps: Float, block: Block, first: Side, second: Side) -> Float:
    """Return the table [first, second] that these steps make, in order to the last bit."""
    table: Float = (block.basis @ steps).reshape(first.size, second.size)
    for side, turned in ((first, table.T), (second, table)):
        if side.direction:
            # A product rounds; a sweep of the feature must not see that.
            towards = turned[:, : side.ordered][:, :: side.direction]
            towards[:] = np.maximum.accumulate(towards, axis=1)
    return table


def _products(first: Side, second: Side) -> Iterator[tuple[Float, Float, bool]]:
    """Give pairs of sides' columns, and whether their product may have any sign."""
    for a in first.single():
        yield from ((a, b, True) for b in second.single())
        yield from ((a, b, False) for b in second.steps())
    for a in first.steps():
        yield from ((a, b, False) for b in [*second.single(), *second.steps()])
