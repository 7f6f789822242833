"""The best ladder of tiers: rows by rising loss ratio, arms that only get harder along the way.

Rows are pooled between candidate bounds. At fixed prices the best chain of arms over the bins is a
shortest path: a bin's arm follows any arm that restores no less and no later (Bellman 1957).
"""

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final

import numpy as np

from relimit.data.vocabulary import ARMS, DELAYS_DAYS, SHARES
from relimit.policy.cases import Bools, Floats, Ints
from relimit.policy.columns import Plan

DECIMALS: Final = 4
"""Bounds are published, so they are round: a hundredth of a per cent."""

ROUNDING: Final = 1e-12
"""Uses are shares of what was freed; sums of them are exact to about so much."""

EASIER: Final[Bools] = np.array(
    [[s >= share and d <= days for share, days in ARMS] for s, d in ARMS]
)
"""`[25, 25]`: whether the arm of the row may come before the arm of the column."""


def candidate_bounds(ratio: Floats, weight: Floats, bins: int) -> Floats:
    """Return `[at most bins]` rising bounds that part the freed limit about evenly; the last is 1.

    Parameters
    ----------
    ratio
        `[n]` expected loss over freed limit, 0 to 1.
    weight
        `[n]` the freed limit.
    """
    order = np.argsort(ratio, kind="stable")
    total = np.cumsum(weight[order])
    at = np.searchsorted(total, total[-1] * np.arange(1, bins) / bins)
    bounds = np.unique(np.round(ratio[order][at], DECIMALS))
    return np.append(bounds[bounds < 1.0], 1.0)


@dataclass(frozen=True, slots=True)
class Binned:
    """What each arm comes to in each bin.

    Attributes
    ----------
    bounds
        `[bins]` the largest ratio of each bin.
    value
        `[bins, 25]`; minus infinity where an arm is ruled out.
    used
        `[limits, bins, 25]`.
    """

    bounds: Floats
    value: Floats
    used: Floats

    def plan(self, path: Ints) -> Plan:
        """Return what a path of one arm a bin is worth and uses."""
        value, used = self.plans(path[None])
        return Plan(path, float(value[0]), used[0])

    def plans(self, paths: Ints) -> tuple[Floats, Floats]:
        """Return what `[paths, bins]` arms are worth, `[paths]`, and use, `[paths, limits]`."""
        bins = np.arange(paths.shape[1])
        return self.value[bins, paths].sum(axis=1), self.used[:, bins, paths].sum(axis=2).T

    def best_at(self, prices: Floats) -> Plan:
        """Return the chain of arms with the largest value less prices times use."""
        return self.plan(best_path(self.value - np.tensordot(prices, self.used, axes=1)))


def pool(bounds: Floats, ratio: Floats, values: Floats) -> Floats:
    """Return `[bins, 25]` sums of `[n, 25]` values by the bin of the row's ratio.

    A bin takes the ratios above the bound before it, up to and with its own, as tiers do.
    """
    place = np.searchsorted(bounds[:-1], ratio, side="left")
    return sums_by(place, values, len(bounds))


def sums_by(place: Ints, values: Floats, count: int) -> Floats:
    """Return `[count, k]` sums of `[n, k]` values by place, added in the order of the rows."""
    sums = [np.bincount(place, column, minlength=count) for column in values.T]
    return np.stack(sums, axis=1).astype(np.float64)


def best_path(score: Floats) -> Ints:
    """Return `[bins]` the chain of arms with the largest sum of `[bins, 25]` scores.

    Of equal chains the one that stays on its arm, or else begins on the harder arm, is taken.
    """
    best, before = _best_sums(score)
    stays = (best[:-1] >= before).tolist()
    path = [int(best[-1].argmax())]
    for place in reversed(range(len(stays))):
        arm = path[-1]
        if not stays[place][arm]:
            arm = int((EASIER[:, arm] & (best[place] == before[place, arm])).argmax())
        path.append(arm)
    return np.array(path[::-1])


def _best_sums(score: Floats) -> tuple[Floats, Floats]:
    """Return the largest sums of chains, by where they end and by what they may go on to.

    `[bins, 25]` of those that end on an arm, and `[bins - 1, 25]` of those that it may follow. With
    shares that fall along one side of the grid of arms and delays that rise along the other, these
    are all above it and to its left.
    """
    grid = score.reshape(-1, len(SHARES), len(DELAYS_DAYS))[:, ::-1]
    best, before = np.empty(grid.shape), np.empty((len(grid) - 1, *grid.shape[1:]))
    best[0] = grid[0]
    for place, over in enumerate(before):
        np.maximum.accumulate(best[place], axis=0, out=over)
        np.maximum.accumulate(over, axis=1, out=over)
        np.add(grid[place + 1], over, out=best[place + 1])
    wide = (-1, len(ARMS))
    return best[:, ::-1].reshape(wide), before[:, ::-1].reshape(wide)


def best_within(binned: Binned, plans: tuple[Plan, ...], limits: Floats) -> Plan:
    """Return the best plan within the limits that small steps from the plans at hand reach.

    Prices alone find the plans on the concave frontier; between two of them a tier's bound can
    still move. The start is the best plan that keeps the limits, or the one that breaks them least.
    Arms that are ruled out stay so, whatever the limits.
    """
    value, used = np.array([plan.value for plan in plans]), np.array([plan.used for plan in plans])
    path = plans[_first_best(value, used, limits)].choice
    while True:
        paths = np.vstack([path, _neighbours(path)])
        best = _first_best(*binned.plans(paths), limits)
        if not best:
            return binned.plan(path)
        path = paths[best].copy()


def _first_best(value: Floats, used: Floats, limits: Floats) -> int:
    """Return the first of the plans worth most of those that break the limits least.

    One with an arm that is ruled out comes after all others.
    """
    over = excess(used, limits).sum(axis=1)
    return int(np.lexsort((-value, over, ~np.isfinite(value)))[0])


def excess(used: Floats, limits: Floats) -> Floats:
    """Return by how much each limit is broken; what rounding adds is not counted."""
    over = used - limits
    return np.where(over > ROUNDING, over, 0.0)


def _neighbours(path: Ints) -> Ints:
    """Return `[paths, bins]` chains in which an end of one tier, or all of it, has another arm."""
    starts = np.append(np.flatnonzero(np.diff(path, prepend=-1)), len(path)).tolist()
    arms = dict(enumerate(path.tolist()))
    changes: list[tuple[int, int, int]] = []
    for first, last in pairwise(starts):
        for cut in _cuts(first, last):
            ends = _between(arms.get(cut - 1), arms.get(last))
            begins = _between(arms.get(first - 1), arms.get(cut))
            changes += [(cut, last, arm) for arm in ends]
            changes += [(first, cut, arm) for arm in begins]
    begin, end, arm = np.array(changes).T[:, :, None]
    bins = np.arange(len(path))
    return np.where((bins >= begin) & (bins < end), arm, path)


@cache
def _between(easier: int | None, harder: int | None) -> tuple[int, ...]:
    """Return the arms that may stand between two others."""
    fits = np.ones(len(ARMS), bool)
    if easier is not None:
        fits &= EASIER[easier]
    if harder is not None:
        fits &= EASIER[:, harder]
    return tuple(np.flatnonzero(fits).tolist())


def _cuts(first: int, last: int) -> list[int]:
    """Return places that part a tier: near its ends and in the middle."""
    near = {first, first + 1, first + 2, (first + last) // 2, last - 2, last - 1, last}
    return sorted(cut for cut in near if first <= cut <= last)
