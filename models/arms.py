"""The arm of a restoration as two columns beside the features."""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS

ARM_COLUMNS: Final = ("restored_share", "delay_days")
"""The share of the freed limit that returns, and the days until it does."""

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


def expand_by_arms(X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Repeat every row once an arm: [n, F] becomes [25 n, F + 2], the arms of a row together.

    It holds 25 copies of `X`: for small inputs. `RiskModel.risk_by_arm` goes arm by arm instead.

    Examples
    --------
    >>> expand_by_arms(np.array([[5.0], [6.0]])).shape
    (50, 3)
    """
    grid = arm_grid()
    return np.hstack([np.repeat(X, len(grid), axis=0), np.tile(grid, (len(X), 1))])
