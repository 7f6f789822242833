"""The points of a scorecard's bins, fitted together, with the weight of evidence as their prior.

A weight of evidence is what a bin says when nothing else is known. Beside other characteristics it
says something else, by bin, which one coefficient a characteristic can't tell.
"""

from collections.abc import Iterator, Sequence
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
class Characteristic:
    """One feature of a card, binned.

    `index` intp [n], the bin of each row: intervals first, in their order, then the bins that have
    no order; `intervals` how many of the first there are; `prior` float64 [bins], log-odds that the
    weight of evidence gives; `direction` 1 if they may not fall from interval to interval, -1 if
    they may not rise, 0 free.
    """

    index: NDArray[np.intp]
    intervals: int
    prior: Float
    direction: int


def fit_bin_points(
    characteristics: Sequence[Characteristic],
    intercept: float,
    bad: NDArray[np.bool_],
    weight: Float,
    penalty: float,
) -> tuple[list[Float], float]:
    """Return the log-odds of every bin, one array a characteristic, and the intercept.

    They maximise the weighted log-likelihood less `penalty / 2` times the squared distance of each
    step between neighbouring intervals (of each unordered bin: from the first interval) from the
    prior's. Newton's steps are least-squares problems with bounds that keep the directions. A
    large penalty gives the prior back.

    Parameters
    ----------
    intercept
        The prior's, where the search begins; it is not penalised.
    bad, weight
        [n], and how much each row counts.
    """
    steps = np.concatenate([_steps(one) for one in characteristics] + [[intercept]])
    bounds = np.array([bound for one in characteristics for bound in _bounds(one)]).T
    low, high = (np.append(side, end) for side, end in zip(bounds, (-np.inf, np.inf), strict=True))
    precision = np.append(np.full(len(steps) - 1, penalty), 0.0)
    one_hot, chain = _one_hot(characteristics), _chain(characteristics)
    task = _Likelihood(one_hot, chain, bad, weight, steps, precision)
    found = _newton(task, low, high)
    sizes = np.cumsum([len(one.prior) - 1 for one in characteristics])
    pieces = np.split(found[:-1], sizes[:-1])
    points = [
        _points(piece, one.intervals) for piece, one in zip(pieces, characteristics, strict=True)
    ]
    return points, float(found[-1])


def _steps(one: Characteristic) -> Float:
    """Return the prior as steps between intervals, then the other bins less the first interval."""
    ordered, others = np.split(one.prior, [one.intervals])
    return np.concatenate([np.diff(ordered), others - ordered[0]])


def _points(steps: Float, intervals: int) -> Float:
    """Return the bins' log-odds, that of the first interval 0, from their steps."""
    return np.concatenate([[0.0], np.cumsum(steps[: intervals - 1]), steps[intervals - 1 :]])


def _bounds(one: Characteristic) -> Iterator[tuple[float, float]]:
    kept = {1: (0.0, np.inf), -1: (-np.inf, 0.0), 0: (-np.inf, np.inf)}[one.direction]
    yield from [kept] * (one.intervals - 1)
    yield from [(-np.inf, np.inf)] * (len(one.prior) - one.intervals)


def _chain(characteristics: Sequence[Characteristic]) -> Float:
    """Return [bins + 1, steps + 1]: which steps lead to each bin, and the intercept to its own."""
    blocks = [
        block_diag(
            np.tri(one.intervals, one.intervals - 1, -1), np.eye(len(one.prior) - one.intervals)
        )
        for one in characteristics
    ]
    return np.asarray(block_diag(*blocks, np.ones((1, 1))), dtype=np.float64)


def _one_hot(characteristics: Sequence[Characteristic]) -> csr_array:
    """Return [n, bins + 1]: 1 where a row is in a bin, and the last column 1 for all."""
    sizes = [len(one.prior) for one in characteristics]
    firsts = np.concatenate([[0], np.cumsum(sizes)])
    places = [first + one.index for first, one in zip(firsts, characteristics, strict=False)]
    rows = len(characteristics[0].index)
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
    prior: Float
    precision: Float

    def value(self, steps: Float) -> float:
        log_odds = self.one_hot @ (self.chain @ steps)
        losses = np.logaddexp(0.0, log_odds) - log_odds * self.bad
        return float(self.weight @ losses + self.precision @ (steps - self.prior) ** 2 / 2.0)

    def slopes(self, steps: Float) -> tuple[Float, Float]:
        """Return the gradient and the Hessian."""
        risk = expit(self.one_hot @ (self.chain @ steps))
        gradient = self.chain.T @ (self.one_hot.T @ (self.weight * (risk - self.bad)))
        spread = csr_array(self.one_hot)
        spread.data = np.repeat(self.weight * risk * (1.0 - risk), np.diff(spread.indptr))
        hessian = self.chain.T @ (self.one_hot.T @ spread).toarray() @ self.chain
        pull = self.precision * (steps - self.prior)
        return gradient + pull, hessian + np.diag(self.precision)


def _newton(task: _Likelihood, low: Float, high: Float) -> Float:
    """Return the steps of the least value between the bounds."""
    steps, value = np.clip(task.prior, low, high), np.inf
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
