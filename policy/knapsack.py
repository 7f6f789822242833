"""One arm for each decision under a joint loss budget: the multiple-choice knapsack.

It is free to treat two equal risks differently, which no published policy may: it bounds what any
policy can reach. Its relaxation is solved exactly by a greedy walk along the upper concave hull of
each decision's (loss, value) points (Sinha & Zoltners 1979).
"""

from dataclasses import dataclass

import numpy as np

from relimit.policy.cases import Bools, Floats, Ints


@dataclass(frozen=True, slots=True)
class Steps:
    """Every decision's steps along its hull, the most worth a unit of loss first.

    Attributes
    ----------
    start
        `[n]` the arm to begin with: the least loss, and of those the most value.
    row, arm
        `[steps]` whose step it is, and the arm that it leads to.
    loss, value
        `[steps]` what the step adds, both above 0.
    """

    start: Ints
    row: Ints
    arm: Ints
    loss: Floats
    value: Floats

    @property
    def price(self) -> Floats:
        """`[steps]` value a unit of loss, falling."""
        return self.value / self.loss


@dataclass(frozen=True, slots=True)
class Chosen:
    """Arms within a budget.

    Attributes
    ----------
    arm
        `[n]`.
    bound
        The value of the relaxation, in which one decision may be split between two arms: no choice
        of arms within the budget is worth more, and this one falls short by less than one step.
    price
        The shadow price: value of one unit more of budget; 0 where the budget doesn't bind.
    """

    arm: Ints
    bound: float
    price: float


def hull_steps(value: Floats, loss: Floats) -> Steps:
    """Return the steps of all decisions' hulls, sorted by falling price.

    Of steps with one price, the earlier row's comes first, and a row's own keep their order.

    Parameters
    ----------
    value, loss
        `[n, arms]`.
    """
    rows = np.arange(len(loss))
    least = loss == loss.min(axis=1, keepdims=True)
    here = np.where(least, value, -np.inf).argmax(axis=1)
    start, found = here, []
    active = rows
    while len(active):
        farther = loss[active] - loss[active, here[active]][:, None]
        better = value[active] - value[active, here[active]][:, None]
        ahead = (farther > 0) & (better > 0)
        active = active[ahead.any(axis=1)]
        farther, better = farther[ahead.any(axis=1)], better[ahead.any(axis=1)]
        step = _steepest(better, farther)
        places = np.arange(len(active))
        found.append((active, step, farther[places, step], better[places, step]))
        here = here.copy()
        here[active] = step
    row, arm, added, gained = (np.concatenate(part) for part in zip(*found, strict=True))
    depth = np.concatenate([np.full(len(part[0]), place) for place, part in enumerate(found)])
    order = np.lexsort((depth, row, -(gained / added)))
    return Steps(start, row[order], arm[order], added[order], gained[order])


def _steepest(better: Floats, farther: Floats) -> Ints:
    """Return the arm of the steepest step; of equally steep ones the farthest."""
    ahead: Bools = (farther > 0) & (better > 0)
    slope = np.divide(better, farther, out=np.full(better.shape, -np.inf), where=ahead)
    steepest = slope == slope.max(axis=1, keepdims=True)
    return np.asarray(np.where(steepest & ahead, farther, -np.inf).argmax(axis=1))


def choose_arms(value: Floats, loss: Floats, budget: float) -> Chosen:
    """Return the arms worth most in all whose losses add up to at most `budget`.

    Parameters
    ----------
    value, loss
        `[n, arms]`.
    budget
        At least the sum of each decision's least loss; else the least is chosen, and the bound is
        minus infinity.

    Examples
    --------
    >>> value = np.array([[0.0, 6.0, 8.0], [0.0, 5.0, 5.0]])
    >>> loss = np.array([[0.0, 2.0, 4.0], [0.0, 1.0, 2.0]])
    >>> chosen = choose_arms(value, loss, budget=3.5)
    >>> chosen.arm.tolist(), chosen.bound, chosen.price
    ([1, 1], 11.5, 1.0)
    """
    steps = hull_steps(value, loss)
    rows = np.arange(len(loss))
    spent = float(loss[rows, steps.start].sum())
    worth = float(value[rows, steps.start].sum())
    if spent > budget:
        return Chosen(steps.start, -np.inf, np.inf)
    total = spent + np.cumsum(steps.loss)
    taken = int(np.searchsorted(total, budget, side="right"))
    arm = steps.start.copy()
    arm[steps.row[:taken]] = steps.arm[:taken]
    bound = worth + float(steps.value[:taken].sum())
    if taken == len(total):
        return Chosen(arm, bound, 0.0)
    left = budget - (float(total[taken - 1]) if taken else spent)
    price = float(steps.price[taken])
    return Chosen(arm, bound + left * price, price)
