"""The next due date of a line with several loans, worked out by hand from little histories."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest

from relimit.data.events import blocks_from_table
from relimit.features import History
from relimit.policy import gather_facts

NOW = datetime(2026, 3, 10, 4, 0, tzinfo=UTC)  # noon in Shanghai
TWO_LOANS = [
    ("2026-01-15", "draw", 1000, 1),
    ("2026-02-05", "draw", 3000, 2),
    ("2026-02-15", "due", 100, 1),
    ("2026-03-05", "due", 100, 2),
]


def due_dates(rows, at=(NOW,)):
    """Return the last and the next due date of account 7, at each time; rows are in order."""
    ts, kind, amount, loan = zip(*rows, strict=True)
    table = pa.table(
        {
            "account_id": pa.array([7] * len(rows), pa.int64()),
            "ts": pa.array([datetime.fromisoformat(f"{day}T04:00+00:00") for day in ts]),
            "kind": list(kind),
            "amount": pa.array(amount, pa.int64()),
            "loan_id": pa.array(loan, pa.int64()),
        }
    )
    now = np.array([np.datetime64(t.replace(tzinfo=None), "us").astype(np.int64) for t in at])
    facts = gather_facts(History(blocks_from_table(table), np.zeros(len(at), np.int64), now))
    return [tuple(map(str, dates)) for dates in zip(facts.last_due, facts.next_due, strict=True)]


@pytest.mark.parametrize(
    ("more", "next_due"),
    [
        ([], "2026-03-15"),
        ([("2026-03-08", "prepayment", 400, 1)], "2026-03-15"),  # a part of it still runs
        ([("2026-03-08", "prepayment", 1000, 1)], "2026-04-05"),
        ([("2026-03-08", "repayment", 1000, 1)], "2026-04-05"),
        ([("2026-03-08", "prepayment", 3000, 2)], "2026-03-15"),
        ([("2026-03-08", "prepayment", 1000, None)], "2026-03-15"),  # nobody knows which ended
        ([("2026-03-08", "prepayment", 1000, 1), ("2026-03-08", "prepayment", 3000, 2)], "NaT"),
        ([("2026-03-08", "draw", 500, 3), ("2026-03-09", "prepayment", 1000, 1),
          ("2026-03-09", "prepayment", 3000, 2)], "NaT"),
    ],
)  # fmt: skip
def test_the_next_due_date_is_the_first_of_the_loans_that_still_run(more, next_due):
    assert due_dates([*TWO_LOANS, *more]) == [("2026-03-05", next_due)]


def test_of_a_loans_instalments_only_the_last_tells_of_another():
    rows = [("2026-01-01", "draw", 9000, 1), ("2026-02-09", "due", 100, 1),
            ("2026-03-09", "due", 100, 1)]  # fmt: skip
    assert due_dates(rows) == [("2026-03-09", "2026-04-09")]


def test_loans_without_numbers_fall_due_as_they_did_a_month_ago():
    rows = [(day, kind, amount, None) for day, kind, amount, _ in TWO_LOANS]
    assert due_dates(rows) == [("2026-03-05", "2026-03-15")]


def test_what_ends_a_loan_later_is_not_seen_before():
    rows = [*TWO_LOANS, ("2026-03-08", "prepayment", 1000, 1)]
    before = NOW.replace(day=7)
    many = due_dates(rows, [before, NOW] * 20)
    assert many == [("2026-03-05", "2026-03-15"), ("2026-03-05", "2026-04-05")] * 20
