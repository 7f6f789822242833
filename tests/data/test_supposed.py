"""A supposed payment changes a history as the same payment in the log would."""

from dataclasses import fields
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.supposed import suppose
from relimit.data.vocabulary import CURED, INTEREST_PAYMENT, OPERATION

UTC_TIME = pa.timestamp("us", tz="UTC")


def table(rows: list[tuple[int, int, str, int | None]]) -> pa.Table:
    account_id, ts, kind, amount = zip(*rows, strict=True)
    return pa.table(
        {
            "account_id": list(account_id),
            "ts": pa.array(ts, UTC_TIME),
            "kind": list(kind),
            "amount": pa.array(amount, pa.int64()),
        }
    )


ROWS: list[tuple[int, int, str, int | None]] = [
    (0, 10, "limit", 900),
    (0, 20, "draw", 500),
    (0, 30, "prepayment", 200),
    (0, 30, "operation", None),
    (0, 40, "draw", 100),
    (1, 5, "limit", 700),
    (1, 30, "interest", 7),
]


def assert_same(found: EventBlock, wanted: EventBlock) -> None:
    for field in fields(EventBlock):
        assert np.array_equal(getattr(found, field.name), getattr(wanted, field.name)), field.name


def test_a_supposed_payment_is_an_event_like_any_other() -> None:
    block = blocks_from_table(table(ROWS))
    found = suppose(
        block, np.array([0, 1]), np.array([30, 30]), {INTEREST_PAYMENT: np.array([9, 7])}
    )
    paid = [(0, 30, "interest_payment", 9), (1, 30, "interest_payment", 7)]
    assert_same(found, blocks_from_table(table([*ROWS, *paid])))


def test_nothing_to_pay_adds_no_event() -> None:
    block = blocks_from_table(table(ROWS))
    found = suppose(
        block, np.array([0, 1]), np.array([30, 30]), {INTEREST_PAYMENT: np.array([0, 7])}
    )
    assert_same(found, blocks_from_table(table([*ROWS, (1, 30, "interest_payment", 7)])))


@pytest.mark.parametrize("known", ["app", "zoo", "identity_confirmed"])
def test_a_supposed_operation_has_its_detail_whatever_details_are_known(known: str) -> None:
    def with_details(rows: list[tuple[int, int, str, int | None]], words: list[str | None]) -> Any:
        return table(rows).append_column("detail", pa.array(words, pa.string()))

    words = [None, None, "full", known, None, None, "zz"]
    found = suppose(
        blocks_from_table(with_details(ROWS, words)),
        np.array([0, 1]),
        np.array([40, 30]),
        {OPERATION: np.array([True, False])},
        {OPERATION: "identity_confirmed"},
    )
    done = [*ROWS, (0, 40, "operation", None)]
    wanted = blocks_from_table(with_details(done, [*words, "identity_confirmed"]))
    assert_same(found, wanted)


def test_an_account_can_be_supposed_at_two_instants() -> None:
    block = blocks_from_table(table(ROWS))
    found = suppose(block, np.array([1, 1]), np.array([6, 40]), {CURED: np.ones(2, bool)})
    second = [(1, ts, kind, amount) for account, ts, kind, amount in ROWS if account == 1]
    first = [(0, ts, kind, amount) for _, ts, kind, amount in second]
    wanted = [*first, (0, 6, "cured", None), *second, (1, 40, "cured", None)]
    assert_same(found, blocks_from_table(table(wanted)))


def test_what_was_not_known_by_then_is_left_out() -> None:
    block = blocks_from_table(table(ROWS))
    found = suppose(
        block,
        np.array([0, 1]),
        np.array([50, 50]),
        {INTEREST_PAYMENT: np.array([9, 0])},
        known_by=np.array([20, 5]),
    )
    kept = [row for row in ROWS if row[1] <= (20, 5)[row[0]]]
    assert_same(found, blocks_from_table(table([*kept, (0, 50, "interest_payment", 9)])))
