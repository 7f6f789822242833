"""The timeline: which rows were known at a moment, against a plain loop over each account."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.events import EventBlock
from relimit.features.timeline import MANY, Timeline

DAY = 86_400_000_000


def a_block(lengths: list[int], spread: int, rng: np.random.Generator) -> EventBlock:
    """Accounts of so many events, known on some of `spread` days."""
    times = [np.sort(rng.integers(0, spread, length)) * DAY for length in lengths]
    known_at = np.concatenate([np.empty(0, np.int64), *times])
    nothing = np.zeros(len(known_at), np.int64)
    flags = np.ones(len(known_at), np.bool_)
    return EventBlock(
        account_ids=np.arange(len(lengths)),
        starts=np.cumsum([0, *lengths]),
        ts=known_at,
        known_at=known_at,
        kind=nothing.astype(np.int8),
        amount=nothing,
        has_amount=flags,
        value=nothing.astype(np.int32),
        has_value=flags,
        loan_id=nothing,
        has_loan_id=flags,
        detail=nothing.astype(np.int32) - 1,
        details=(),
    )


@given(
    lengths=st.lists(st.sampled_from([1, 2, 3, 4, 7, 8, 60]), min_size=1, max_size=6),
    spread=st.sampled_from([1, 5, 400, 40_000_000]),
    asked=st.sampled_from([1, MANY, MANY + 1]),
    days=st.sampled_from([0, 1, 7, 400]),
    seed=st.integers(0, 999),
)
@settings(max_examples=80, deadline=None)
def test_the_rows_known_by_a_moment_are_found(
    lengths: list[int], spread: int, asked: int, days: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    block = a_block(lengths, spread, rng)
    account = rng.integers(-1, len(lengths), asked)
    as_of = rng.integers(-2, spread + 2, asked) * DAY + rng.integers(-1, 2, asked)
    found = Timeline(block, account, as_of).rows(days)
    expected = []
    for place, moment in zip(account.tolist(), (as_of - days * DAY).tolist(), strict=True):
        mine = range(block.starts[place], block.starts[place + 1]) if place >= 0 else []
        known = sum(int(block.known_at[row] <= moment) for row in mine)
        expected.append((block.starts[place] if place >= 0 else 0) + known)
    assert found.tolist() == expected


def test_a_long_account_among_short_ones_is_searched_to_its_end() -> None:
    lengths = [3] * 50 + [1000] + [3] * 50
    block = a_block(lengths, 400, np.random.default_rng(0))
    account = np.arange(20 * len(lengths)) % len(lengths)
    timeline = Timeline(block, account, np.full(len(account), 500 * DAY))
    assert len(account) >= MANY
    for found in (timeline.rows(0), *timeline.rows(np.array([[0], [1]]))):
        assert found.tolist() == block.starts[account + 1].tolist()


@pytest.mark.parametrize("asked", [1, MANY // 2, MANY])
@pytest.mark.parametrize("accounts", [0, 1, 9])
def test_several_ends_at_once_are_those_found_one_by_one(asked: int, accounts: int) -> None:
    rng = np.random.default_rng(asked + accounts)
    block = a_block([5, 60] * accounts, 400, rng)
    account = rng.integers(-1, 2 * accounts, asked) if accounts else np.full(asked, -1)
    timeline = Timeline(block, account, rng.integers(0, 500, asked) * DAY)
    found = timeline.rows_at((0, 30, 400))
    assert found.tolist() == [timeline.rows_at(ago).tolist() for ago in (0, 30, 400)]


@pytest.mark.parametrize("asked", [1, MANY])
def test_without_events_no_row_is_known(asked: int) -> None:
    block = a_block([], 1, np.random.default_rng(0))
    rows = Timeline(block, np.full(asked, -1), np.zeros(asked, np.int64)).rows(0)
    assert rows.tolist() == [0] * asked
