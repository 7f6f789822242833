"""Settling interest moves features only towards less risk: so no model's score is hurt by it."""

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.supposed import suppose
from relimit.data.vocabulary import INTEREST_PAYMENT, MICROSECONDS_PER_DAY
from relimit.features import History, catalogue, feature_matrix
from relimit.features.state import interest_unsettled

KINDS = (
    "limit", "draw", "prepayment", "repayment", "interest", "interest_payment", "due", "overdue",
    "cured", "income", "restored",
)  # fmt: skip
DAYS = 200
EVENTS = st.lists(
    st.tuples(st.integers(0, DAYS), st.sampled_from(KINDS), st.integers(1, 90_000)),
    min_size=1,
    max_size=40,
)


def one_account(events: list[tuple[int, str, int]]) -> EventBlock:
    """A history of a first draw with interest on it, and the events given."""
    rows = [(0, "draw", 50_000), (1, "interest", 700), *events]
    day, kind, amount = zip(*sorted(rows), strict=True)
    ts = pa.array([of * MICROSECONDS_PER_DAY for of in day], pa.timestamp("us", "UTC"))
    columns = {"account_id": [1] * len(day), "ts": ts, "kind": kind, "amount": amount}
    return blocks_from_table(pa.table(columns))


@settings(deadline=None)
@given(EVENTS)
def test_settling_all_interest_moves_no_feature_towards_more_risk(events):
    block, as_of = one_account(events), np.array([(DAYS + 1) * MICROSECONDS_PER_DAY])
    before = History(block, np.zeros(1, np.int64), as_of)
    owed = interest_unsettled(before)
    settled = suppose(block, np.zeros(1, np.int64), as_of, {INTEREST_PAYMENT: owed})
    after = History(settled, np.zeros(1, np.int64), as_of)
    moved = feature_matrix(after)[0] - feature_matrix(before)[0]
    for feature, change in zip(catalogue(), moved, strict=True):
        if np.isfinite(change) and change != 0:
            assert feature.risk * change < 0, f"{feature.name} moves by {change}"


def test_settling_does_move_features():
    block = one_account([(5, "prepayment", 20_000)])
    as_of = np.array([30 * MICROSECONDS_PER_DAY])
    settled = suppose(block, np.zeros(1, np.int64), as_of, {INTEREST_PAYMENT: np.array([700])})
    one = [feature_matrix(History(of, np.zeros(1, np.int64), as_of))[0] for of in (block, settled)]
    names = [f.name for f, a, b in zip(catalogue(), *one, strict=True) if np.isfinite(a) and a != b]
    assert names == [
        "interest_unsettled", "interest_unpaid_days", "interest_to_prepaid", "interest_paid_90d",
    ]  # fmt: skip
