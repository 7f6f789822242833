"""A user's own list of prepayments: read, checked and named."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data import DataError, decision_id
from relimit.data.events import blocks_from_table
from relimit.serving.requests import NamedPrepayments

NOON = datetime(2025, 1, 1, 12, tzinfo=UTC)


def listed(folder: Path, **columns: Any) -> NamedPrepayments:
    given = {"account_id": ["a", "b"], "as_of": [NOON, NOON], "prepaid": [500, 900], **columns}
    table = {name: column for name, column in given.items() if column is not None}
    pq.write_table(pa.table(table), folder / "own.parquet")
    return NamedPrepayments.read(folder / "own.parquet")


def test_a_row_is_a_decision_and_frees_what_it_says_or_else_what_the_events_do(
    tmp_path: Path,
) -> None:
    own = listed(tmp_path, account_id=["b", "a"], freed=[0, None], remark=["x", "y"])
    times = [NOON - timedelta(days=1), NOON] * 2
    rows = ["a", "a", "b", "b"], times, ["draw", "prepayment"] * 2, [400, 900] * 2
    events = dict(zip(("account_id", "ts", "kind", "amount"), rows, strict=True))
    found = own.prepayments(blocks_from_table(pa.table(events)))
    assert found.prepaid.tolist() == [900, 500]
    assert found.freed.tolist() == [400, 0]
    micros = int(NOON.timestamp()) * 1_000_000
    named = decision_id("a", micros, 900), decision_id("b", micros, 500)
    assert found.decision_id.tolist() == [*named]
    assert listed(tmp_path, account_id=[2, 1]).total == 2


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"prepaid": None}, r"own\.parquet: column prepaid is missing \(2 rows"),
        ({"prepaid": [500.0, 900.0]}, r"column prepaid is double \(2 rows\), expected int64"),
        ({"prepaid": [0, 900]}, r"column prepaid is not positive in 1 of 2 rows"),
        ({"prepaid": [None, 900]}, r"column prepaid is null in 1 of 2 rows"),
        ({"freed": [-1, 0]}, r"column freed is negative in 1 of 2 rows"),
        ({"freed": [501, 901]}, r"column freed is more than prepaid in 2 of 2 rows"),
        ({"account_id": [None, 1]}, r"column account_id is null in 1 of 2 rows"),
        ({"as_of": [datetime(2025, 1, 1)] * 2}, r"as_of is timestamp\[us\].*no zone"),  # noqa: DTZ001
        (
            {"account_id": ["a", "a"], "prepaid": [5, 5], "as_of": [NOON] * 2},
            r"1 of 2 rows repeat another's account_id, as_of and prepaid",
        ),
    ],
)
def test_a_wrong_list_is_refused(tmp_path: Path, columns: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        listed(tmp_path, **columns)


def test_two_prepayments_of_one_account_at_different_times_are_two_decisions(
    tmp_path: Path,
) -> None:
    as_of = [NOON, NOON + timedelta(days=3)]
    assert listed(tmp_path, account_id=["a", "a"], as_of=as_of).total == 2
