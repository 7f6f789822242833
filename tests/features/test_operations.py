"""Operations that an outage excuses are found once a history, whatever the features ask for."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from relimit.data.events import blocks_from_table
from relimit.features import History, feature_matrix
from relimit.features import operations as subject

DAY = 86_400_000_000
MINUTE = 60_000_000
NAMES = ["login_failed_count_30d", "card_change_count_90d", "operation_count_7d"]


def history(outage_at: int) -> History:
    """A failed login on day 1 and an outage of an hour."""
    ts = [DAY, outage_at]
    events = {
        "account_id": [1, 1],
        "ts": pa.array(ts, pa.timestamp("us", "UTC")),
        "kind": ["operation", "outage"],
        "amount": pa.nulls(2, pa.int64()),
        "value": pa.array([None, 60], pa.int32()),
        "detail": ["login_failed", None],
    }
    return History(blocks_from_table(pa.table(events)), np.zeros(1, np.int64), np.array([3 * DAY]))


def counted(monkeypatch: pytest.MonkeyPatch, name: str) -> list[str]:
    """Note each call of a function of the module."""
    calls: list[str] = []
    function: Callable[..., Any] = getattr(subject, name)

    def noted(*given: Any) -> Any:
        calls.append(name)
        return function(*given)

    monkeypatch.setattr(subject, name, noted)
    return calls


def test_excused_operations_are_found_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, "_excused")
    found = feature_matrix(history(DAY - 30 * MINUTE), NAMES)
    assert found.tolist() == [[0, 0, 0]]
    assert len(calls) == 1


def test_nothing_is_selected_where_nothing_is_excused(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = counted(monkeypatch, "_find_excuses")
    found = feature_matrix(history(DAY + MINUTE), NAMES)
    assert found.tolist() == [[1, 0, 1]]
    assert not calls
