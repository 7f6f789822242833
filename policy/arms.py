"""The choice of the arm: a tier by expected loss over freed limit, and the amount it returns."""

import numpy as np

from relimit.data.vocabulary import ARMS, DELAYS_DAYS, SHARES
from relimit.policy.cases import Floats, Ints
from relimit.policy.config import Policy


def loss_ratio(expected_loss: Floats, freed: Ints) -> Floats:
    """Return `[n]` expected loss over freed limit; 0 where nothing was freed."""
    return np.divide(expected_loss, freed, out=np.zeros(len(freed)), where=freed > 0)


def tier_of(policy: Policy, ratio: Floats) -> Ints:
    """Return `[n]` the place of the tier: the first whose `up_to` the ratio does not exceed."""
    return policy.tier_columns.up_to[:-1].searchsorted(ratio, side="left")


def tier_days(policy: Policy, tier: Ints, elapsed_days: Ints) -> Ints:
    """Return `[n]` the days that the tier still waits, so many days after the decision."""
    delay = policy.tier_columns.delay_days[tier]
    return np.asarray(np.maximum(delay - elapsed_days, 0))


def tier_amount(policy: Policy, tier: Ints, freed: Ints) -> Ints:
    """Return `[n]` fen: the tier's share of what was freed, in whole units.

    A part is rounded down to the policy's unit but is at least one unit (or all, if less was
    freed), so that prepaying more never returns less.
    """
    quarters = policy.tier_columns.quarters[tier]
    if np.count_nonzero(quarters == 4) == len(quarters):  # as most live decisions have it
        return freed.copy()
    unit = policy.rounding.unit
    part = np.maximum(freed * quarters // 4 // unit * unit, np.minimum(freed, unit))
    return np.where(quarters == 4, freed, np.where(quarters == 0, 0, part))


def grid_arm(returned: Ints, freed: Ints, days: Ints | Floats) -> Ints:
    """Return `[n]` the place in `ARMS` that comes closest without being kinder.

    The share is rounded down and the delay up to the grid; nothing freed is the full arm.

    Examples
    --------
    >>> arm = grid_arm(np.array([700, 1000]), np.array([1000, 1000]), np.array([5, 0]))
    >>> [ARMS[place] for place in arm]
    [(0.5, 7), (1.0, 0)]
    """
    share = np.where(freed > 0, returned / np.maximum(freed, 1), 1.0)
    # Rounding to whole yuan leaves a share of 0.4999; a thousandth is not a step of the grid.
    share_place = np.searchsorted(SHARES, share + 1e-3, side="right") - 1
    delay_place = np.minimum(np.searchsorted(DELAYS_DAYS, days), len(DELAYS_DAYS) - 1)
    return np.asarray(share_place * (len(ARMS) // len(SHARES)) + delay_place, dtype=np.int64)
