"""The arm of a restoration as two columns beside the features."""

from collections.abc import Collection
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS

Arm = tuple[float, float]
"""Share and delay in days."""

ARM_COLUMNS: Final = ("restored_share", "delay_days")
"""The share of the freed limit that returns, and the days until it does."""

BLOCK: Final = 4_096
"""Rows that are copied at a time, so that they stay in the cache."""

ARM_DIRECTIONS: Final = {"restored_share": 1, "delay_days": -1}
"""Risk may not fall as the share rises, nor rise as the delay grows."""


def arm_grid() -> NDArray[np.float64]:
    """Return the 25 arms as rows of (restored share, delay in days), in the order of `ARMS`.

    Examples
    --------
    >>> arm_grid()[[0, -1]]
    array([[ 0.,  0.],
           [ 1., 30.]])
    """
    return np.array(ARMS, dtype=np.float64)


def arms_tried(taken: NDArray[np.float64]) -> tuple[Arm, ...]:
    """Return which of the 25 arms occur among rows of (share, delay in days), in their order.

    Examples
    --------
    >>> arms_tried(np.array([[1.0, 0.0], [0.5, 7.0], [0.6, 7.0], [1.0, 0.0]]))
    ((0.5, 7), (1.0, 0))
    """
    share, delay = taken.T
    return tuple(arm for arm in ARMS if ((share == arm[0]) & (delay == arm[1])).any())


def bound_by_tried(
    risk: NDArray[np.float64], tried: Collection[Arm]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the least and the largest risk that the tried arms leave to each arm, [n, 25] each.

    Risk may not fall as the share rises, nor rise as the delay grows. An arm that was never tried
    is therefore no safer than any tried one with no more share and no less delay, and no riskier
    than any with no less share and no more delay; 0 and 1 where there is none. A tried arm's own
    risk is both of its bounds.

    Parameters
    ----------
    risk
        [n, 25] in the order of `ARMS`, rising with the share and falling with the delay.
    tried
        Arms that some row took.
    """
    share, delay = arm_grid().T
    known = np.array([arm in tried for arm in ARMS])
    low, high = np.zeros_like(risk), np.ones_like(risk)
    for place in range(len(ARMS)):
        milder = known & (share <= share[place]) & (delay >= delay[place])
        bolder = known & (share >= share[place]) & (delay <= delay[place])
        low[:, place] = risk[:, milder].max(axis=1, initial=0.0)
        high[:, place] = risk[:, bolder].min(axis=1, initial=1.0)
    return low, high


def at_arm(X: NDArray[np.float64], arm: tuple[float, float]) -> NDArray[np.float64]:
    """Append one arm to every row: float64 [n, F] becomes [n, F + 2].

    Examples
    --------
    >>> at_arm(np.array([[5.0], [6.0]]), (0.5, 7))
    array([[5. , 0.5, 7. ],
           [6. , 0.5, 7. ]])
    """
    rows, width = X.shape
    out = np.empty((rows, width + 2), dtype=np.float64)
    out[:, :width] = X
    out[:, width:] = arm
    return out


def with_arms(
    X: NDArray[np.float64], arms: NDArray[np.float64], rows: NDArray[np.int64]
) -> NDArray[np.float64]:
    """Return some rows of `X` [n, F], each with its own of the arms [n, 2]: float64 [m, F + 2].

    Block by block: a second whole copy would cost as much again, in fresh memory for the most part.

    Examples
    --------
    >>> with_arms(np.array([[5.0], [6.0]]), np.array([[0.5, 7], [1, 0]]), np.array([1]))
    array([[6., 1., 0.]])
    """
    out = np.empty((len(rows), X.shape[1] + 2), dtype=np.float64)
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        out[start : start + BLOCK, :-2] = X[some]
        out[start : start + BLOCK, -2:] = arms[some]
    return out
