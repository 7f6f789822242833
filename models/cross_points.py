"""The points of a card's bins, and of the crosses that it is worth having, fitted together."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from relimit.models.arms import ARM_COLUMNS
from relimit.models.bin_points import Characteristic, fit_bin_points
from relimit.models.card_fit import fit_blocks
from relimit.models.cross_choice import Additive, Pair, choose_pairs
from relimit.models.cross_shape import Side, side_of, table_block, table_of
from relimit.models.crosses import Cross, centred

Float = NDArray[np.float64]


def fit_card(
    characteristics: Mapping[str, Characteristic],
    intercept: float,
    bad: NDArray[np.bool_],
    weight: Float,
    *,
    penalty: float,
    cross_penalty: float,
    max_crosses: int,
    groups: ArrayLike | None = None,
) -> tuple[list[Float], tuple[Cross, ...], float]:
    """Return the log-odds of every bin, one array a characteristic, the crosses, the intercept.

    Without a cross they are those of `fit_bin_points`. Crosses are chosen by `choose_pairs`; arms
    are in none: what restoring does is told in one place of the card, for all borrowers alike.

    Parameters
    ----------
    characteristics
        By feature.
    intercept, bad, weight, penalty
        As `fit_bin_points` takes them.
    cross_penalty
        On half the squared steps of the crosses' tables.
    max_crosses
        How many at most; 0 leaves the card additive.
    groups
        [n], rows that go together; None: each by itself.
    """
    shapes = list(characteristics.values())
    points, level = fit_bin_points(shapes, intercept, bad, weight, penalty)
    sides = {
        place: _side(one, mine, weight)
        for place, (name, one, mine) in enumerate(zip(characteristics, shapes, points, strict=True))
        if name not in ARM_COLUMNS
    }
    card = Additive([one.block(penalty) for one in shapes], intercept, bad, weight)
    pairs = choose_pairs(card, sides, penalty=cross_penalty, most=max_crosses, groups=groups)
    if not pairs:
        return points, (), level
    return _fit_crossed(characteristics, card, sides, pairs, cross_penalty)


def _side(one: Characteristic, log_odds: Float, weight: Float) -> Side:
    rows: Float = np.asarray(np.bincount(one.index, weight, len(log_odds)), dtype=np.float64)
    return side_of(log_odds, rows, one.intervals, one.direction)


def _fit_crossed(
    characteristics: Mapping[str, Characteristic],
    card: Additive,
    sides: Mapping[int, Side],
    pairs: Sequence[Pair],
    penalty: float,
) -> tuple[list[Float], tuple[Cross, ...], float]:
    """Fit the points again, with those of the pairs' tables."""
    names, shapes = list(characteristics), list(characteristics.values())
    tables = []
    for i, j in pairs:
        first, second = sides[i], sides[j]
        places = first.levels[shapes[i].index], second.levels[shapes[j].index]
        cells = np.ravel_multi_index(places, (first.size, second.size))
        tables.append(table_block(cells, first, second, penalty))
    steps, level = fit_blocks([*card.blocks, *tables], card.intercept, card.bad, card.weight)
    crosses = []
    for (i, j), table, mine in zip(pairs, tables, steps[len(shapes) :], strict=True):
        first, second = sides[i], sides[j]
        rows = _counts(table.index, first, second, card.weight)
        bads = _counts(table.index, first, second, card.weight * card.bad)
        log_odds = table_of(mine, table, first, second)
        levels = first.levels, second.levels
        cross, mean = centred(Cross((names[i], names[j]), levels, rows, bads, log_odds))
        crosses.append(cross)
        level += mean
    points = [one.points(mine) for one, mine in zip(shapes, steps, strict=False)]
    return points, tuple(crosses), level


def _counts(cells: NDArray[np.intp], first: Side, second: Side, amount: Float) -> Float:
    """Return the sum of an amount by cell, [first, second]."""
    total = np.bincount(cells, amount, first.size * second.size)
    return np.asarray(total, dtype=np.float64).reshape(first.size, second.size)
