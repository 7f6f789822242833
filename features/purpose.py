"""Purpose mix: what the money is drawn for."""

import numpy as np

from relimit.data.vocabulary import COUPON_PREFIX, DRAW
from relimit.features.arithmetic import ratio, sum_down
from relimit.features.history import Floats, History, Ints, Window
from relimit.features.registry import feature
from relimit.features.select import places_of

SOURCE = "practice: the purpose that a loan is asked for, in application scoring"

CONCENTRATION = "concentration, Hirschman (1964), American Economic Review 54(5)"
PURPOSES = ("shopping", "travel", "medical", "education", "home", "other")
DETAILS = (*PURPOSES, *(COUPON_PREFIX + purpose for purpose in PURPOSES))
NONE = "nothing drawn in the trailing {w} days"


def _shares(h: History, w: Window) -> Floats:
    """Return `[purposes, snapshots]`."""
    found: Floats = h.cached(("purposes", w), lambda: _find_shares(h, w))
    return found


def _find_shares(h: History, w: Window) -> Floats:
    first, last = h.span(DRAW, w)
    total = h.cached("drawn by purpose", lambda: _drawn(h))
    return ratio(total.take(last, axis=1) - total.take(first, axis=1), h.sum(DRAW, w))


def _drawn(h: History) -> Ints:
    """Return `[purposes, m + 1]` the principal drawn for each before each draw of the block."""
    draws = h.series(DRAW)
    purpose = np.full(len(h.block.details) + 1, -1)  # the last stands for null
    for place, found in enumerate(places_of(DETAILS, h.block.details)):
        if found is not None:
            purpose[found] = place % len(PURPOSES)
    total = np.zeros((len(PURPOSES), len(draws.rows) + 1), np.int64)
    mine = purpose[h.block.detail[draws.rows]] == np.arange(len(PURPOSES))[:, np.newaxis]
    np.add.accumulate(mine * draws.value, axis=1, out=total[:, 1:])
    return total


@feature(
    "purpose_{c}_share_{w}d",
    choices=PURPOSES,
    windows=(365,),
    unit="ratio",
    risk=0,
    null=NONE,
    detail=True,
)
def purpose_share(h: History, purpose: str, w: Window) -> Floats:
    """Share of principal drawn in the trailing {w} days for {c}, by coupon or not."""
    share: Floats = _shares(h, w)[PURPOSES.index(purpose)]
    return share


@feature(
    "purpose_concentration_{w}d",
    windows=(365,),
    unit="ratio",
    risk=0,
    null=NONE,
    detail=True,
    source=CONCENTRATION,
)
def purpose_concentration(h: History, w: Window) -> Floats:
    """Sum of the squared shares of the purposes, trailing {w} days: 1 if there is only one."""
    return sum_down(_shares(h, w) ** 2)
