"""Newton's fit of a card's parts together: steps between bounds, held to where they start."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag, cholesky, solve_triangular
from scipy.optimize import lsq_linear
from scipy.sparse import csr_array
from scipy.special import expit

Float = NDArray[np.float64]

MOST_STEPS: Final = 50
"""Newton's method needs some six; it never ends here."""
CLOSE: Final = 1e-9
"""The fit ends when a step would improve the penalised log-likelihood by less than this share."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a card that adds one number to a row's log-odds.

    `index` intp [n], the cell of each row; `basis` float64 [cells, steps], whose product with the
    steps is what each cell adds; `start` [steps], where the penalty holds them; `low` and `high`
    [steps], their bounds; `penalty` on half the squared distance of each from its start.
    """

    index: NDArray[np.intp]
    basis: Float
    start: Float
    low: Float
    high: Float
    penalty: float


def fit_blocks(
    blocks: Sequence[Block], intercept: float, bad: NDArray[np.bool_], weight: Float
) -> tuple[list[Float], float]:
    """Return the steps of every block, and the intercept.

    They maximise the weighted log-likelihood less the penalties. Each of Newton's steps is a
    least-squares problem with bounds.

    Parameters
    ----------
    blocks
        At least one, all over the same rows.
    intercept
        Where the search begins; it is not penalised.
    bad, weight
        [n], and how much each row counts.
    """
    start = np.concatenate([*(one.start for one in blocks), [intercept]])
    low = np.concatenate([*(one.low for one in blocks), [-np.inf]])
    high = np.concatenate([*(one.high for one in blocks), [np.inf]])
    sizes = [len(one.start) for one in blocks]
    precision = np.append(np.repeat([one.penalty for one in blocks], sizes), 0.0)
    chain = np.asarray(block_diag(*(one.basis for one in blocks), np.ones((1, 1))))
    task = _Likelihood(_one_hot(blocks), chain, bad, weight, start, precision)
    found = _newton(task, low, high)
    return np.split(found[:-1], np.cumsum(sizes)[:-1]), float(found[-1])


def _one_hot(blocks: Sequence[Block]) -> csr_array:
    """Return [n, cells + 1]: 1 where a row is in a cell, and the last column 1 for all."""
    firsts = np.concatenate([[0], np.cumsum([len(one.basis) for one in blocks])])
    places = [first + one.index for first, one in zip(firsts, blocks, strict=False)]
    rows = len(blocks[0].index)
    columns = np.column_stack([*places, np.full(rows, firsts[-1])]).astype(np.int32)
    ends = np.arange(rows + 1) * columns.shape[1]
    return csr_array((np.ones(columns.size), columns.ravel(), ends), shape=(rows, firsts[-1] + 1))


@dataclass(frozen=True, slots=True)
class _Likelihood:
    """The penalised negative log-likelihood of the steps."""

    one_hot: csr_array
    chain: Float
    bad: NDArray[np.bool_]
    weight: Float
    start: Float
    precision: Float

    def value(self, steps: Float) -> float:
        log_odds = self.one_hot @ (self.chain @ steps)
        losses = np.logaddexp(0.0, log_odds) - log_odds * self.bad
        return float(self.weight @ losses + self.precision @ (steps - self.start) ** 2 / 2.0)

    def slopes(self, steps: Float) -> tuple[Float, Float]:
        """Return the gradient and the Hessian."""
        risk = expit(self.one_hot @ (self.chain @ steps))
        gradient = self.chain.T @ (self.one_hot.T @ (self.weight * (risk - self.bad)))
        spread = csr_array(self.one_hot)
        spread.data = np.repeat(self.weight * risk * (1.0 - risk), np.diff(spread.indptr))
        hessian = self.chain.T @ (self.one_hot.T @ spread).toarray() @ self.chain
        pull = self.precision * (steps - self.start)
        return gradient + pull, hessian + np.diag(self.precision)


def _newton(task: _Likelihood, low: Float, high: Float) -> Float:
    """Return the steps of the least value between the bounds."""
    steps, value = np.clip(task.start, low, high), np.inf
    for _ in range(MOST_STEPS):
        last, value = value, task.value(steps)
        if last - value <= CLOSE * abs(value):
            break
        move = _bounded_step(*task.slopes(steps), low - steps, high - steps)
        while task.value(steps + move) > value and np.abs(move).max() > CLOSE:
            move /= 2.0
        steps = np.clip(steps + move, low, high)
    return steps


def _bounded_step(gradient: Float, hessian: Float, low: Float, high: Float) -> Float:
    """Return the step to the least of the quadratic model that stays between the bounds."""
    factor = cholesky(hessian, lower=True)
    target = -solve_triangular(factor, gradient, lower=True)
    return np.asarray(lsq_linear(factor.T, target, (low, high), method="bvls").x, dtype=np.float64)
