"""Texts of many decisions together are those of each by itself, and amounts have all digits."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from relimit.policy import (
    Earlier,
    analyst_texts,
    decide,
    decide_again,
    filling,
    load_policy,
    wording,
)
from relimit.policy.phrases import MONEY

POLICY = load_policy()
DAY = 86_400_000_000
FEN = st.integers(0, 10**15) | st.sampled_from([0, 1, 99, 100, 99_999, 100_000, 100_001, 10**8])


def borrowers(count, seed):
    """Rows of any mixture of troubles, each of which is rare."""
    rng = np.random.default_rng(seed)

    def some(value, none=0):
        return value if rng.random() < 0.3 else none

    return [
        {
            "freed": some(0, int(rng.integers(1, 3_000_000))),
            "limit": some(25_000_000, 10_000_000),
            "loss_ratio": rng.choice([0.01, 0.05, 0.09, 0.15, 0.2, 0.5]),
            "risk": rng.random(),
            "pull": rng.normal(0, 1, 5).tolist(),
            "as_of": 1_772_338_800_000_000 + int(rng.integers(0, 9)) * DAY,
            "overdue": some(12_345) * (seed % 2),
            "days_past_due": some(5) * (seed % 2),
            "unsettled_interest": some(1240) * (seed % 2),
            "identity_changes": some(3) * (seed % 2),
            "login_failures": some(1),
            "returned_payments": some(2),
            "outage_minutes": some(45),
            "next_due": np.datetime64(some("2026-03-14", "NaT"), "D"),
            "cycles": some(5),
            "days_since_draw": some(90.0, 1.0),
            "lender_inflow": some(10**9),
            "score_drop": some(60.0, np.nan),
            "overdues": some(2),
        }
        for _ in range(count)
    ]


def texts_of(decisions):
    analyst = analyst_texts(POLICY, decisions)
    borrower = {"zh": decisions.text_zh, "en": decisions.text_en}
    return [table[language].tolist() for table in (borrower, analyst) for language in ("zh", "en")]


@pytest.mark.parametrize(("seed", "at_once"), [(0, 7), (1, filling.AT_ONCE)])
def test_texts_written_together_are_those_written_one_by_one(make, monkeypatch, seed, at_once):
    monkeypatch.setattr(filling, "AT_ONCE", at_once)
    rows = borrowers(300, seed)
    later = make.cases(*(row | {"as_of": row["as_of"] + 2 * DAY} for row in rows))
    found = []
    for few in (0, len(rows)):
        monkeypatch.setattr(wording, "FEW", few)
        first = decide(POLICY, make.cases(*rows))
        again = decide_again(POLICY, later, Earlier.from_decisions(first.to_table()))
        found.append(texts_of(first) + texts_of(again))
        text = again.text_en
        assert [text[place] for place in range(len(text))] == text.tolist()
    assert found[0] == found[1]


def test_no_decisions_have_no_texts(make):
    none = decide(POLICY, make.cases())
    assert texts_of(none) == [[], [], [], []]
    assert none.to_table().num_rows == 0


@given(fen=FEN)
def test_an_amount_has_all_its_digits_in_groups_of_three(fen):
    assert MONEY.write(fen, "¥") == f"¥{Decimal(fen) / 100:,.2f}"


@given(fen=st.lists(FEN, min_size=1))
def test_the_parts_of_amounts_are_those_of_each(fen):
    together = np.stack(MONEY.parts(np.array(fen)))
    assert together.T.tolist() == [list(MONEY.parts(one)) for one in fen]
