"""The parts of a book that a committee looks at: by limit, tenure, arrears, and reason."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.training.policy_rows import LogRows
from relimit.training.policy_targets import Target

Floats = NDArray[np.float64]
Names = NDArray[np.str_]

TITLES: Final = {
    "limit": "By limit",
    "tenure": "By tenure",
    "arrears": "By arrears in the year before",
    "reason": "By the candidate's first reason",
}
"""Kinds of segments, with what their sections are called."""
TENURE_DAYS: Final = (182, 365, 730)
TENURES: Final = ("1: below 6 months", "2: 6 to 12 months", "3: 1 to 2 years", "4: over 2 years")
ARREARS_DAYS: Final = (1, 30)
ARREARS: Final = ("1: none known", "2: up to 29 days", "3: 30 days or more")
LIMIT_BANDS_YUAN: Final = (10_000, 30_000, 60_000)
LEAST_ROWS: Final = 100
"""Smaller segments are put together: their intervals would say nothing."""
SMALL: Final = "all smaller"


def segments_of(rows: LogRows, ours: Target) -> Mapping[str, Names]:
    """Return by kind of `TITLES` the `[n]` names of the rows' segments.

    Parameters
    ----------
    rows
        With the features `tenure_days` and `dpd_worst_365d`; null is no tenure, and no arrears.
    ours
        The candidate's decisions on them.
    """
    tenure, worst = (rows.X[:, rows.names.index(n)] for n in ("tenure_days", "dpd_worst_365d"))
    found = {
        "limit": limit_bands(rows.outcomes.limit),
        "tenure": _banded(np.nan_to_num(tenure), TENURE_DAYS, TENURES),
        "arrears": _banded(np.nan_to_num(worst), ARREARS_DAYS, ARREARS),
        "reason": ours.reason,
    }
    return {kind: _grouped(names) for kind, names in found.items()}


def limit_bands(limit: Floats) -> Names:
    """Return `[n]` names of the bands that limits (fen) fall into, in the order of the alphabet.

    Examples
    --------
    >>> limit_bands(np.array([500_000.0, 9_000_000.0])).tolist()
    ['1: below ¥10,000', '4: ¥60,000 or more']
    """
    low, middle, high = LIMIT_BANDS_YUAN
    names = (
        f"1: below ¥{low:,}",
        f"2: ¥{low:,} to ¥{middle:,}",
        f"3: ¥{middle:,} to ¥{high:,}",
        f"4: ¥{high:,} or more",
    )
    return _banded(limit / FEN_PER_YUAN, LIMIT_BANDS_YUAN, names)


def _banded(values: Floats, starts: Sequence[int], names: Sequence[str]) -> Names:
    return np.array(names)[np.searchsorted(starts, values, side="right")]


def _grouped(names: Names) -> Names:
    found, place, count = np.unique(names, return_inverse=True, return_counts=True)
    return np.where(count[place] >= LEAST_ROWS, found[place], SMALL)
