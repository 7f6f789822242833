"""LightGBM's trees as flat arrays, in the order in which the bit-vector evaluator reads them."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_LEAVES: Final = 64
"""A tree's leaves are the bits of one machine word."""

_DEFAULT_LEFT, _MISSING_SHIFT = 2, 2
_NEEDED: Final = {"version": "v4", "num_class": "1", "num_tree_per_iteration": "1"}


class Ensemble(NamedTuple):
    """Trees with numerical splits; the arrays of all trees' nodes and leaves lie end to end.

    A view is one feature as the nodes that use it see missing values.

    Attributes
    ----------
    feature
        `[views]` int64, the column that a view shows.
    missing
        `[views]` int64, LightGBM's missing type: 0 none (NaN is 0), 1 zero (0 is NaN), 2 NaN.
    view_of
        `[nodes]` int64, the view that a node compares.
    threshold
        `[nodes]` float64; a row goes left where the value is at most this.
    kept
        `[nodes]` uint64, the leaves that a row can still reach once it has gone right.
    missing_right
        `[nodes]` bool, whether a row without the value goes right.
    first_node, first_leaf
        `[trees + 1]`, `[trees]` int64: where each tree's nodes and leaves begin.
    value
        `[leaves]` float64, the leaves of each tree from left to right.
    """

    feature: NDArray[np.int64]
    missing: NDArray[np.int64]
    view_of: NDArray[np.int64]
    threshold: NDArray[np.float64]
    kept: NDArray[np.uint64]
    missing_right: NDArray[np.bool_]
    first_node: NDArray[np.int64]
    first_leaf: NDArray[np.int64]
    value: NDArray[np.float64]


class UnsuitableError(ValueError):
    """Trees that the bit-vector evaluator can't take; the message says which."""


def read_ensemble(text: str) -> Ensemble:
    """Return the trees of LightGBM's text, from which floats come back exactly.

    Raises
    ------
    UnsuitableError
        If a tree has a categorical split, a linear leaf or more than 64 leaves, if the trees'
        sum is no score (averages, several classes), or if the text is of another version.
    """
    header, *sections = text.partition("\nend of trees")[0].split("\nTree=")
    _check_header(header)
    trees = [_Tree(_entries(section)) for section in sections]
    nodes = [node for tree in trees for node in tree.nodes()]
    views = sorted({(node.feature, node.missing) for node in nodes})
    place = {view: number for number, view in enumerate(views)}
    return Ensemble(
        feature=np.array([feature for feature, _ in views], np.int64),
        missing=np.array([missing for _, missing in views], np.int64),
        view_of=np.array([place[node.feature, node.missing] for node in nodes], np.int64),
        threshold=np.array([node.threshold for node in nodes], np.float64),
        kept=np.array([node.kept for node in nodes], np.uint64),
        missing_right=np.array([node.missing_right for node in nodes], np.bool_),
        first_node=np.cumsum([0, *(len(tree.leaves) - 1 for tree in trees)], dtype=np.int64),
        first_leaf=np.cumsum([0, *(len(tree.leaves) for tree in trees)], dtype=np.int64)[:-1],
        value=np.array([value for tree in trees for value in tree.values()], np.float64),
    )


def columns_read(text: str) -> list[int]:
    """Return the columns that a split of the text's trees compares or a leaf weighs, ascending.

    No score and no contribution depends on the others. LightGBM's importances don't count splits
    without a gain, such as those of a tree that was written, not grown.
    """
    read = re.findall(r"^(?:split_feature|leaf_features)=(.*)$", text, re.M)
    return sorted({int(word) for line in read for word in line.split()})


class _Node(NamedTuple):
    feature: int
    missing: int
    threshold: float
    kept: int
    missing_right: bool


class _Tree:
    """One tree of the text: its leaves from left to right, and what lies left of each node."""

    def __init__(self, entries: Mapping[str, str]) -> None:
        self.entries = entries
        size = int(entries["num_leaves"])
        if size > MOST_LEAVES:
            raise UnsuitableError(f"a tree has {size} leaves, more than {MOST_LEAVES}")
        if entries["num_cat"] != "0":
            raise UnsuitableError("a tree has a categorical split")
        if entries["is_linear"] != "0":
            raise UnsuitableError("a tree has linear leaves")
        self.leaves: list[int] = []
        self.left_of: dict[int, int] = {}
        self.child = list(zip(self._ints("left_child"), self._ints("right_child"), strict=True))
        self._walk(0 if size > 1 else -1)

    def nodes(self) -> Iterator[_Node]:
        """Yield the inner nodes."""
        thresholds = map(float, self.entries["threshold"].split())
        columns = (self._ints("split_feature"), self._ints("decision_type"), thresholds)
        for node, (feature, decision, threshold) in enumerate(zip(*columns, strict=True)):
            every = (1 << MOST_LEAVES) - 1
            yield _Node(
                feature=feature,
                missing=decision >> _MISSING_SHIFT,
                threshold=threshold,
                kept=every & ~self.left_of[node],
                missing_right=not decision & _DEFAULT_LEFT,
            )

    def values(self) -> list[float]:
        """Return the leaves' values from left to right."""
        values = self.entries["leaf_value"].split()
        return [float(values[leaf]) for leaf in self.leaves]

    def _walk(self, node: int) -> int:
        """Return the leaves below a node as bits; LightGBM writes leaf `i` as `~i`."""
        if node < 0:
            self.leaves.append(~node)
            return 1 << (len(self.leaves) - 1)
        left, right = self.child[node]
        self.left_of[node] = self._walk(left)
        return self.left_of[node] | self._walk(right)

    def _ints(self, name: str) -> list[int]:
        return [int(word) for word in self.entries.get(name, "").split()]


def _check_header(header: str) -> None:
    entries = _entries(header)
    for name, needed in _NEEDED.items():
        if entries.get(name) != needed:
            raise UnsuitableError(f"{name} is {entries.get(name)}, not {needed}")
    if "average_output" in header.splitlines():
        raise UnsuitableError("the trees are averaged, not summed")


def _entries(section: str) -> dict[str, str]:
    lines: list[Any] = [line.split("=", 1) for line in section.splitlines() if "=" in line]
    return dict(lines)
