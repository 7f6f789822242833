"""Migration, swap sets and movers of hand-made decisions."""

import numpy as np
import pytest

from relimit.training.money import BANDS, migration, most_moved
from relimit.training.replay import Replay


def decided(now, later):
    now, later = np.array(now), np.array(later)
    freed = np.full(len(now), 1_000)
    nothing = np.zeros(len(now))
    return Replay(now, later, freed - now - later, nothing, freed, nothing, nothing[:, None])


def test_each_prepayment_is_in_the_band_of_its_restored_share():
    a = decided([0, 0, 250, 500, 501, 999, 400, 1_000], [0, 1, 0, 0, 0, 0, 600, 0])
    b = decided([1_000] * 8, [0] * 8)
    found = migration(a, b)
    bands = ["nothing", "up to a quarter", "up to a quarter", "up to a half",
             "up to three quarters", "more, not all", "all, later", "all at once"]  # fmt: skip
    expected = [
        [bands.count(band) if column == "all at once" else 0 for column in BANDS] for band in BANDS
    ]
    assert found["count"] == expected
    assert found["freed_yuan"][1][6] == pytest.approx(20.0)
    turned = migration(b, a)
    assert np.array_equal(np.array(turned["count"]).T, found["count"])


def test_movers_are_summed_by_account_and_ordered_by_money_then_risk():
    account = np.array(["x", "y", "x", "z", "w"], dtype=object)
    restored = [np.array([100, 500, 100, 0, 7]), np.array([300, 100, 300, 0, 7])]
    risks = [np.array([0.1, 0.2, 0.3, 0.4, 0.5]), np.array([0.1, 0.2, 0.3, 0.9, 0.5])]
    found = most_moved(account, risks, restored)
    assert [row["account_id"] for row in found] == ["x", "y", "z"]
    assert found[0] == {
        "account_id": "x", "risk_a": pytest.approx(0.2), "risk_b": pytest.approx(0.2),
        "prepayments": 2, "restored_a_yuan": 2.0, "restored_b_yuan": 6.0,
    }  # fmt: skip


def test_without_money_the_risk_decides_and_at_most_twenty_are_named():
    account = np.arange(50)
    change = np.random.default_rng(0).permutation(50) / 100
    found = most_moved(account, [np.zeros(50), change])
    assert [row["account_id"] for row in found] == np.argsort(-change)[:20].tolist()
    assert "restored_a_yuan" not in found[0]
    assert most_moved(account, [change, change]) == []
