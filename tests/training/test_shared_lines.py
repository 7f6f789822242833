"""The optimiser where an account's decisions share a line: what is lent by one is owed with all."""

from dataclasses import replace

import numpy as np
import pytest

from relimit.data.vocabulary import ARMS, LOSS_GIVEN_DEFAULT
from relimit.policy import load_policy
from relimit.training import optimum
from relimit.training.arm_outcomes import ArmOutcomes
from relimit.training.line_outcomes import Decisions, LineOutcomes, Lines
from relimit.training.optimum import optimise_book

EFFECT = 2.0
"""How much higher the log-odds of bad are with the whole line back than with none of it."""


@pytest.fixture
def shared_book(make_book):
    """Four decisions of an account on one day, each of a quarter of its line; all was withheld."""
    book = make_book()
    n = len(book)
    account = np.arange(n) % (n // 4)
    limit = np.bincount(account, book.freed)[account].astype(float)
    ratio = book.situation.loss_ratio
    log = Decisions(account, np.zeros(n), book.freed.astype(float), limit, np.ones(n), ratio)
    odds = np.log(ratio / (1 - ratio))
    lines = LineOutcomes(Lines.of(log), EFFECT, odds, np.full(20, 0.9), np.ones(n))
    bad, loss = lines.by_arm(lines.lines.others(log.withheld), np.arange(n))
    outcomes = ArmOutcomes(bad, loss, book.outcomes.margin, 0)
    came = replace(book.came, loss=np.zeros(n))
    taken = {"account": account, "arm": np.full(n, ARMS.index((0.0, 0))), "share": np.zeros(n)}
    return replace(book, outcomes=outcomes, lines=lines, came=came, **taken)


def lived_loss_rate(book, shares):
    """What is lost if every decision returns its share, reckoned account by account."""
    lost, freed, ratio = 0.0, book.freed, book.situation.loss_ratio
    for account in np.unique(book.account):
        rows = np.flatnonzero(book.account == account)
        limit = freed[rows].sum()
        withheld = sum(freed[row] * (1 - shares[row]) for row in rows)
        odds = ratio[rows] / (1 - ratio[rows]) * np.exp(-EFFECT * withheld / limit)
        owed = 0.9 * (limit - withheld)
        beyond = np.maximum(owed - (limit - freed[rows]), 0)
        lost += (odds / (1 + odds) * LOSS_GIVEN_DEFAULT * beyond).sum()
    return lost / freed.sum()


def test_the_budget_is_kept_when_the_tiers_take_all_decisions_of_an_account(
    shared_book, monkeypatch
):
    monkeypatch.setattr(optimum, "POINTS", 4)
    budget, share = 0.004, np.array([share for share, _ in ARMS])
    policy = load_policy()
    value = {"loss_budget": budget, "group_share": 0.0, "group_loss": 1.0}
    policy = replace(policy, value=replace(policy.stated_value, **value))
    found = optimise_book(policy, shared_book)
    rate = lived_loss_rate(shared_book, share[found.arm])
    assert found.named["optimised"].loss_rate == pytest.approx(rate)
    assert 0.7 * budget < rate <= budget
    everything = lived_loss_rate(shared_book, np.ones(len(shared_book)))
    assert found.named["restore all"].loss_rate == pytest.approx(everything)
    assert found.named["as logged"].loss_rate == 0
    for point in found.frontier:
        assert point.figures.loss_rate <= point.budget
    # One at a time, the others withheld as the log did, hardly anything is lost.
    alone = optimise_book(policy, replace(shared_book, lines=None))
    assert alone.named["optimised"].loss_rate < 0.1 * budget
    assert lived_loss_rate(shared_book, share[alone.arm]) > 2 * budget
