"""Migration, swap sets, losses, reasons and movers of hand-made decisions."""

import numpy as np
import pytest

from relimit.policy import REASONS
from relimit.training.money import (
    BANDS,
    loss_change,
    migration,
    most_moved,
    reason_churn,
    swap_sets,
)
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


def test_swap_sets_count_prepayments_and_yuan_on_either_side():
    a = decided([1_000, 0, 250, 500, 0], [0, 1_000, 250, 0, 0])
    b = decided([0, 1_000, 0, 750, 0], [1_000, 0, 100, 0, 0])
    # Now or later is the same; the third loses 400 fen, the fourth gains 250.
    assert swap_sets(a, b) == {
        "b_restores_more": 1, "b_restores_more_yuan": 2.5,
        "b_restores_less": 1, "b_restores_less_yuan": 4.0, "same": 3,
    }  # fmt: skip
    turned = swap_sets(b, a)
    assert (turned["b_restores_more_yuan"], turned["b_restores_less_yuan"]) == (4.0, 2.5)


def test_one_judge_weighs_either_sides_decisions_by_the_share_restored():
    a = decided([1_000, 500, 0], [0, 0, 250])
    b = decided([0, 1_000, 0], [0, 0, 0])
    loss = np.array([300.0, 80.0, 1_000.0])  # fen, of restoring all 1,000
    found = loss_change(a, b, loss)
    assert found["a_yuan"] == pytest.approx((300 + 40 + 250) / 100)
    assert found["b_yuan"] == pytest.approx(80 / 100)
    assert found["change_yuan"] == pytest.approx((80 - 590) / 100)


def test_reasons_change_with_their_set_and_not_with_their_order():
    a = np.array([[0, 2, -1], [1, -1, -1], [-1, -1, -1], [3, 1, 0]], np.int8)
    b = np.array([[2, 0, -1], [1, 2, -1], [-1, -1, -1], [1, -1, -1]], np.int8)
    found = reason_churn(a, b)
    assert (found["rows"], found["changed"]) == (4, 0.5)
    assert found["codes"] == {
        REASONS[0]: {"both": 1, "a_only": 1, "b_only": 0},
        REASONS[1]: {"both": 2, "a_only": 0, "b_only": 0},
        REASONS[2]: {"both": 1, "a_only": 0, "b_only": 1},
        REASONS[3]: {"both": 0, "a_only": 1, "b_only": 0},
    }


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
    assert set(found[0]) == {"account_id", "risk_a", "risk_b", "rows"}
    assert most_moved(account, [change, change]) == []
