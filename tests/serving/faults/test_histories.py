"""A history that could be misread, or that no calendar holds, is refused with what to mend."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def decide(night: Any, small_model: Path, relimit: Any) -> Any:
    """Decide a sound history once its text has been changed, as a shell would."""
    rows = [
        {"ts": time.isoformat(), "kind": kind, "amount": amount}
        for _, time, kind, amount in night.line(1, (night.since, 700))
    ]
    text = json.dumps({"account_id": 1, "events": rows})

    def decide(old: str, new: str) -> Any:
        assert text.count(old) == 1
        return relimit("decide", "--model", small_model, stdin=text.replace(old, new))

    return decide


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"amount": 700', '"amount": 9, "amount": 700', "amount is given twice"),
        ('{"account_id": 1', '{"account_id": 2, "account_id": 1', "account_id is given twice"),
        ('{"account_id"', '{"as_off": "2026-03-09", "account_id"', "Did you mean as_of?"),
        ('"amount": 700', '"amount": NaN', "events[2].amount is nan"),
        ('"amount": 700', f'"amount": {"9" * 30}', "events[2].amount is 99999"),
        ('"amount": 700', f'"amount": {"9" * 5_000}', "not valid JSON"),
        ("2026-03-02", "9999-12-31", "time is not in the years 2 to 8999"),
        ("2026-03-02", "0001-01-01", "time is not in the years 2 to 8999"),
    ],
)
def test_what_would_be_misread_is_refused(decide: Any, old: str, new: str, said: str) -> None:
    result = decide(old, new)
    assert result.exit_code == 1, result.output
    assert said in result.output


def test_a_history_in_utf_8_with_its_mark_is_read(decide: Any) -> None:
    assert decide('{"account_id"', '\ufeff{"account_id"').exit_code == 0


def test_the_years_to_come_are_no_obstacle(decide: Any, night: Any) -> None:
    ends = (night.since + timedelta(days=365 * 900)).isoformat()
    assert decide('{"account_id"', f'{{"as_of": "{ends}", "account_id"').exit_code == 0
