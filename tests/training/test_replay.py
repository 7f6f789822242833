"""Replays find each row's own facts, whatever the order of the rows."""

from dataclasses import fields
from types import SimpleNamespace

import numpy as np
import pytest

from relimit.policy import Facts, load_policy
from relimit.policy.timetable import Timetable
from relimit.training.labelled import Labelled, read_labelled
from relimit.training.replay import facts_at, replay


@pytest.fixture(scope="module")
def rows(decided):
    labelled, _ = read_labelled(decided)
    chosen = np.random.default_rng(0).permutation(len(labelled))[:200]
    return labelled.take(chosen)


def test_facts_follow_their_rows(history, rows):
    policy = load_policy()
    together = facts_at(history[0], rows, policy)
    for row in range(5):
        alone = facts_at(history[0], rows.take(np.array([row])), policy)
        for item in fields(Facts):
            np.testing.assert_array_equal(
                getattr(together, item.name)[row : row + 1], getattr(alone, item.name)
            )
    assert len(np.unique(together.outstanding)) > 100


def test_an_account_without_events_has_facts_too(history, rows):
    strangers = type(rows)(
        **{n: getattr(rows, n) for n in rows.__slots__ if n != "account_id"},
        account_id=np.where(np.arange(200) % 2, rows.account_id, 10_000_000),
    )
    facts = facts_at(history[0], strangers, load_policy())
    assert len(facts) == 200
    assert not facts.has_limit[::2].any()
    assert facts.has_limit[1::2].all()


def test_more_risk_restores_no_more(history, rows):
    policy = load_policy()
    facts = facts_at(history[0], rows, policy)
    restored = [
        replay(
            policy, rows, facts, risk=np.full(200, risk), expected_loss=risk * 0.6 * rows.freed
        ).restored.sum()
        for risk in (0.01, 0.2, 0.9)
    ]
    assert restored[0] > restored[2]
    assert restored[0] >= restored[1] >= restored[2]


def test_the_mean_wait_is_weighted_by_what_returns(monkeypatch):
    """All now; half in 8 days; all in 3; nothing; a quarter now and half in 30 days."""
    decided_on = np.full(5, np.datetime64("2026-03-30"))
    later = np.array(["NaT", "2026-04-07", "2026-04-02", "NaT", "2026-04-29"], "datetime64[D]")
    now, then = np.array([900, 400, 0, 0, 250]), np.array([0, 400, 700, 0, 500])
    timetable = Timetable(
        status=np.zeros(5, np.int8), restore_now=now, restore_later=then,
        withheld=1_000 - now - then, decided_on=decided_on, later_date=later, not_later_than=later,
        signal=np.zeros(5, np.int8), signal_on=later,
    )  # fmt: skip
    answer = SimpleNamespace(timetable=timetable, reasons=np.full((5, 4), -1))
    monkeypatch.setattr("relimit.training.replay.decide", lambda *_: answer)
    nothing = np.full(5, np.nan)
    rows = Labelled(
        np.arange(5), np.zeros(5, np.int64), np.zeros(5, bool), nothing, nothing, nothing,
        np.full(5, 1_000.0), nothing,
    )  # fmt: skip
    found = replay(load_policy(), rows, None, risk=np.zeros(5), expected_loss=np.zeros(5))
    np.testing.assert_allclose(found.days, [0.0, 4.0, 3.0, np.nan, 20.0])
    assert found.restored.tolist() == [900, 800, 700, 0, 750]
