"""Operations on the account, outside outages: failed logins, changed devices, phones and cards."""

import numpy as np

from relimit.data.vocabulary import MICROSECONDS_PER_DAY, OPERATION, OUTAGE
from relimit.features.history import Bools, History, Ints, Select, Window
from relimit.features.registry import feature
from relimit.features.sequences import MINUTE
from relimit.features.series import Series

SOURCE = "practice: account-takeover rules in fraud prevention"

TYPES = ("login_failed", "device_change", "phone_change", "card_change", "limit_check")
EXCUSED_LATE = 7 * MICROSECONDS_PER_DAY
"""An outage learned of this much after the operation still excuses it; no window is shorter."""


@feature(
    "{c}_count_{w}d",
    choices=TYPES,
    windows=(30, 90),
    unit="count",
    together=True,
    risk=0,
    detail=True,
)
def operation_count(h: History, kind: str, w: Window) -> Ints:
    """Operations {c} in the trailing {w} days, outside outages."""
    return _outside_outages(h, Select(OPERATION, detail=kind), w)


@feature("operation_count_{w}d", windows=(7, 90), unit="count", together=True, risk=0)
def all_operations_count(h: History, w: Window) -> Ints:
    """Operations of any type in the trailing {w} days, outside outages."""
    return _outside_outages(h, Select(OPERATION), w)


def _outside_outages(h: History, select: Select, w: Window) -> Ints:
    """Count operations in a window, less those that an outage known by the snapshot excuses.

    Excuses are counted when learned of, and taken back once their operation has left the window;
    the window is at least as long as an excuse may come late, so that none is taken back unseen.
    """
    count = h.count(select, w)
    if h.without(OUTAGE) or len(_all_excused(h)[0]) == 0:
        return count
    learned, left = _excuses(h, select)
    if len(learned.rows) == 0:
        return count
    excused: Ints = h.sum_before(learned) - h.sum_before(left, w.days)
    return count - excused


def _excuses(h: History, select: Select) -> tuple[Series, Series]:
    """Return the excused operations, at the rows where that was learned and at their own."""
    found: tuple[Series, Series] = h.cached(("excuses", select), lambda: _find_excuses(h, select))
    return found


def _find_excuses(h: History, select: Select) -> tuple[Series, Series]:
    own, learned = _all_excused(h)
    chosen = select.chosen(h.block, own)
    own, learned = (own[:0], learned[:0]) if chosen is None else (own[chosen], learned[chosen])
    distinct, count = np.unique(learned, return_counts=True)
    size = len(h.block.kind)
    return Series(distinct, count.astype(np.int64), size), Series(own, np.ones_like(own), size)


def _all_excused(h: History) -> tuple[Ints, Ints]:
    """Return what `_excused` does, found once for operations of all types."""
    found: tuple[Ints, Ints] = h.cached("excused operations", lambda: _excused(h))
    return found


def _excused(h: History) -> tuple[Ints, Ints]:
    """Return the rows of the operations inside an outage, and the rows where that was learned.

    Each is held against the last outage learned of before it and the first one after it.
    """
    rows, outages = h.series(OPERATION).rows, h.series(OUTAGE)
    if len(outages.rows) == 0 or len(rows) == 0:
        return rows[:0], rows[:0]
    place = outages.before(rows)
    start = h.row_start
    before = outages.rows[np.maximum(place - 1, 0)]
    earlier = (place > 0) & (start[before] == start[rows]) & _covers(h, before, rows)
    after = outages.rows[np.minimum(place, len(outages.rows) - 1)]
    late = h.block.known_at[after] - h.block.known_at[rows]
    later = (place < len(outages.rows)) & (start[after] == start[rows]) & (late <= EXCUSED_LATE)
    later &= _covers(h, after, rows) & ~earlier
    learned = np.where(earlier, rows, after)
    return rows[earlier | later], learned[earlier | later]


def _covers(h: History, outage: Ints, rows: Ints) -> Bools:
    """Return whether each row's event happened during an outage."""
    begin = h.block.ts[outage]
    end = begin + h.block.value[outage].astype(np.int64) * MINUTE
    ts = h.block.ts[rows]
    return (begin <= ts) & (ts < end)
