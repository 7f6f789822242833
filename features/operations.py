"""Operations on the account, outside outages: failed logins, changed devices, phones and cards."""

import numpy as np

from relimit.data.vocabulary import MICROSECONDS_PER_DAY, OPERATION, OUTAGE
from relimit.features.history import Bools, History, Ints, Select, Window
from relimit.features.registry import feature
from relimit.features.sequences import MINUTE
from relimit.features.series import Series

TYPES = ("login_failed", "device_change", "phone_change", "card_change", "limit_check")
EXCUSED_LATE = 7 * MICROSECONDS_PER_DAY
"""An outage learned of this much after the operation still excuses it; no window is shorter."""


@feature("{c}_count_{w}d", choices=TYPES, windows=(30, 90), unit="count", risk=0)
def operation_count(h: History, kind: str, w: Window) -> Ints:
    """Operations {c} in the trailing {w} days, outside outages."""
    return _outside_outages(h, Select(OPERATION, detail=kind), w)


@feature("operation_count_{w}d", windows=(7, 90), unit="count", risk=0)
def all_operations_count(h: History, w: Window) -> Ints:
    """Operations of any type in the trailing {w} days, outside outages."""
    return _outside_outages(h, Select(OPERATION), w)


def _outside_outages(h: History, select: Select, w: Window) -> Ints:
    """Count operations in a window, less those that an outage known by the snapshot excuses.

    Excuses are counted when learned of, and taken back once their operation has left the window;
    the window is at least as long as an excuse may come late, so that none is taken back unseen.
    """
    count = h.count(select, w)
    if len(h.series(OUTAGE).rows) == 0:
        return count
    learned, left = _excuses(h, select)
    start = h.start
    excused = _sum_before(learned, h.end(), start) - _sum_before(left, h.end(w.days), start)
    return count - excused


def _sum_before(series: Series, end: Ints, start: Ints) -> Ints:
    return series.total[series.before(end)] - series.total[series.before(start)]


def _excuses(h: History, select: Select) -> tuple[Series, Series]:
    """Return the excused operations, at the rows where that was learned and at their own."""
    name = f"excuses of {select}"
    learned = h.derive(f"{name}, learned", lambda: _by_row(_excused(h, select)[1]))
    left = h.derive(f"{name}, own", lambda: _by_row(_excused(h, select)[0]))
    return learned, left


def _by_row(rows: Ints) -> tuple[Ints, Ints]:
    distinct, count = np.unique(rows, return_counts=True)
    return distinct, count.astype(np.int64)


def _excused(h: History, select: Select) -> tuple[Ints, Ints]:
    """Return the rows of the operations inside an outage, and the rows where that was learned.

    Each is held against the last outage learned of before it and the first one after it.
    """
    rows, outages = h.series(select).rows, h.series(OUTAGE)
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
