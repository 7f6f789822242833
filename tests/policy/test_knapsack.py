"""The knapsack against every choice tried and against a solver, none of which share its code."""

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from relimit.policy.knapsack import choose_arms, hull_steps

MODEST = settings(max_examples=80, deadline=None, derandomize=True)


@st.composite
def cases(draw):
    """Values and losses of a few decisions with a few arms, ties and all, and a budget."""
    shape = (draw(st.integers(1, 5)), draw(st.integers(1, 4)))
    numbers = st.lists(st.integers(-4, 9), min_size=shape[0] * shape[1], max_size=20)
    value = np.array(draw(numbers)[: shape[0] * shape[1]], float).reshape(shape)
    loss = np.abs(np.array(draw(numbers)[: shape[0] * shape[1]], float)).reshape(shape)
    least = loss.min(axis=1).sum()
    return value, loss, least + draw(st.integers(0, 20))


def tried(value, loss, budget):
    """The best value of all choices within the budget."""
    rows = np.arange(len(value))
    every = (np.array(arms) for arms in product(range(value.shape[1]), repeat=len(value)))
    return max(value[rows, a].sum() for a in every if loss[rows, a].sum() <= budget + 1e-9)


def relaxed(value, loss, budget):
    """The value of the linear relaxation by HiGHS."""
    n, arms = value.shape
    found = linprog(
        -value.ravel(),
        A_ub=loss.reshape(1, -1),
        b_ub=[budget],
        A_eq=np.kron(np.eye(n), np.ones(arms)),
        b_eq=np.ones(n),
    )
    return -found.fun


@MODEST
@given(cases())
def test_the_bound_is_the_relaxations_and_the_choice_falls_short_by_less_than_one_step(case):
    value, loss, budget = case
    chosen = choose_arms(value, loss, budget)
    rows = np.arange(len(value))
    steps = hull_steps(value, loss)
    assert loss[rows, chosen.arm].sum() <= budget + 1e-9
    assert chosen.bound == pytest.approx(relaxed(value, loss, budget))
    best = tried(value, loss, budget)
    reached = value[rows, chosen.arm].sum()
    assert reached <= best + 1e-9
    assert best <= chosen.bound + 1e-9
    assert chosen.bound - reached <= max(steps.value, default=0.0) + 1e-9


@MODEST
@given(cases(), st.integers(1, 10))
def test_the_shadow_price_bounds_what_more_budget_brings(case, more):
    value, loss, budget = case
    now, then = choose_arms(value, loss, budget), choose_arms(value, loss, budget + more)
    assert now.bound <= then.bound + 1e-9
    assert then.bound <= now.bound + now.price * more + 1e-9
    assert then.price <= now.price + 1e-9


def test_equally_good_steps_go_to_the_earlier_row():
    value = np.array([[0.0, 1.0]] * 4)
    loss = np.array([[0.0, 1.0]] * 4)
    assert choose_arms(value, loss, 2.0).arm.tolist() == [1, 1, 0, 0]


def test_a_budget_below_the_least_loss_is_said_to_be_unreachable():
    chosen = choose_arms(np.array([[1.0, 2.0]]), np.array([[1.0, 3.0]]), 0.5)
    assert chosen.arm.tolist() == [0]
    assert chosen.bound == -np.inf
