"""The points of a scorecard's bins, fitted together, with the weight of evidence as their prior.

A weight of evidence is what a bin says when nothing else is known. Beside other characteristics it
says something else, by bin, which one coefficient a characteristic can't tell.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import block_diag

from relimit.models.card_fit import Block, fit_blocks

Float = NDArray[np.float64]


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

    def block(self, penalty: float) -> Block:
        """Return what is fitted: steps between intervals, then other bins less the first one."""
        ordered, others = np.split(self.prior, [self.intervals])
        start = np.concatenate([np.diff(ordered), others - ordered[0]])
        low, high = np.full(len(start), -np.inf), np.full(len(start), np.inf)
        if self.direction:
            (low if self.direction == 1 else high)[: self.intervals - 1] = 0.0
        chain = np.tri(self.intervals, self.intervals - 1, -1)
        basis = np.asarray(block_diag(chain, np.eye(len(others))), dtype=np.float64)
        return Block(self.index, basis, start, low, high, penalty)

    def points(self, steps: Float) -> Float:
        """Return the bins' log-odds, that of the first interval 0, from their steps."""
        ordered, others = np.split(steps, [self.intervals - 1])
        return np.concatenate([[0.0], np.cumsum(ordered), others])


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
    prior's. Directions are kept. A large penalty gives the prior back.

    Parameters
    ----------
    intercept
        The prior's, where the search begins; it is not penalised.
    bad, weight
        [n], and how much each row counts.
    """
    blocks = [one.block(penalty) for one in characteristics]
    steps, intercept = fit_blocks(blocks, intercept, bad, weight)
    points = [one.points(piece) for one, piece in zip(characteristics, steps, strict=True)]
    return points, intercept
