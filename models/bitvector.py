"""Trees evaluated by bit vectors, many rows at once: QuickScorer (Lucchese et al. 2015) in numba.

Each tree starts with a bit for every leaf. A node that a row passes to the right strikes out the
leaves on its left; in the end the leftmost leaf that stands is the row's. Nodes can be asked in
any order and without a branch, so that each is compared with a block of rows by vector
instructions.
"""

from typing import Any, Final

import numba
import numpy as np
from numba.cpython.unsafe.numbers import trailing_zeros
from numpy.typing import NDArray

from relimit.models.ensemble import Ensemble

BLOCK: Final = 256
"""Rows a block: its columns stay in the cache, and a node's set-up is spread over enough rows."""

ZERO: Final = float(np.float32(1e-35))
"""LightGBM takes all that is not larger than this for 0."""

_EVERY: Final = np.uint64(0xFFFF_FFFF_FFFF_FFFF)
_NONE, _AS_ZERO = 0, 1


def evaluate(trees: Ensemble, X: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the sum of the trees' leaves for each row, to the last bit as LightGBM has it.

    It lets go of the interpreter's lock: threads can evaluate different rows at the same time.

    Parameters
    ----------
    X
        `[n, features]` C-contiguous; NaN is a missing value.

    Returns
    -------
    NDArray[np.float64]
        `[n]` raw scores, the trees added one after another.
    """
    rows = X.view()
    rows.flags.writeable = False  # the one type that the compiled code is kept for
    out = np.zeros(len(X))
    _evaluate(trees, rows, out)
    return out


def _fill(trees: Any, X: Any, start: Any, rows: Any, columns: Any) -> None:
    """Copy a block of rows column by column, each view with its own missing values."""
    for view in range(len(trees.feature)):
        feature, missing = trees.feature[view], trees.missing[view]
        for row in range(rows):
            value = X[start + row, feature]
            if np.abs(value) <= ZERO or (missing == _NONE and np.isnan(value)):
                value = np.nan if missing == _AS_ZERO else 0.0
            columns[view, row] = value


def _strike(trees: Any, tree: Any, columns: Any, rows: Any, standing: Any) -> None:
    """Strike out the leaves of one tree that the rows of a block can't reach."""
    for row in range(rows):
        standing[row] = _EVERY
    for node in range(trees.first_node[tree], trees.first_node[tree + 1]):
        threshold, kept = trees.threshold[node], trees.kept[node]
        column = columns[trees.view_of[node]]
        if trees.missing_right[node]:
            for row in range(rows):
                standing[row] &= _EVERY if column[row] <= threshold else kept
        else:
            for row in range(rows):
                standing[row] &= kept if column[row] > threshold else _EVERY


def _sum_leaves(trees: Any, X: Any, out: Any) -> None:
    columns = np.empty((len(trees.feature), BLOCK))
    standing = np.empty(BLOCK, np.uint64)
    for start in range(0, len(X), BLOCK):
        rows = min(BLOCK, len(X) - start)
        _fill_columns(trees, X, start, rows, columns)
        for tree in range(len(trees.first_leaf)):
            _strike_leaves(trees, tree, columns, rows, standing)
            leaves = trees.value[trees.first_leaf[tree] :]
            for row in range(rows):
                out[start + row] += leaves[trailing_zeros(standing[row])]


_compiled: Final = numba.njit(cache=True, nogil=True, error_model="numpy")
_fill_columns: Final = _compiled(_fill)
_strike_leaves: Final = _compiled(_strike)
_evaluate: Final = _compiled(_sum_leaves)
