"""Losses by arm put on the scale of what the log shows: level, spread, and way with the share.

Estimates that are fitted on few bads are shrunk towards each other, and a severity learnt over all
arms says that half a limit loses half as much. Neither is so harmless where a budget on the loss
picks the arms. A quasi-Poisson regression of the losses that came of the logged arms (Gourieroux,
Monfort & Trognon 1984) on the estimate and the share sets them right. The delay is left out: older
rules delay most what they share least, so that a log can't tell the two apart.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import PoissonRegressor

from relimit.data.vocabulary import FULL_ARM
from relimit.models.arms import arm_grid

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

LEAST_LOSSES: Final = 50
"""With fewer losses in the log its coefficients are noise: the estimates stay."""
SMOOTHING: Final = 1e-6
LEAST_RATIO: Final = 1e-6
FULL: Final = [tuple(row) for row in arm_grid().tolist()].index(FULL_ARM)


def scale_losses(estimated: Floats, loss: Floats, freed: Ints, arm: Ints) -> Floats:
    """Return `[n, 25]` fen: losses by arm whose sums over logged arms are those that came.

    A loss goes with the estimate of full restoration to some power, with the share to a power of
    at least 1 (what is not restored can't be lost, and more of it tempts no less). A delay
    by itself avoids nothing.

    Parameters
    ----------
    estimated
        `[n, 25]` fen, each row from models that have not seen its account.
    loss, freed
        `[n]` fen that was lost, and freed (above 0).
    arm
        `[n]` the place in `ARMS` of the logged arm.
    """
    share = arm_grid()[:, 0]
    returned = share[arm] > 0
    if (loss[returned] > 0).sum() < LEAST_LOSSES:
        return estimated
    level = np.log(np.maximum(estimated[:, FULL] / freed, LEAST_RATIO))
    level -= level.mean()
    with np.errstate(divide="ignore"):
        X = np.column_stack([level, np.log(share)[arm]])[returned]
    y, weight = (loss / freed)[returned], freed[returned] / freed[returned].mean()
    fitted = PoissonRegressor(alpha=SMOOTHING, max_iter=1_000)
    scale = np.average(y, weights=weight)
    fitted.fit(X, y / scale, sample_weight=weight)
    power = np.maximum(fitted.coef_, [0.0, 1.0])
    rate = np.exp(power[0] * level)[:, None] * share ** power[1]
    rows = np.arange(len(arm))
    rate *= loss.sum() / (rate[rows, arm] @ freed)
    return np.asarray(rate * freed[:, None])
