"""Purpose mix: what the money is drawn for."""

import numpy as np

from relimit.data.vocabulary import COUPON_PREFIX, DRAW
from relimit.features.arithmetic import ratio
from relimit.features.history import Floats, History, Select, Window
from relimit.features.registry import feature

PURPOSES = ("shopping", "travel", "medical", "education", "home", "other")
NONE = "nothing drawn in the trailing {w} days"


def _share(h: History, purpose: str, w: Window) -> Floats:
    drawn = Select(DRAW, detail=(purpose, COUPON_PREFIX + purpose))
    found: Floats = h.cached(
        ("purpose", purpose, w), lambda: ratio(h.sum(drawn, w), h.sum(DRAW, w))
    )
    return found


@feature(
    "purpose_{c}_share_{w}d", choices=PURPOSES, windows=(365,), unit="ratio", risk=0, null=NONE
)
def purpose_share(h: History, purpose: str, w: Window) -> Floats:
    """Share of principal drawn in the trailing {w} days for {c}, by coupon or not."""
    return _share(h, purpose, w)


@feature("purpose_concentration_{w}d", windows=(365,), unit="ratio", risk=0, null=NONE)
def purpose_concentration(h: History, w: Window) -> Floats:
    """Sum of the squared shares of the purposes, trailing {w} days: 1 if there is only one."""
    total = np.zeros(h.size)
    for purpose in PURPOSES:
        total += _share(h, purpose, w) ** 2
    return total
