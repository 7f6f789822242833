"""Blocks joined are the same accounts, whatever their ids and details."""

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.joined import join_blocks
from relimit.data.schema import TIME


def block(account_id: Any, *details: str | None) -> EventBlock:
    """An account's draws, a day apart, of these details."""
    size = len(details)
    return blocks_from_table(
        pa.table(
            {
                "account_id": [account_id] * size,
                "ts": pa.array([86_400_000_000 * day for day in range(size)], TIME),
                "kind": ["draw"] * size,
                "amount": [100 + day for day in range(size)],
                "loan_id": pa.array([None, *range(1, size)], pa.int64()),
                "detail": pa.array(details, pa.string()),
            }
        )
    )


def rows(of: EventBlock, account: int) -> list[tuple[Any, ...]]:
    """An account's events as plain values."""
    mine = range(of.starts[account], of.starts[account + 1])
    return [
        (
            int(of.ts[row]),
            int(of.amount[row]),
            int(of.loan_id[row]) if of.has_loan_id[row] else None,
            of.details[of.detail[row]] if of.detail[row] >= 0 else None,
        )
        for row in mine
    ]


def test_accounts_keep_their_events_in_the_order_of_the_blocks() -> None:
    parts = [block(9, "travel", None), block("b", None), block(9, "home", "travel", "medical")]
    joined = join_blocks(parts)
    assert joined.account_ids.tolist() == [0, 1, 2]
    assert joined.details == ("home", "medical", "travel")
    assert [rows(joined, place) for place in range(3)] == [rows(part, 0) for part in parts]


def test_blocks_of_several_accounts_and_types_are_kept() -> None:
    two = join_blocks([block(1, "home"), block(2, "travel", "home")])
    joined = join_blocks([block(3, "medical"), two])
    assert [rows(joined, place) for place in (1, 2)] == [rows(two, place) for place in (0, 1)]
    for name in ("ts", "kind", "amount", "value", "has_value", "detail", "starts"):
        assert getattr(joined, name).dtype == getattr(two, name).dtype == dtype_of(name)


def dtype_of(name: str) -> np.dtype[Any]:
    """The type of a column that a table gives."""
    kind: np.dtype[Any] = getattr(block(1, "home"), name).dtype
    return kind


@pytest.mark.parametrize("details", [(None,), ("home",)])
def test_a_single_block_is_only_numbered(details: tuple[str | None, ...]) -> None:
    alone = block("only", *details)
    assert rows(join_blocks([alone]), 0) == rows(alone, 0)
