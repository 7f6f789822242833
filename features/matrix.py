"""Features at the snapshots of one block, those that differ by their window alone together."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import compress
from typing import Any

import numpy as np

from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.schema import events_schema
from relimit.features.history import Floats, History, Ints
from relimit.features.places import Place, as_slice
from relimit.features.registry import Feature, catalogue, feature_names, find_features
from relimit.features.select import Windows
from relimit.features.tabled import Tabled

Calls = tuple[tuple[Place, Callable[[History], Floats | Ints]], ...]
"""Which columns to compute by which calls."""


def feature_matrix(
    history: History,
    names: Sequence[str] | None = None,
    needed: frozenset[str] | None = None,
) -> Floats:
    """Return the features at a history's snapshots.

    Parameters
    ----------
    history
        A block with its snapshots.
    names
        Which features, in which order; None takes the catalogue.
    needed
        Those that anybody looks at: the others are not computed, and null. None takes all.

    Returns
    -------
    Floats
        `[snapshots, features]`, C-contiguous; NaN is null.

    Raises
    ------
    DataError
        A name of those computed is unknown.

    Examples
    --------
    Two prepayments on day 3 and day 5, seen on day 4 and on day 6:

    >>> import pyarrow as pa
    >>> day = 86_400_000_000
    >>> block = blocks_from_table(pa.table({
    ...     "account_id": [7, 7],
    ...     "ts": pa.array([3 * day, 5 * day], pa.timestamp("us", tz="UTC")),
    ...     "kind": ["prepayment", "prepayment"],
    ...     "amount": [60_000, 10_000],
    ... }))
    >>> history = History(block, account=np.array([0, 0]), as_of=np.array([4 * day, 6 * day]))
    >>> feature_matrix(history, ["prepay_count_30d", "prepay_sum_30d"])
    array([[1.e+00, 6.e+04],
           [2.e+00, 7.e+04]])
    """
    if needed is None:
        features = catalogue() if names is None else find_features(names)
        return np.ascontiguousarray(matrix_of(history, features))
    names = feature_names() if names is None else tuple(names)
    places, computed = _needed_of(names, needed)
    matrix = np.full((history.size, len(names)), np.nan)
    matrix[:, places] = matrix_of(history, find_features(computed))
    return matrix


@lru_cache(16)
def _needed_of(names: tuple[str, ...], needed: frozenset[str]) -> tuple[Ints, tuple[str, ...]]:
    """Return which of the names are needed: their places, and themselves."""
    places = [place for place, name in enumerate(names) if name in needed]
    return np.array(places, np.int64), tuple(names[place] for place in places)


def matrix_of(history: History, features: Sequence[Feature]) -> Floats:
    """Return `[snapshots, features]`, column after column in memory: so they are written."""
    columns = np.empty((len(features), history.size))
    features = tuple(features)
    ways = _tabled(features) if history.few else ()
    calls = next((others for tabled, others in ways if tabled.fill(columns, history)), None)
    for place, compute in _calls(features) if calls is None else calls:
        columns[place] = compute(history)
    return columns.T


@lru_cache(16)
def _tabled(features: tuple[Feature, ...]) -> tuple[tuple[Tabled, Calls], ...]:
    """Return the features that few snapshots have from tables, and the calls for the others.

    The first way has more of them from tables, and asks more of the history.
    """
    ways = [Tabled.of(features, lacking=lacking) for lacking in (True, False)]
    return tuple((tabled, _grouped(features, others)) for tabled, others in ways)


@lru_cache(16)
def _calls(features: tuple[Feature, ...]) -> Calls:
    return _grouped(features, [True] * len(features))


def _grouped(features: tuple[Feature, ...], asked: Sequence[bool]) -> Calls:
    """Return which columns to compute by which calls: those that can be had together, together."""
    groups: dict[Any, list[int]] = {}
    for place in compress(range(len(features)), asked):
        known = features[place]
        groups.setdefault(known.together or known.name, []).append(place)
    return tuple(_call(features, places) for places in groups.values())


def _call(
    features: Sequence[Feature], places: list[int]
) -> tuple[Place, Callable[[History], Floats | Ints]]:
    first = features[places[0]]
    together = first.together
    if together is None or len(places) == 1:
        return places[0], first.compute
    windows = Windows(tuple(features[place].window or 0 for place in places))
    return as_slice(places), lambda history: together(history, windows)


def empty_block() -> EventBlock:
    """Return a block without accounts."""
    return blocks_from_table(events_schema().empty_table())
