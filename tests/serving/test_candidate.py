"""A decision becomes the nearest arm that is not kinder; later nights know of earlier ones."""

from types import SimpleNamespace
from typing import cast

import numpy as np
import pyarrow as pa
import pytest

from relimit.data import Prepayments
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.simulator import PrepaymentCases
from relimit.data.vocabulary import ARMS, MICROSECONDS_PER_DAY
from relimit.policy import Decisions, Earlier, load_policy
from relimit.serving.candidate import CandidatePolicy, arms_of
from relimit.serving.scorer import Scorer

DAY = MICROSECONDS_PER_DAY


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
    decisions = cast("Decisions", SimpleNamespace(timetable=timetable))
    assert ARMS[arms_of(decisions, np.array([freed]), today)[0]] == arm


class Watched:
    """A scorer that notes which night it was asked for, and gives what is open back in two days."""

    def __init__(self) -> None:
        self.policy = load_policy()
        self.earlier: Earlier | None = None

    def decide_block(self, block: EventBlock, prepayments: Prepayments) -> Decisions:
        return self._in_two_days(prepayments, np.zeros(len(prepayments), np.int64))

    def decide_again(
        self, block: EventBlock, prepayments: Prepayments, earlier: Earlier
    ) -> Decisions:
        self.earlier = earlier
        return self._in_two_days(prepayments, earlier.restored)

    def _in_two_days(self, prepayments: Prepayments, back: np.ndarray) -> Decisions:
        tonight = prepayments.as_of.astype("datetime64[us]").astype("datetime64[D]")
        timetable = SimpleNamespace(
            withheld=np.zeros(len(prepayments), np.int64),
            restore_later=prepayments.freed - back,
            decided_on=tonight,
            later_date=tonight + np.timedelta64(2, "D"),
        )
        return cast("Decisions", SimpleNamespace(timetable=timetable))


def history() -> EventBlock:
    """Two borrowers with a limit; the second has interest unsettled from day 1 to day 9."""
    rows = [
        (1, 0, "limit", 100_000),
        (1, 0, "draw", 40_000),
        (2, 0, "limit", 100_000),
        (2, 0, "draw", 40_000),
        (2, 1, "interest", 5_000),
        (2, 9, "interest_payment", 5_000),
    ]
    account, day, kind, amount = zip(*rows, strict=True)
    ts = pa.array([of * DAY for of in day], pa.timestamp("us", "UTC"))
    table = {"account_id": account, "ts": ts, "kind": kind, "amount": amount}
    return blocks_from_table(pa.table(table))


def asked(*, first: int, tonight: int, withheld: list[int]) -> PrepaymentCases:
    """Both borrowers' prepayments of 30,000 fen, decided on one day and asked about on another."""
    money, nothing = np.full(2, 30_000), np.zeros(2)
    return PrepaymentCases(
        account_id=np.array([1, 2]), decision_id=["a", "b"], decided_at=np.full(2, tonight * DAY),
        first_decided_at=np.full(2, first * DAY), prepaid=money, freed=money,
        withheld=np.array(withheld), limit=money, outstanding=money, score=money, cycles=nothing,
        days_since_overdue=nothing, unlogged=nothing, explore=nothing, explore_arm=nothing,
        history=history,
    )  # fmt: skip


def test_a_first_night_knows_of_none_before_it() -> None:
    scorer = Watched()
    arm, propensity = CandidatePolicy(cast("Scorer", scorer), (1, 4, 7)).choose(
        asked(first=5, tonight=5, withheld=[30_000, 30_000])
    )
    assert scorer.earlier is None
    assert [ARMS[place] for place in arm] == [(1.0, 3), (1.0, 3)]
    assert propensity.tolist() == [1.0, 1.0]


@pytest.mark.parametrize(("tonight", "closed"), [(9, True), (12, False)])
def test_a_later_night_knows_what_is_back_and_whether_a_gate_was_closed_the_night_before(
    tonight: int, closed: bool
) -> None:
    scorer = Watched()
    arm, _ = CandidatePolicy(cast("Scorer", scorer), (1, 4, 7)).choose(
        asked(first=5, tonight=tonight, withheld=[10_000, 30_000])
    )
    earlier = scorer.earlier
    assert earlier is not None
    assert earlier.decided_at.tolist() == [5 * DAY, 5 * DAY]
    assert earlier.freed.tolist() == [30_000, 30_000]
    assert earlier.restored.tolist() == [20_000, 0]
    assert earlier.promised.tolist() == [0, 0]
    assert earlier.gate_closed.tolist() == [False, closed]
    # Two days from tonight are six, or nine, from the decision.
    assert {ARMS[place] for place in arm} == {(1.0, 7 if tonight == 9 else 14)}
