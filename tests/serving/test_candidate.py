"""A decision's arm on the grid is the nearest that is not kinder."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pytest

from relimit.data.vocabulary import ARMS
from relimit.policy import Decisions
from relimit.serving.candidate import arms_of


@pytest.mark.parametrize(
    ("freed", "withheld", "days", "arm"),
    [
        (1000, 0, 0, (1.0, 0)),
        (1000, 0, 5, (1.0, 7)),
        (1000, 0, 45, (1.0, 30)),
        (1000, 300, 3, (0.5, 3)),
        (99_999, 50_000, 14, (0.5, 14)),
        (1000, 1000, 0, (0.0, 0)),
        (0, 0, 0, (1.0, 0)),
    ],
)
def test_the_share_rounds_down_and_the_delay_up(
    freed: int, withheld: int, days: int, arm: tuple[float, int]
) -> None:
    today = np.array(["2026-03-01"], "datetime64[D]")
    later = freed - withheld if days else 0
    timetable = SimpleNamespace(
        withheld=np.array([withheld]),
        restore_later=np.array([later]),
        decided_on=today,
        later_date=today + np.timedelta64(days, "D"),
    )
    cases = SimpleNamespace(freed=np.array([freed]))
    decisions = cast("Decisions", SimpleNamespace(timetable=timetable, cases=cases))
    assert ARMS[arms_of(decisions)[0]] == arm
