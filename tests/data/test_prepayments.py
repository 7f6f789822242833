from typing import Any

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.events import blocks_from_table
from relimit.data.prepayments import (
    Prepayments,
    decision_id,
    find_prepayments,
)
from relimit.data.segments import first_after

HOUR = 3_600_000_000
TIME = pa.timestamp("us", tz="UTC")
Row = tuple[int, int, int, str, int]  # account, ts (hours), delay (hours), kind, amount

kinds = st.sampled_from(["limit", "draw", "repayment", "prepayment", "prepayment", "charge_off"])
rows = st.tuples(
    st.integers(1, 3), st.integers(0, 120), st.sampled_from([0, 0, 0, 5, 30]), kinds,
    st.integers(0, 50),
)  # fmt: skip


def block_of(events: list[Row]) -> Any:
    account, ts, delay, kind, amount = zip(*events, strict=True)
    hours = np.array(ts)
    return blocks_from_table(
        pa.table(
            {
                "account_id": list(account),
                "ts": pa.array(hours * HOUR, pa.int64()).cast(TIME),
                "known_at": pa.array((hours + np.array(delay)) * HOUR, pa.int64()).cast(TIME),
                "kind": list(kind),
                "amount": list(amount),
            }
        )
    )


def plain(events: list[Row], since: int, as_of: int) -> list[tuple[int, int, int, int, bool]]:
    """Group one account after the other, one prepayment after the other (the oracle)."""
    found = []
    for account in sorted({row[0] for row in events}):
        own = [(ts + delay, ts, kind, amount) for a, ts, delay, kind, amount in events
               if a == account]  # fmt: skip
        groups: list[list[tuple[int, int]]] = []
        for known, _, kind, amount in sorted(own):
            if kind != "prepayment" or amount == 0 or not since < known <= as_of:
                continue
            if groups and known - groups[-1][0][0] <= 24:
                groups[-1].append((known, amount))
            else:
                groups.append([(known, amount)])
        for group in groups:
            decided, prepaid = group[-1][0], sum(amount for _, amount in group)
            seen = [event for event in own if event[0] <= decided]
            owed = sum(
                amount if kind == "draw" else -amount
                for _, _, kind, amount in seen
                if kind in ("draw", "repayment", "prepayment", "charge_off")
            )
            limits = sorted((known, ts, amount) for known, ts, kind, amount in seen
                            if kind == "limit")  # fmt: skip
            before = owed + prepaid
            freed = min(prepaid, before) if before > 0 else prepaid
            if limits:
                freed = min(freed, max(0, limits[-1][2] - max(0, owed)))
            found.append((account, decided, prepaid, freed, group[0][0] + 24 <= as_of))
    return found


def found_rows(block: Any, found: Prepayments) -> list[tuple[int, int, int, int, bool]]:
    ids = block.account_ids[found.account].tolist()
    hours = (found.as_of // HOUR).tolist()
    amounts = (found.prepaid.tolist(), found.freed.tolist(), found.closed.tolist())
    return list(zip(ids, hours, *amounts, strict=True))


@settings(max_examples=150, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40), st.integers(-1, 60), st.integers(0, 90))
def test_grouping_and_freed_limit_equal_the_plain_loop(
    events: list[Row], since: int, length: int
) -> None:
    block = block_of(events)
    found = find_prepayments(block, since * HOUR, (since + length) * HOUR)
    assert found_rows(block, found) == plain(events, since, since + length)
    assert (found.freed >= 0).all()
    assert (found.freed <= found.prepaid).all()


@settings(max_examples=80, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40))
def test_the_latest_decision_is_the_last_of_all(events: list[Row]) -> None:
    block = block_of(events)
    every = find_prepayments(block, -1, 200 * HOUR)
    last = find_prepayments(block, -1, 200 * HOUR, latest=True)
    assert found_rows(block, last) == found_rows(block, every)[-1:]
    assert last.decision_id.tolist() == every.decision_id.tolist()[-1:]


@settings(max_examples=80, deadline=None)
@given(st.lists(rows, min_size=1, max_size=40))
def test_every_prepayment_is_in_exactly_one_group(events: list[Row]) -> None:
    block = block_of(events)
    found = find_prepayments(block, -1, 200 * HOUR)
    for account in {row[0] for row in events}:
        total = sum(row[4] for row in events if row[0] == account and row[3] == "prepayment")
        mine = block.account_ids[found.account] == account
        assert found.prepaid[mine].sum() == total


@settings(max_examples=80, deadline=None)
@given(st.lists(rows, min_size=1, max_size=30), st.lists(rows, max_size=10), st.integers(0, 100))
def test_events_learned_of_later_change_nothing(
    events: list[Row], later: list[Row], as_of: int
) -> None:
    # A late event of its own account, so that the block has the same accounts.
    future = [(events[0][0], ts, as_of + 1 + delay - ts, kind, amount)
              for _, ts, delay, kind, amount in later]  # fmt: skip
    before, after = block_of(events), block_of(events + future)
    first = find_prepayments(before, -1, as_of * HOUR)
    second = find_prepayments(after, -1, as_of * HOUR)
    assert found_rows(before, first) == found_rows(after, second)
    assert first.decision_id.tolist() == second.decision_id.tolist()


def test_a_day_sharp_joins_and_a_microsecond_more_does_not() -> None:
    for extra, groups in ((0, [300]), (1, [100, 200])):
        times = pa.array([0, 24 * HOUR + extra], pa.int64()).cast(TIME)
        block = blocks_from_table(
            pa.table(
                {
                    "account_id": [1, 1],
                    "ts": times,
                    "kind": ["prepayment"] * 2,
                    "amount": [100, 200],
                }
            )
        )
        assert find_prepayments(block, -1, 48 * HOUR).prepaid.tolist() == groups


def test_a_group_is_measured_from_its_first_and_does_not_creep() -> None:
    block = block_of([(1, hour, 0, "prepayment", 1) for hour in (0, 20, 40, 60)])
    assert (find_prepayments(block, -1, 99 * HOUR).as_of // HOUR).tolist() == [20, 60]


def test_a_limit_of_the_neighbour_account_is_not_taken() -> None:
    block = block_of([(1, 0, 0, "limit", 10), (2, 1, 0, "draw", 50), (2, 2, 0, "prepayment", 50)])
    assert find_prepayments(block, -1, 9 * HOUR).freed.tolist() == [50]


def test_a_block_without_prepayments_has_no_decision() -> None:
    found = find_prepayments(block_of([(1, 0, 0, "draw", 5)]), -1, HOUR)
    assert found.account.size == found.prepaid.size == len(found.decision_id) == 0


def test_an_account_of_a_hundred_thousand_prepayments_is_grouped_quickly() -> None:
    count = 100_000
    minutes = np.arange(count) * 10 * 60_000_000
    table = pa.table(
        {
            "account_id": np.zeros(count, np.int64),
            "ts": pa.array(minutes, pa.int64()).cast(TIME),
            "kind": ["prepayment"] * count,
            "amount": np.ones(count, np.int64),
        }
    )
    found = find_prepayments(blocks_from_table(table), -1, int(minutes[-1]))
    assert found.prepaid.sum() == count
    assert set(found.prepaid[:-1].tolist()) == {145}  # 24 h in steps of 10 min, both ends


@given(
    st.lists(st.lists(st.integers(0, 9), max_size=6).map(sorted), min_size=1, max_size=4),
    st.lists(st.tuples(st.integers(0, 3), st.integers(-1, 10)), max_size=8),
)
def test_the_search_in_segments_equals_numpy_in_each(
    parts: list[list[int]], queries: list[tuple[int, int]]
) -> None:
    ends = np.cumsum([len(part) for part in parts])
    starts = ends - [len(part) for part in parts]
    segment = np.array([which % len(parts) for which, _ in queries], np.int64)
    wanted = np.array([time for _, time in queries], np.int64)
    times = np.array([time for part in parts for time in part], np.int64)
    got = first_after(times, starts[segment], ends[segment], wanted)
    expected = [
        int(starts[s] + np.searchsorted(parts[s], time, side="right"))
        for s, time in zip(segment, wanted, strict=True)
    ]
    assert got.tolist() == expected


def test_a_decision_has_the_same_name_whatever_the_types() -> None:
    name = decision_id(7, 10, 5)
    assert decision_id("7", np.int64(10), np.int64(5)) == name
    assert decision_id(np.int64(7), 10, 5) == name
    assert len(name) == 20
    others = {decision_id(8, 10, 5), decision_id(7, 11, 5), decision_id(7, 10, 6),
              decision_id("7|10", 5, 5), decision_id(71, 0, 5)}  # fmt: skip
    assert len(others | {name}) == 6


def test_a_prepayment_frees_no_more_than_was_owed() -> None:
    block = block_of(
        [(1, 0, 0, "limit", 1000), (1, 1, 0, "draw", 500), (1, 2, 0, "prepayment", 900)]
    )
    assert find_prepayments(block, 0, 90 * HOUR).freed.tolist() == [500]


def test_a_prepayment_without_an_amount_is_still_found() -> None:
    block = blocks_from_table(
        pa.table(
            {
                "account_id": [1, 1],
                "ts": pa.array([0, HOUR], pa.int64()).cast(TIME),
                "kind": ["draw", "prepayment"],
                "amount": pa.array([500, None], pa.int64()),
            }
        )
    )
    found = find_prepayments(block, -1, 90 * HOUR)
    assert (found.prepaid.tolist(), found.freed.tolist()) == ([0], [0])
