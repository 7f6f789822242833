"""Dantzig-Wolfe: the best plan under a few joint limits, by asking at one price after another.

What is hard jointly is easy at fixed prices: each plan then counts its value less what it uses. A
linear programme over the plans found so far gives the next prices (Dantzig & Wolfe 1960; with one
limit it is the bisection on the shadow price, in fewer steps).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linprog

from relimit.data.errors import PolicyError
from relimit.policy.cases import Floats, Ints

MOST_ROUNDS: Final = 500
PENALTY: Final = 1e4
"""The price of breaking a limit, against the spread of the plans' values."""
TOLERANCE: Final = 1e-9


@dataclass(frozen=True, slots=True)
class Plan:
    """One way to decide: its `choice`, its `value` and the `[limits]` amounts that it uses."""

    choice: Ints
    value: float
    used: Floats


@dataclass(frozen=True, slots=True)
class Priced:
    """What was found.

    Attributes
    ----------
    plans
        All that were asked for, in the order of asking.
    prices
        `[limits]` value of one unit more of each limit, at least 0.
    bound
        No plan within the limits is worth more, nor is a mixture of plans.
    """

    plans: tuple[Plan, ...]
    prices: Floats
    bound: float


def price_limits(best_at: Callable[[Floats], Plan], limits: Floats) -> Priced:
    """Find the prices at which the best plan just keeps the limits.

    Parameters
    ----------
    best_at
        Returns the plan with the largest value less prices times use.
    limits
        `[limits]` how much may be used of each.
    """
    first = best_at(np.zeros(len(limits)))
    if (first.used <= limits).all():
        return Priced((first,), np.zeros(len(limits)), first.value)
    plans = [first]
    scale = np.maximum(np.abs(first.used - limits), TOLERANCE)
    penalty = np.full(len(limits), PENALTY * max(abs(first.value), 1.0)) / scale
    prices, bound = penalty, np.inf
    for _ in range(MOST_ROUNDS):
        plan = best_at(prices)
        bound = min(bound, plan.value + float(prices @ (limits - plan.used)))
        plans.append(plan)
        mixed, prices = _mix(plans, limits, penalty)
        if bound - mixed <= TOLERANCE * max(abs(bound), 1.0):
            break
    return Priced(tuple(plans), prices, bound)


def _mix(plans: list[Plan], limits: Floats, penalty: Floats) -> tuple[float, Floats]:
    """Return the value of the best mixture, less a penalty if none keeps the limits; and prices."""
    n = len(plans)
    used = np.column_stack([plan.used for plan in plans])
    scale = np.maximum(np.abs(used).max(axis=1), TOLERANCE)
    found = linprog(
        np.concatenate([[-plan.value for plan in plans], penalty * scale]),
        A_ub=np.hstack([used / scale[:, None], -np.eye(len(limits))]),
        b_ub=limits / scale,
        A_eq=np.append(np.ones(n), np.zeros(len(limits)))[None, :],
        b_eq=[1.0],
        method="highs",
        options={"primal_feasibility_tolerance": 1e-10, "dual_feasibility_tolerance": 1e-10},
    )
    if found.x is None or found.fun is None:
        raise PolicyError(f"the limits can't be priced ({found.message})", where="[value]")
    prices = np.maximum(-found.ineqlin.marginals, 0.0) / scale
    return -float(found.fun), prices
