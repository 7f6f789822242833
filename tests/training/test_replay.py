"""Replays find each row's own facts, whatever the order of the rows."""

from dataclasses import fields

import numpy as np
import pytest

from relimit.policy import Facts, load_policy
from relimit.training.labelled import read_labelled
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
