"""Few snapshots have many features from tables: the same bits that a call for each would give."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from relimit.data.events import blocks_from_table
from relimit.data.vocabulary import DRAW, OUTAGE, PREPAYMENT
from relimit.features import Feature, History, Window, catalogue, feature_matrix, tabled
from relimit.features.arithmetic import days, ratio
from relimit.features.stand_in import StandIn, entry_of
from relimit.features.tabled import Tabled
from relimit.features.testing import random_events

START = 1_700_000_000_000_000
DAY = 86_400_000_000


def book(seed: int, *, outages: bool, lacks: str | None = None) -> pa.Table:
    """Return random events with an amount each, but one of a kind that lacks it."""
    events = random_events(seed)
    if not outages:
        events = events.filter(pc.not_equal(events["kind"].cast(pa.string()), OUTAGE))
    amount = pc.fill_null(events["amount"], 700)
    if lacks is not None:
        first = events["kind"].cast(pa.string()).to_pylist().index(lacks)
        rows = np.arange(events.num_rows)
        amount = pa.array(amount.to_numpy(), mask=rows == first)
    return events.set_column(events.column_names.index("amount"), "amount", amount)


def history(events: pa.Table, seed: int, snapshots: int = 8) -> History:
    block = blocks_from_table(events)
    rng = np.random.default_rng(seed)
    account = rng.integers(-1, len(block.account_ids), snapshots)
    return History(block, account, START + DAY * rng.integers(-1, 230, snapshots))


def one_by_one(asked: History) -> np.ndarray:
    again = History(asked.block, asked.account, asked.as_of)
    return np.array([known.compute(again) for known in catalogue()], np.float64).T


def fills(asked: History, *, lacking: bool) -> bool:
    found, _ = Tabled.of(catalogue(), lacking=lacking)
    return found.fill(np.empty((len(catalogue()), asked.size)), asked)


@pytest.mark.parametrize("outages", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_tables_give_the_bits_that_calls_give(seed: int, outages: bool) -> None:
    asked = history(book(seed, outages=outages), seed)
    assert fills(asked, lacking=False)
    assert fills(asked, lacking=True) == (not outages)
    assert np.array_equal(feature_matrix(asked), one_by_one(asked), equal_nan=True)


def test_one_account_alone_has_the_same_bits() -> None:
    events = book(3, outages=False)
    for account in range(12):
        asked = history(
            events.filter(pc.equal(events["account_id"], account)), account, snapshots=1
        )
        assert np.array_equal(feature_matrix(asked), one_by_one(asked), equal_nan=True)


@pytest.mark.parametrize("kind", ["due", "limit", PREPAYMENT])
def test_an_event_without_its_amount_is_left_to_the_calls(kind: str) -> None:
    asked = history(book(1, outages=False, lacks=kind), 1)
    assert not fills(asked, lacking=True)
    assert np.array_equal(feature_matrix(asked), one_by_one(asked), equal_nan=True)


def test_no_snapshot_has_no_row() -> None:
    asked = history(book(2, outages=False), 2, snapshots=0)
    assert not fills(asked, lacking=True)
    assert feature_matrix(asked).shape == (0, len(catalogue()))


def test_large_blocks_and_empty_ones_are_left_to_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    events = book(2, outages=False)
    assert not fills(history(events.slice(0, 0), 2, snapshots=2), lacking=True)
    monkeypatch.setattr(tabled, "MOST_EVENTS", events.num_rows - 1)
    assert not fills(history(events, 2), lacking=True)


def test_most_features_are_of_tables() -> None:
    """What makes a live decision quick is not lost unseen."""
    _, others = Tabled.of(catalogue(), lacking=True)
    assert others.count(False) >= 94


@pytest.mark.parametrize(
    "compute",
    [
        lambda h: ratio(h.sum(DRAW, Window(30)), h.sum(PREPAYMENT, Window(30))),
        lambda h: h.count(DRAW, Window(365)),
        lambda h: days(h.mean(h.found(_nothing), Window(90))),
    ],
    ids=["share", "count", "mean"],
)
def test_a_number_or_a_share_is_of_tables(compute: Callable[[Any], Any]) -> None:
    assert entry_of(feature_of(compute), StandIn(lacking=False)) is not None


@pytest.mark.parametrize(
    "compute",
    [
        lambda h: h.count(DRAW, Window(31)),
        lambda h: h.count(DRAW, Window(30, ago=30)),
        lambda h: np.maximum(h.sum(DRAW), 0),
        lambda h: np.rint(h.mean(DRAW, Window(30))),
        lambda h: -h.since(DRAW),
        lambda h: h.sum(DRAW) + h.sum(PREPAYMENT),
        lambda h: h.sum(DRAW) if h.count(DRAW) else h.sum(PREPAYMENT),
        lambda h: np.where(h.count(DRAW) > 0, 1.0, 0.0),
        lambda h: ratio(ratio(h.sum(DRAW), h.count(DRAW)), h.count(PREPAYMENT)),
        lambda h: days(h.sum(DRAW)),
        lambda h: h.mean(DRAW, Window(30)),
        lambda h: h.last_amount(DRAW, back=1),
        lambda h: h.block.amount[:1],
        lambda h: h.sum(DRAW) if h.without(OUTAGE) else h.count(DRAW),
        lambda _: np.zeros(1),
    ],
)
def test_what_is_more_than_that_is_not(compute: Callable[[Any], Any]) -> None:
    assert entry_of(feature_of(compute), StandIn(lacking=False)) is None


def test_what_is_asked_after_is_noted() -> None:
    stand_in = StandIn(lacking=True)
    known = feature_of(lambda h: h.sum(DRAW) if h.without(OUTAGE) else h.count(DRAW))
    assert entry_of(known, stand_in) is not None
    assert stand_in.lacks == {OUTAGE}


def feature_of(compute: Callable[[Any], Any]) -> Feature:
    found: Any = SimpleNamespace(compute=compute, together=None)
    return found


def _nothing(h: History) -> Any:
    return h.series(DRAW)
