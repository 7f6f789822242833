"""Where the log has not tried what a policy would do, the answer is a reason and bounds."""

import numpy as np
import pytest

from relimit.policy.rare import RareEvents
from relimit.policy.support import (
    ANSWERED,
    ELSEWHERE,
    NEVER,
    TOO_FEW,
    describe,
    outcome_bounds,
    support_map,
    support_of,
)
from relimit.policy.value import Logged

FULL, NONE = 20, 0


def explored(share, rows=4000, seed=0):
    """Log a rule that restores half of the accounts, with a part of its decisions at random."""
    rng = np.random.default_rng(seed)
    rule = np.where(np.arange(rows) % 2, FULL, NONE)
    random = rng.integers(0, 25, rows)
    arm = np.where(rng.random(rows) < share, random, rule)
    propensity = share / 25 + np.where(arm == rule, 1 - share, 0.0)
    return Logged(arm, propensity, np.arange(rows)), rule


def always(arm, rows=4000):
    return np.eye(25)[np.full(rows, arm)]


def test_a_log_that_explores_answers():
    logged, _ = explored(0.2)
    support = support_of(logged, always(FULL))
    assert support.verdict == ANSWERED
    assert support.carried == pytest.approx(4000, rel=0.35)
    assert support.effective < support.tried
    assert describe(support) == ""


def test_a_log_that_never_explores_answers_only_for_its_own_rule():
    logged, rule = explored(0.0)
    assert support_of(logged, np.eye(25)[rule]).answered
    support = support_of(logged, always(FULL))
    assert support.verdict == ELSEWHERE
    assert "the log carries 2,000 of 4,000 decisions" in describe(support)
    assert support_of(logged, always(7)).verdict == NEVER


def test_a_handful_of_tries_does_not_answer_for_half_a_book():
    logged, _ = explored(0.04)
    support = support_of(logged, always(FULL))
    assert 0 < support.tries < 5
    assert support.verdict == TOO_FEW
    assert describe(support) == (
        f"history can't answer (too few tries): the log's usual choices tell of "
        f"{support.usual:,.0f} of 4,000 decisions; of the others, {support.tries} taken against "
        "its odds, where 5 are needed"
    )
    assert 1_900 < support.usual < 2_200 < support.carried


def test_the_map_says_which_arm_of_which_segment_is_unknown():
    logged, _ = explored(0.0)
    segment = np.where(np.arange(4000) % 2, "known", "unknown")
    cells = support_map(logged, always(FULL), segment)
    assert [(c.segment, c.share, c.delay_days) for c in cells] == [
        ("known", 1.0, 0),
        ("unknown", 1.0, 0),
    ]
    assert [c.support.verdict for c in cells] == [ANSWERED, NEVER]
    assert [c.support.target for c in cells] == [2000, 2000]


def test_bounds_hold_the_truth_and_close_where_all_was_tried():
    logged, rule = explored(0.0)
    outcome = np.where(rule == FULL, np.arange(4000) % 4 == 1, 0.0).astype(float)
    ends = np.zeros(4000), np.ones(4000)
    low, high = outcome_bounds(logged, always(FULL), outcome, ends)
    assert low == pytest.approx(0.25, abs=0.03)
    assert high == pytest.approx(0.75, abs=0.03)
    assert low < 0.25
    assert high > 0.75
    low, high = outcome_bounds(logged, np.eye(25)[rule], outcome, ends)
    assert high - low < 0.06


def test_bounds_leave_room_for_what_did_not_happen_to_come():
    """None of 4,000 went bad: 3.69 might have."""
    logged, rule = explored(0.0)
    outcome, ends = np.zeros(4000), (np.zeros(4000), np.ones(4000))
    rare = RareEvents(outcome > 0, np.ones(4000), np.full(4000, 0.01))
    tight = outcome_bounds(logged, np.eye(25)[rule], outcome, ends)
    assert tight == (0.0, 0.0)
    low, high = outcome_bounds(logged, np.eye(25)[rule], outcome, ends, events=rare)
    assert (low, high) == (0.0, pytest.approx(3.69 / 4000, rel=0.01))
