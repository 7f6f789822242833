"""The suite that any feature is run through: ours pass it, and each fault is caught."""

import numpy as np
import pytest

from relimit.data.vocabulary import DRAW, LIMIT
from relimit.features import Feature, History, Window, catalogue, feature
from relimit.features.select import Windows
from relimit.features.testing import check_features


def newest() -> list[Feature]:
    return [catalogue()[-1]]


def test_every_built_in_feature_passes() -> None:
    check_features(catalogue())


def test_a_users_feature_passes() -> None:
    @feature("draws_per_limit", unit="ratio", risk=0, null="no limit known")
    def draws_per_limit(h: History) -> np.ndarray:
        """Draws ÷ limits set."""
        limits = h.count(LIMIT)
        return np.where(limits > 0, h.count(DRAW) / np.maximum(limits, 1), np.nan)

    check_features(newest())


def look_ahead(h: History) -> np.ndarray:
    """Count every draw of the account, known or not."""
    draws = h.series(DRAW)
    last = np.append(h.block.starts, 0)[np.where(h.account >= 0, h.account + 1, -1)]
    return draws.before(last) - draws.before(h.start)


def peek_by_time(h: History) -> np.ndarray:
    """Count draws by when they happened, not by when they were known."""
    owner = np.searchsorted(h.block.starts, np.arange(len(h.block.ts)), side="right") - 1
    draw = np.isin(np.arange(len(owner)), h.series(DRAW).rows)
    mine = (owner == h.account[:, np.newaxis]) & (h.block.ts <= h.as_of[:, np.newaxis])
    return (mine & draw).sum(axis=1)


def compare_with_others(h: History) -> np.ndarray:
    """Compare with the mean of the other snapshots."""
    return h.count(DRAW) - h.count(DRAW).mean()


def write_to_the_block(h: History) -> np.ndarray:
    """Double the amounts in place."""
    h.block.amount[:] *= 2
    return h.count(DRAW)


def say_nothing(h: History) -> np.ndarray:
    """Return one number for all."""
    return np.array([1.0])


def say_words(h: History) -> np.ndarray:
    """Return words."""
    return np.full(h.size, "many")


def go_beyond(h: History) -> np.ndarray:
    """Divide by nothing."""
    return np.where(h.count(DRAW) > 0, 1.0, np.inf)


def hide_nulls(h: History) -> np.ndarray:
    """Return nulls that were not declared."""
    return h.since(DRAW)


def count_halves(h: History) -> np.ndarray:
    """Count by halves."""
    return h.count(DRAW) / 2


@pytest.mark.parametrize(
    ("function", "unit", "fault"),
    [
        (look_ahead, "count", "looks ahead: events not known yet were removed"),
        (peek_by_time, "count", "looks ahead"),
        (compare_with_others, "ratio", "depends on other accounts or snapshots"),
        (write_to_the_block, "count", "fails: ValueError: .*read-only"),
        (say_nothing, "ratio", "does not return one number per snapshot"),
        (say_words, "ratio", "returns <U4, not numbers"),
        (go_beyond, "ratio", "is infinite"),
        (hide_nulls, "days", "is null, but says that it never is"),
        (count_halves, "count", "is a count, but not a whole number"),
        (count_halves, "flag", "is a flag, but neither 0 nor 1"),
    ],
)
def test_a_faulty_feature_is_caught(function: object, unit: str, fault: str) -> None:
    feature("faulty", unit=unit, risk=0)(function)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=f"faulty {fault}"):
        check_features(newest())


def test_a_feature_that_takes_windows_for_one_another_is_caught() -> None:
    @feature("first_window_{w}d", windows=(7, 30), together=True, unit="count", risk=0)
    def first_window(h: History, w: Window | Windows) -> np.ndarray:
        """Count draws, of several windows in the longest."""
        days = w.days if isinstance(w.days, int) else max(w.days)
        return h.count(DRAW, Window(days))[np.newaxis if isinstance(w, Windows) else ...]

    with pytest.raises(AssertionError, match="first_window_7d differs where asked with others"):
        check_features(catalogue()[-2:])


def test_a_feature_that_depends_on_row_order_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    @feature("first_row", unit="fen", risk=0)
    def first_row(h: History) -> np.ndarray:
        """Remember how the very first event came."""
        return np.full(h.size, float(next(calls)))

    calls = iter(range(10**6))
    with pytest.raises(AssertionError, match="first_row depends on the order of the rows"):
        check_features(newest())
