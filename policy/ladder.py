"""The best ladder of tiers: rows by rising loss ratio, arms that only get harder along the way.

Rows are pooled between candidate bounds. At fixed prices the best chain of arms over the bins is a
shortest path: a bin's arm follows any arm that restores no less and no later (Bellman 1957).
"""

from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np

from relimit.data.vocabulary import ARMS
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
        bins = np.arange(len(path))
        return Plan(path, float(self.value[bins, path].sum()), self.used[:, bins, path].sum(axis=1))

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
    best = score[0]
    came: list[Ints] = []
    own = np.arange(len(ARMS))
    for row in score[1:]:
        before = np.where(EASIER, best[:, None], -np.inf)
        step = before.argmax(axis=0)
        step = np.where(best >= before[step, own], own, step)
        came.append(step)
        best = row + best[step]
    path = [int(best.argmax())]
    for step in reversed(came):
        path.append(int(step[path[-1]]))
    return np.array(path[::-1])


def best_within(binned: Binned, plans: tuple[Plan, ...], limits: Floats) -> Plan:
    """Return the best plan within the limits that small steps from the plans at hand reach.

    Prices alone find the plans on the concave frontier; between two of them a tier's bound can
    still move. The start is the best plan that keeps the limits, or the one that breaks them least.
    Arms that are ruled out stay so, whatever the limits.
    """

    def rank(plan: Plan) -> tuple[bool, float, float]:
        return bool(np.isfinite(plan.value)), -float(excess(plan.used, limits).sum()), plan.value

    best = max(plans, key=rank)
    while True:
        found = max((binned.plan(path) for path in _neighbours(best.choice)), key=rank)
        if rank(found) <= rank(best):
            return best
        best = found


def excess(used: Floats, limits: Floats) -> Floats:
    """Return `[limits]` by how much each is broken; what rounding adds is not counted."""
    over = used - limits
    return np.where(over > ROUNDING, over, 0.0)


def _neighbours(path: Ints) -> list[Ints]:
    """Return the chains in which an end of one tier, or all of it, has another arm."""
    starts = np.append(np.flatnonzero(np.diff(path, prepend=-1)), len(path))
    found = []
    for first, last in pairwise(starts.tolist()):
        for cut in _cuts(first, last):
            easiest = path[cut - 1] if cut else None
            hardest = path[cut] if cut < len(path) else None
            before = path[first - 1] if first else None
            after = path[last] if last < len(path) else None
            found += [_with(path, cut, last, arm) for arm in _between(easiest, after)]
            found += [_with(path, first, cut, arm) for arm in _between(before, hardest)]
    return found


def _between(easier: int | None, harder: int | None) -> list[int]:
    """Return the arms that may stand between two others."""
    fits = np.ones(len(ARMS), bool)
    if easier is not None:
        fits &= EASIER[easier]
    if harder is not None:
        fits &= EASIER[:, harder]
    return np.flatnonzero(fits).tolist()


def _cuts(first: int, last: int) -> list[int]:
    """Return places that part a tier: near its ends and in the middle."""
    near = {first, first + 1, first + 2, (first + last) // 2, last - 2, last - 1, last}
    return sorted(cut for cut in near if first <= cut <= last)


def _with(path: Ints, first: int, last: int, arm: int) -> Ints:
    changed = path.copy()
    changed[first:last] = arm
    return changed
