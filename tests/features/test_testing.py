"""The suite that any feature is run through: ours pass it, and each fault is caught."""

import numpy as np
import pytest

from relimit.data.vocabulary import DRAW, KINDS, LIMIT
from relimit.features import Feature, History, Select, Window, catalogue, feature
from relimit.features.select import Windows
from relimit.features.testing import check_features, random_events

START = 1_700_000_000_000_000
HALF_DAY = 43_200_000_000


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


def hidden(h: History) -> np.ndarray:
    """Return `[snapshots, events]` which events of its own account each snapshot can't see yet."""
    owner = np.searchsorted(h.block.starts, np.arange(len(h.block.ts)), side="right") - 1
    return (owner == h.account[:, np.newaxis]) & (h.block.known_at > h.as_of[:, np.newaxis])


def count_all(h: History) -> np.ndarray:
    """Count the draws that are not known yet."""
    return (hidden(h) & (h.block.kind == KINDS.index(DRAW))).sum(axis=1)


def wait_for_late_ones(h: History) -> np.ndarray:
    """Count what will be known later than anything that random books have."""
    return (hidden(h) & (h.block.known_at > LATEST)).sum(axis=1)


def look_for_amounts(h: History) -> np.ndarray:
    """Count what will have larger amounts than random books have."""
    return (hidden(h) & (h.block.amount > 5_000)).sum(axis=1)


def look_for_doubles(h: History) -> np.ndarray:
    """Count what will be known an instant after the snapshot."""
    return (hidden(h) & (h.block.known_at == h.as_of[:, np.newaxis] + 1)).sum(axis=1)


def peek_by_time(h: History) -> np.ndarray:
    """Count draws by when they happened, not by when they were known."""
    happened = h.block.ts <= h.as_of[:, np.newaxis]
    return (hidden(h) & happened & (h.block.kind == KINDS.index(DRAW))).sum(axis=1)


def compare_with_others(h: History) -> np.ndarray:
    """Compare with the mean of the other snapshots."""
    return h.count(DRAW) - h.count(DRAW).mean()


def number_the_snapshots(h: History) -> np.ndarray:
    """Return the place of each snapshot."""
    return np.arange(h.size)


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


def count_down(h: History) -> np.ndarray:
    """Count below 0."""
    return -h.count(DRAW)


def count_on(h: History) -> np.ndarray:
    """Count draws, without a null."""
    return h.count(DRAW)


def look_for_a_word(h: History) -> np.ndarray:
    """Count draws with a word that no random book has."""
    return h.count(Select(DRAW, detail="our word"))


LATEST = START + HALF_DAY * 430
NULL = "no draw yet"


@pytest.mark.parametrize(
    ("function", "unit", "fault"),
    [
        (count_all, "count", "looks ahead: events not known yet were removed"),
        (peek_by_time, "count", "looks ahead: events not known yet were removed"),
        (wait_for_late_ones, "count", "looks ahead: events not known yet were delayed"),
        (look_for_amounts, "count", "looks ahead: events not known yet were changed"),
        (look_for_doubles, "count", "looks ahead: events not known yet were added"),
        (compare_with_others, "ratio", "depends on other accounts or snapshots"),
        (number_the_snapshots, "count", "depends on the order of the snapshots"),
        (write_to_the_block, "count", "fails: ValueError: .*read-only"),
        (say_nothing, "ratio", "does not return one number per snapshot"),
        (say_words, "ratio", "returns <U4, not numbers"),
        (go_beyond, "ratio", "is infinite"),
        (hide_nulls, "days", "is null, but says that it never is"),
        (count_halves, "count", "is a count, but not a whole number"),
        (count_down, "count", "is a count, but not a whole number from 0 on"),
        (count_halves, "flag", "is a flag, but neither 0 nor 1"),
        (count_halves, "fen", "is fen, but not whole"),
        (count_down, "minutes", "is minutes, but below 0"),
        (look_for_a_word, "count", "never varies: give details= or events= of yours"),
    ],
)
def test_a_faulty_feature_is_caught(function: object, unit: str, fault: str) -> None:
    feature("faulty", unit=unit, risk=0)(function)  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=f"faulty {fault}"):
        check_features(newest(), books=1)


def test_a_declared_null_that_an_empty_account_does_not_have_is_caught() -> None:
    feature("faulty", unit="count", risk=0, null=NULL)(count_on)
    with pytest.raises(AssertionError, match=r"faulty is 0\.0 for an account without events"):
        check_features(newest(), books=1)


def test_words_and_books_of_ones_own_are_looked_at() -> None:
    feature("with_our_word", unit="count", risk=0)(look_for_a_word)
    check_features(newest(), books=1, details=["our word"])
    check_features(newest(), books=1, events=lambda seed: random_events(seed, details=["our word"]))


def test_a_feature_that_takes_windows_for_one_another_is_caught() -> None:
    @feature("first_window_{w}d", windows=(7, 30), together=True, unit="count", risk=0)
    def first_window(h: History, w: Window | Windows) -> np.ndarray:
        """Count draws, of several windows in the longest."""
        if isinstance(w, Window):
            return h.count(DRAW, w)
        return np.tile(h.count(DRAW, Window(max(w.days))), (len(w.days), 1))

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
