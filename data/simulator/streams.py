"""Counter-based random numbers: a number depends on its key alone, never on who asked before.

Every number is a hash of (seed, account, day, purpose, item): the finaliser of SplitMix64
(Steele, Lea and Flood 2014) over an account's own key plus a salt. Two worlds that differ in one
decision share every other number, and blocks and workers can't move them.
"""

from enum import IntEnum, auto

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

Keys = NDArray[np.uint64]
Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_MASK = (1 << 64) - 1
_GOLDEN = 0x9E3779B97F4A7C15
_FIRST, _SECOND = 0xBF58476D1CE4E5B9, 0x94D049BB133111EB
_FACTORS = (np.uint64(_FIRST), np.uint64(_SECOND))
_SHIFTS = tuple(np.uint64(bits) for bits in (30, 27, 31, 11))
_ITEM = np.uint64(0xD1342543DE82EF95)
_UNIT = 2.0**-53


class Purpose(IntEnum):
    """What a random number is for; append only, or every seed's book changes.

    `OPERATION` and `INQUIRY` are reserved: both happen by `SIGNAL` now, and their places stay.
    """

    TYPE = auto()
    OPENING = auto()
    QUALITY = auto()
    INCOME = auto()
    LIMIT = auto()
    RATE = auto()
    PAYDAY = auto()
    BILL_DAY = auto()
    CHANNEL = auto()
    VISIBLE = auto()
    LGD = auto()
    DRAW_TEMPER = auto()
    PREPAY_TEMPER = auto()
    NEED_TEMPER = auto()
    AUDIT = auto()
    HIDDEN = auto()
    STRESS = auto()
    SCORE = auto()
    DRAW = auto()
    DRAW_AMOUNT = auto()
    DRAW_TERM = auto()
    DRAW_METHOD = auto()
    DRAW_PURPOSE = auto()
    DRAW_COUPON = auto()
    DRAW_TIME = auto()
    PLAN = auto()
    PLAN_FUNDED = auto()
    PLAN_LAG = auto()
    PREPAY_FULL = auto()
    PREPAY_PART = auto()
    PREPAY_SECOND = auto()
    PREPAY_TIME = auto()
    PREPAY_RETURNED = auto()
    RESIDUAL = auto()
    RESIDUAL_SETTLED = auto()
    MISS = auto()
    RETURNED = auto()
    CURE = auto()
    NIGHT_TIME = auto()
    PAY_TIME = auto()
    SIGNAL = auto()
    SIGNAL_TIME = auto()
    SIGNAL_AMOUNT = auto()
    SALARY = auto()
    LENDER_INFLOW = auto()
    OPERATION = auto()
    INQUIRY = auto()
    BUST = auto()
    LEAVE = auto()
    LIMIT_REVIEW = auto()
    LATE = auto()
    EXPLORE = auto()
    EXPLORE_ARM = auto()
    STUCK = auto()
    STUCK_DAYS = auto()
    RESTORE_TIME = auto()
    OUTAGE = auto()
    OUTAGE_SIZE = auto()
    OUTAGE_TIME = auto()
    OUTAGE_TOUCHED = auto()
    REPLICATE = auto()
    SAMPLE = auto()
    PART_PAYMENT = auto()
    PART_DAY = auto()
    PART_SHARE = auto()
    BUST_LEAD = auto()


def account_keys(seed: int, account_id: Ints) -> Keys:
    """Return each account's key for a seed."""
    return _finalise(account_id.astype(np.uint64) * np.uint64(_GOLDEN) + np.uint64(_scalar(seed)))


def rekey(keys: Keys, replicate: Ints) -> Keys:
    """Return keys of fresh streams: one a replicate; replicate 0 keeps its stream."""
    salt = np.uint64(_scalar(int(Purpose.REPLICATE)))
    fresh = _finalise(keys + salt + replicate.astype(np.uint64) * _ITEM)
    return np.where(replicate == 0, keys, fresh)


def uniform(keys: Keys, day: int, purpose: Purpose, item: Ints | None = None) -> Floats:
    """Return uniforms in the open interval (0, 1), one a key.

    Examples
    --------
    >>> keys = account_keys(7, np.array([1, 2, 3]))
    >>> bool((uniform(keys, 5, Purpose.DRAW)[1:] == uniform(keys[1:], 5, Purpose.DRAW)).all())
    True
    """
    z = keys + np.uint64(_scalar(((day + 1) << 8) | int(purpose)))
    if item is not None:
        z += item.astype(np.uint64) * _ITEM
    z = _finalise(z)
    z >>= _SHIFTS[3]
    unit = z.astype(np.float64)
    unit += 0.5
    unit *= _UNIT
    return unit


def normal(keys: Keys, day: int, purpose: Purpose, item: Ints | None = None) -> Floats:
    """Return standard normals, one a key."""
    return np.asarray(ndtri(uniform(keys, day, purpose, item)), dtype=np.float64)


def _finalise(z: Keys) -> Keys:
    first, second, third, _ = _SHIFTS
    z = z ^ (z >> first)
    z *= _FACTORS[0]
    z ^= z >> second
    z *= _FACTORS[1]
    z ^= z >> third
    return z


def _scalar(value: int) -> int:
    z = (value * _GOLDEN + _GOLDEN) & _MASK
    z = ((z ^ (z >> 30)) * _FIRST) & _MASK
    z = ((z ^ (z >> 27)) * _SECOND) & _MASK
    return z ^ (z >> 31)
