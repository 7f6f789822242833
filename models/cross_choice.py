"""Which pairs of a card's features say something together that neither says alone.

Pairs are ranked by what a two-way table of the additive card's residuals saves of the log-loss
(FAST: Lou, Caruana, Gehrke & Hooker 2013), on rows that neither that card nor the table has seen.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import expit

from relimit.models.card_fit import Block, fit_blocks
from relimit.models.cross_shape import Side

Float = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]
Pair = tuple[int, int]

FOLDS: Final = 5
LEAST_GAIN: Final = 2.5
"""Standard errors. The best of an additive book's pairs, which are hundreds, rarely has more."""
LEAST_OUTCOMES: Final = 100
"""Bads, and goods, to learn from beside each fold: with fewer no pair is looked for."""
RANKED_ROWS: Final = 50_000
"""At most about so many rows are looked at: what takes more to be seen is worth no table."""


@dataclass(frozen=True, slots=True)
class Additive:
    """An additive card to be fitted, as `fit_blocks` takes it: a block a feature, over [n] rows."""

    blocks: Sequence[Block]
    intercept: float
    bad: Bools
    weight: Float

    def take(self, rows: Places) -> "Additive":
        """Return the same of some rows."""
        blocks = [replace(one, index=one.index[rows]) for one in self.blocks]
        return Additive(blocks, self.intercept, self.bad[rows], self.weight[rows])

    def log_odds(self, learnt: Bools) -> Float:
        """Return the log-odds of all rows [n] by the card of those that are learnt from."""
        mine = self.take(np.flatnonzero(learnt))
        steps, intercept = fit_blocks(mine.blocks, mine.intercept, mine.bad, mine.weight)
        total = np.full(len(self.bad), intercept)
        for block, piece in zip(self.blocks, steps, strict=True):
            total += (block.basis @ piece)[block.index]
        return total


def choose_pairs(
    card: Additive,
    sides: Mapping[int, Side],
    *,
    penalty: float,
    most: int,
    groups: ArrayLike | None = None,
) -> list[Pair]:
    """Return pairs of features by their places on the card, the most telling first.

    Each is the one that saves most on the held-out folds beside those before it. The first that
    saves less than `LEAST_GAIN` standard errors ends the search.

    Parameters
    ----------
    card
        What the features say by themselves.
    sides
        By place on the card, of the features that may be in pairs.
    penalty
        Shrinks every cell of a table, as information of so much at 0 would.
    most
        How many pairs at most.
    groups
        [n], the group of each row: none is parted between folds, and the standard error counts
        rows that go together as they do, so that they don't confirm each other. None: each row by
        itself.
    """
    if most < 1 or len(sides) < 2:
        return []
    group = np.unique(np.arange(len(card.bad)) if groups is None else groups, return_inverse=True)[
        1
    ]
    fold = _folds(group)
    kept = np.flatnonzero(fold >= 0)
    card, fold, group = card.take(kept), fold[kept], group[kept]
    for held in range(FOLDS):
        bads = card.bad[fold != held]
        if min(bads.sum(), (~bads).sum()) < LEAST_OUTCOMES:
            return []
    search = _Search.begin(card, sides, fold, group, penalty)
    found: list[Pair] = []
    while len(found) < most and (pair := search.take_best(found)):
        found.append(pair)
    places = list(sides)
    return [(places[first], places[second]) for first, second in found]


def _folds(group: Places) -> Places:
    """Return the fold of each row [n], drawn by group; -1 for those beyond `RANKED_ROWS`."""
    count = int(group.max()) + 1
    drawn = np.random.default_rng(0).permutation(count)[group]
    return np.where(drawn * len(group) < count * RANKED_ROWS, drawn % FOLDS, -1)


@dataclass(frozen=True, slots=True)
class _Search:
    """The rows with their levels, and what each fold's card and tables say of all of them.

    `one_hot` float32 [n, levels], 1 where a row is in a level; `firsts` [sides + 1], where each
    side's levels begin; `log_odds` [FOLDS, n], to which the tables taken are added; `clustering`,
    how many times the variance of independent rows a sum over them has.
    """

    card: Additive
    fold: Places
    levels: Places
    one_hot: NDArray[np.float32]
    firsts: Places
    penalty: float
    log_odds: Float
    clustering: float

    @classmethod
    def begin(
        cls,
        card: Additive,
        sides: Mapping[int, Side],
        fold: Places,
        group: Places,
        penalty: float,
    ) -> "_Search":
        levels = np.column_stack(
            [side.levels[card.blocks[place].index] for place, side in sides.items()]
        )
        firsts = np.cumsum([0, *(side.size for side in sides.values())], dtype=np.intp)
        one_hot = np.zeros((len(levels), firsts[-1]), dtype=np.float32)
        np.put_along_axis(one_hot, levels + firsts[:-1], 1.0, axis=1)
        log_odds = np.array([card.log_odds(fold != held) for held in range(FOLDS)])
        held_out = log_odds[fold, np.arange(len(fold))]
        residual = card.weight * (card.bad - expit(held_out))
        together = float(np.square(np.bincount(group, residual)).sum())
        clustering = max(1.0, together / float(residual @ residual))
        return cls(card, fold, levels, one_hot, firsts, penalty, log_odds, clustering)

    def take_best(self, taken: Sequence[Pair]) -> Pair | None:
        """Return the pair that saves most and let its tables speak; None if that may be chance."""
        tables = [self._tables(held) for held in range(FOLDS)]
        gain, variance = (self._by_pair(one) for one in self._savings(tables))
        for pair in taken:
            gain[pair] = 0.0
        first, second = (
            int(side) for side in np.unravel_index(np.triu(gain, 1).argmax(), gain.shape)
        )
        error = float(np.sqrt(self.clustering * variance[first, second]))
        if first >= second or gain[first, second] <= LEAST_GAIN * error:
            return None
        rows, columns = (slice(*self.firsts[side : side + 2]) for side in (first, second))
        for held, table in enumerate(tables):
            cells = table[rows, columns]
            self.log_odds[held] += cells[self.levels[:, first], self.levels[:, second]]
        return first, second

    def _tables(self, held: int) -> Float:
        """Return all pairs' tables, [levels, levels], of the rows outside one fold."""
        learnt = self.fold != held
        residual, information = (self._gram(learnt, one) for one in self._slopes(held))
        return residual / (information + self.penalty)

    def _savings(self, tables: Sequence[Float]) -> tuple[Float, Float]:
        """Return by pair of levels what its cell saves of the held-out log-loss, and its variance.

        The saving is to the second order: tables that are shrunk are no long step.
        """
        gain, variance = np.zeros((2, self.firsts[-1], self.firsts[-1]))
        for held, table in enumerate(tables):
            judged = self.fold == held
            residual, information = self._slopes(held)
            gain += table * self._gram(judged, residual)
            gain -= table**2 * self._gram(judged, information) / 2.0
            variance += table**2 * self._gram(judged, self.card.weight * information)
        return gain, variance

    def _slopes(self, held: int) -> tuple[Float, Float]:
        """Return the slope of each row's log-likelihood in its log-odds, and how it falls."""
        risk = expit(self.log_odds[held])
        return self.card.weight * (self.card.bad - risk), self.card.weight * risk * (1.0 - risk)

    def _gram(self, rows: Bools, amount: Float) -> Float:
        """Return the sum of an amount over the rows in both of two levels, [levels, levels]."""
        mine = self.one_hot[rows]
        total = mine.T @ (mine * amount[rows, None].astype(np.float32))
        return np.asarray(total, dtype=np.float64)

    def _by_pair(self, cells: Float) -> Float:
        """Return the sums over the cells of each pair of sides, [sides, sides]."""
        starts = self.firsts[:-1]
        return np.asarray(np.add.reduceat(np.add.reduceat(cells, starts, 0), starts, 1))
