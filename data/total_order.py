"""The one order of an account's events, in whichever order their rows came."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

_CONTENT: Final = (
    "detail",
    "value",
    "has_value",
    "amount",
    "has_amount",
    "loan_id",
    "has_loan_id",
)
"""What sorts events of one kind at one time, the last first."""

FEW_ROWS: Final = 256
"""Up to so many rows are sorted by every column at once."""


def in_total_order(
    starts: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return the columns of whole accounts with each account's rows in the total order."""
    order = _total_order(starts, columns)
    if order is None:
        return columns
    return {name: column.take(order) for name, column in columns.items()}


def _total_order(
    starts: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> NDArray[np.int64] | None:
    """Return the permutation that sorts each account's rows; None if they are sorted already."""
    known_at = columns["known_at"]
    if len(known_at) <= FEW_ROWS:
        return _order_of_few(starts, columns)
    order = None
    inner = starts[1:-1] - 1
    later = known_at[1:] > known_at[:-1]
    later[inner] = True
    if later.all():
        return None
    alike = np.flatnonzero(~later)
    if (known_at[alike + 1] < known_at[alike]).any():
        order = np.lexsort((known_at, np.repeat(np.arange(len(starts) - 1), np.diff(starts))))
        known_at = known_at[order]
    tie = known_at[1:] == known_at[:-1]
    tie[inner] = False
    if not tie.any():
        return order
    rows = np.flatnonzero(np.append(tie, False) | np.insert(tie, 0, False))
    group = np.cumsum(np.insert(~tie, 0, False))[rows]
    source = rows if order is None else order[rows]
    sorted_ = _ties_sorted(group, source, columns)
    if np.array_equal(sorted_, source):
        return order
    if order is None:
        order = np.arange(len(known_at))
    order[rows] = sorted_
    return order


def _order_of_few(
    starts: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> NDArray[np.int64] | None:
    """Return the same by every column at once: for few rows, calls cost more than their work."""
    account = np.repeat(np.arange(len(starts) - 1), starts[1:] - starts[:-1])
    keys = (columns[name] for name in (*_CONTENT, "kind", "ts", "known_at"))
    order = np.lexsort((*keys, account))
    return None if (order[1:] > order[:-1]).all() else order


def _ties_sorted(
    group: NDArray[np.int64], source: NDArray[np.int64], columns: dict[str, NDArray[Any]]
) -> NDArray[np.int64]:
    """Return the rows `source` with each group sorted by time and kind, and then by all else.

    Few rows are alike in time and kind: the other columns, which cost ten times as much, are
    sorted for those alone.
    """
    source = source[np.lexsort((columns["kind"][source], columns["ts"][source], group))]
    alike = np.diff(group) == 0
    for name in ("ts", "kind"):
        alike &= np.diff(columns[name][source]) == 0
    twins = np.flatnonzero(np.append(alike, False) | np.insert(alike, 0, False))
    run = np.cumsum(np.insert(~alike, 0, False))[twins]
    mine = source[twins]
    source[twins] = mine[np.lexsort((*(columns[name][mine] for name in _CONTENT), run))]
    return source
