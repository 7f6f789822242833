"""Arms that restore the same share stand in for each other, so that more of the log counts.

A log tries each of 25 arms rarely, and what it seldom tried it tells with much noise. How long a
share waits changes less than how large it is. So the target is replaced by one that takes, of each
share, the delays that the log was likely to take, and an outcome model makes up for the difference
between delays (conjunct effect model: Saito, Ren & Joachims 2023).
"""

import numpy as np

from relimit.data.vocabulary import DELAYS_DAYS, SHARES
from relimit.policy.cases import Floats


def spread_delays(target: Floats, chance: Floats) -> Floats:
    """Return `[n, 25]` the target with each share's probability spread over its delays.

    Within a share a row's probability goes to the delays as the log's does where the log is likely
    to take that share, and evenly where it is not.

    Parameters
    ----------
    target
        `[n, 25]` probabilities.
    chance
        `[n, 25]` the log's probabilities as far as the case tells, without knowledge of the arm
        that was taken. If they are wrong, the result is another policy, and no worse known.

    Examples
    --------
    >>> at_once = np.eye(25)[[20]]
    >>> spread_delays(at_once, np.zeros((1, 25)))[0, 20:].tolist()
    [0.2, 0.2, 0.2, 0.2, 0.2]
    >>> rule = np.eye(25)[[21]] * 0.9
    >>> spread_delays(at_once, rule)[0, 20:].round(2).tolist()
    [0.02, 0.92, 0.02, 0.02, 0.02]
    """
    shape = (-1, len(SHARES), len(DELAYS_DAYS))
    wanted = target.reshape(shape).sum(axis=2, keepdims=True)
    likely = chance.reshape(shape)
    rest = np.maximum(1.0 - likely.sum(axis=2, keepdims=True), 0.0)
    within = likely + rest / len(DELAYS_DAYS)
    return np.asarray((wanted * within).reshape(target.shape))
