"""The history: what snapshots share is worked out once."""

import numpy as np
import pyarrow as pa

from relimit.data.events import blocks_from_table
from relimit.features.history import History, Select, Window
from relimit.features.once import once


def test_all_that_an_account_never_had_is_one_series_without_rows() -> None:
    events = {"account_id": [1], "ts": pa.array([5], pa.timestamp("us", "UTC")), "kind": ["draw"]}
    block = blocks_from_table(pa.table({**events, "amount": [900]}))
    history = History(block, np.zeros(1, np.int64), np.array([9]))
    coupons, long_overdue = Select("draw", prefix="coupon:"), Select("overdue", at_least=30)
    assert history.series(coupons) is history.series(long_overdue) is history.values("outage")
    assert history.count(coupons, Window(30)).tolist() == [0]
    assert history.sum(coupons, Window(45)).tolist() == [0]
    assert history.count("draw", Window(30)).tolist() == [1]


def test_what_is_worked_out_once_is_kept() -> None:
    class Box:
        asked = 0

        @once
        def content(self) -> list[int]:
            self.asked += 1
            return []

    box, other = Box(), Box()
    assert box.content is box.content
    assert box.content is not other.content
    assert (box.asked, other.asked) == (1, 1)
