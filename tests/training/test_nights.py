"""What later nights add to a decision: by hand, and against the rules that carry it out."""

from dataclasses import fields, replace

import numpy as np
import pytest

from relimit.data.vocabulary import ARMS, DELAYS_DAYS
from relimit.policy import Cases, Earlier, Facts, decide, decide_again, load_policy
from relimit.policy.arms import tier_of
from relimit.policy.outcome import Situation
from relimit.policy.settings import Tier
from relimit.policy.worth import ruled_arms
from relimit.training.arm_outcomes import ArmOutcomes
from relimit.training.figures import figures_of
from relimit.training.logged_book import Came, LoggedBook, Signals
from relimit.training.night_worth import (
    Carried,
    share_back,
    tier_arm,
    worth_of_looks,
    worth_over_nights,
)
from relimit.training.nights import Nights

SHARE, DAYS = np.array(ARMS).T
DAY = 86_400_000_000
NOON = 1_772_338_800_000_000
MONEY = ("margin", "loss", "restored", "waited")


def arm(share, days):
    return ARMS.index((share, days))


def tier(up_to, share, days=0):
    waits = share > 0 and days > 0
    return Tier(up_to, share, days, "score_refresh" if waits else "none")


def with_tiers(*tiers):
    return replace(load_policy(), tiers=tiers)


SIMPLE = with_tiers(tier(0.02, 1.0), tier(0.10, 0.5), tier(1.0, 0.0))
"""All below 2%, half below 10%; a later night reads a ratio as a fifth higher."""


def make_book(ratios, closed=None):
    """Decisions with a ratio, and a gate that is closed or not, on each of the five nights."""
    ratio = np.array(ratios, float)
    n = len(ratio)
    shut = np.zeros((n, 5), bool) if closed is None else np.array(closed, bool)
    gates = shut[:, :, None] & [True, False, False]
    freed = 10_000 * np.arange(1, n + 1)
    nothing = np.zeros(n, np.int64)
    situation = Situation(
        freed=freed,
        room=freed,
        loss_ratio=ratio[:, 0],
        closed=gates[:, 0],
        clearing_days=nothing,
        fault_days=nothing,
        elapsed_days=nothing,
    )
    loss = ratio[:, :1] * SHARE * freed[:, None]
    margin = (0.02 + 0.05 * SHARE * (1 - DAYS / 180)) * freed[:, None]
    full = np.full(n, arm(1.0, 0))
    own = loss[:, full[0]], margin[:, full[0]]
    return LoggedBook(
        decision_id=np.arange(n).astype(str),
        account=np.arange(n),
        freed=freed,
        share=SHARE[full],
        arm=full,
        outcomes=ArmOutcomes(loss * 0, loss, margin, 0),
        situation=situation,
        shown=np.ones((n, 1), bool),
        groups=("none of these",),
        signals=Signals(gates[:, 1:], ratio[:, 1:] * freed[:, None]),
        came=Came(np.arange(n), freed, own[0], own[0], own[1], own[1]),
        warnings=(),
        place=np.arange(n),
        lines=None,
        horizon_days=180,
    )


def own_worth(policy, book):
    """What every row comes to under its own tier, by column."""
    worth, rows = worth_over_nights(policy, book), np.arange(len(book))
    return {name: getattr(worth, name)[rows, tier_arm(policy, book)] for name in MONEY}


def test_a_better_score_brings_the_rest_on_its_night_at_the_loss_it_then_expects():
    """Half comes back at once. On day 3 a ratio of 1.5% reads as 1.8%: the rest comes, too."""
    book = make_book([[0.04, 0.015, 0.04, 0.04, 0.04], [0.04, 0.018, 0.018, 0.04, 0.04]])
    found = own_worth(SIMPLE, book)
    # Of the second, 1.8% reads as 2.16%: half stays withheld until the review on day 45.
    assert found["restored"].tolist() == [10_000, 10_000]
    assert found["waited"].tolist() == [5_000 * 3, 10_000 * 45]
    # The first half is lent at 4%, the other at the 1.5% of day 3.
    assert found["loss"] == pytest.approx([5_000 * 0.04 + 5_000 * 0.015, 10_000 * 0.04])
    # 2% whatever returns, 5% a year's half on each half for the days that are left of it.
    earned = 0.05 * 5_000 * (1 + (1 - 3 / 180))
    assert found["margin"] == pytest.approx([200 + earned, 400 + 0.05 * 10_000])
    assert share_back(SIMPLE, book).tolist() == [1.0, 0.5]
    figures = figures_of(
        SIMPLE, worth_over_nights(SIMPLE, book), book.freed, tier_arm(SIMPLE, book)
    )
    assert figures.share == pytest.approx(20_000 / 30_000)
    assert figures.mean_days == pytest.approx(15_000 / 20_000)


def test_a_better_score_brings_a_promise_forward_and_a_worse_one_takes_nothing_back():
    policy = with_tiers(tier(0.02, 1.0, 3), tier(0.10, 0.5, 14), tier(1.0, 0.0, 30))
    book = make_book([[0.04, 0.01, 0.04, 0.9, 0.9], [0.04, 0.9, 0.9, 0.9, 0.9]])
    found = own_worth(policy, book)
    assert found["restored"].tolist() == [10_000, 10_000]
    # All on day 3; half on day 14.
    assert found["waited"].tolist() == [10_000 * 3, 10_000 * (14 + 45)]
    # The half that was promised at 4% is lent at that, what day 3 adds at its 1%.
    assert found["loss"] == pytest.approx([5_000 * (0.04 + 0.01), 10_000 * 0.04])


def test_the_night_that_opens_the_last_gate_reads_the_score_as_it_is():
    """1.8% is below 2% on that night alone; 4% at first counts for nothing: the gate was closed."""
    book = make_book(
        [[0.04, 0.04, 0.018, 0.04, 0.04], [0.01, 0.04, 0.018, 0.018, 0.018]],
        [[1, 1, 0, 0, 0], [1, 0, 0, 0, 0]],
    )
    found = own_worth(SIMPLE, book)
    assert found["restored"].tolist() == [10_000, 10_000]
    assert found["waited"].tolist() == [10_000 * 7, 10_000 * 3 + 10_000 * 45]
    assert share_back(SIMPLE, book).tolist() == [1.0, 0.5]


def random_book(seed, n=300, *, gates=True):
    """Ratios that wander from night to night; some gates are closed at first, then open."""
    rng = np.random.default_rng(seed)
    steps = rng.normal(0, 0.5, (n, 5)).cumsum(axis=1)
    ratio = np.minimum(np.exp(np.log(0.03) + rng.normal(0, 1, (n, 1)) + steps), 1.0)
    opens = np.where(rng.uniform(size=n) < 0.3, rng.integers(1, 6, n), 0) * gates
    return make_book(ratio, np.arange(5) < opens[:, None])


def random_policy(seed):
    """Tiers that only get harder."""
    rng = np.random.default_rng(seed)
    share = np.sort(rng.choice([0.0, 0.25, 0.5, 0.75, 1.0], 4))[::-1]
    days = np.sort(rng.choice(DELAYS_DAYS, 4))
    bounds = [*np.sort(rng.uniform(0.002, 0.2, 3)).round(4), 1.0]
    return with_tiers(
        *(tier(*its) for its in zip(bounds, share.tolist(), days.tolist(), strict=True))
    )


@pytest.mark.parametrize("seed", range(6))
def test_looks_add_up_to_what_the_tiers_make_of_a_decision(seed):
    """What tiers are chosen by is what they come to."""
    policy, book = random_policy(seed), random_book(seed)
    nights = Nights.of(policy, book)
    looks = nights.looks
    assert len(looks.row) > 1.1 * len(book)
    arms = [arm(its.share, its.delay_days) for its in policy.tiers]
    bounds = [its.up_to for its in policy.tiers]
    its = np.array(arms)[np.searchsorted(bounds[:-1], looks.ratio)]
    by_look, whole = worth_of_looks(policy, book, Carried.every(nights)), own_worth(policy, book)
    for name in MONEY:
        part = getattr(by_look, name)[np.arange(len(its)), its]
        assert np.bincount(looks.row, part) == pytest.approx(whole[name]), name
    assert whole["restored"] == pytest.approx(share_back(policy, book) * book.freed)


@pytest.mark.parametrize("seed", range(3))
def test_an_arm_asked_for_alone_is_worth_what_it_is_among_all(seed):
    policy, book = random_policy(seed), random_book(seed)
    asked = np.random.default_rng(seed).integers(0, 25, (len(book), 2))
    every = worth_over_nights(policy, book)
    alone = worth_over_nights(policy, book, Nights.of(policy, book), asked)
    for name in MONEY:
        its = np.take_along_axis(getattr(every, name), asked, axis=1)
        assert np.array_equal(getattr(alone, name), its), name


@pytest.mark.parametrize("seed", range(3))
def test_what_the_rules_make_of_a_tier_is_what_they_make_of_its_arm(seed):
    """The cap cuts, small amounts are rounded and payments clear: the tiers change none of it."""
    policy, book, rng = random_policy(seed), random_book(seed), np.random.default_rng(seed)
    situation = replace(
        book.situation,
        freed=rng.integers(1, 3 * policy.rounding.unit, len(book)),
        room=rng.integers(0, 3 * policy.rounding.unit, len(book)),
        clearing_days=rng.choice([0, 5], len(book)),
        fault_days=rng.choice([0, 2, 20], len(book)),
    )
    nights = Nights.of(policy, replace(book, situation=situation))
    opened = replace(situation, closed=np.zeros_like(situation.closed))
    ruled = ruled_arms(policy, opened)
    its = tier_of(policy, situation.loss_ratio)
    arms = np.array([arm(tier.share, tier.delay_days) for tier in policy.tiers])
    assert np.array_equal(nights.opened[np.arange(len(book)), arms[its]], ruled)
    assert len(np.unique(ruled)) > 5


UNTROUBLED = {"limit": 10_000_000, "has_limit": True, "prepayment_age_days": 0.0}
DATES = ("last_due", "next_due", "cycles_until")
UNKNOWN = ("days_since_returned", "score_drop", "days_since_draw")


def cases_of(book, night):
    """The book's decisions as the policy finds them on one of the nights."""
    n, day = len(book), DELAYS_DAYS[night]
    later = night > 0
    loss = book.signals.expected_loss[:, night - 1] if later else book.situation.loss_ratio * (
        book.freed
    )  # fmt: skip
    closed = book.signals.closed[:, night - 1] if later else book.situation.closed
    columns = {f.name: np.zeros(n, np.int64) for f in fields(Facts)}
    columns |= {name: np.full(n, np.datetime64("NaT", "D")) for name in DATES}
    columns |= {name: np.full(n, np.nan) for name in UNKNOWN}
    columns |= {name: np.full(n, value) for name, value in UNTROUBLED.items()}
    columns["overdue"] = np.where(closed[:, 0], 50_000, 0)
    return Cases(
        decision_id=book.decision_id.tolist(),
        account_id=book.account,
        as_of=np.full(n, NOON + day * DAY),
        prepaid=book.freed,
        freed=book.freed,
        risk=np.minimum(loss / book.freed, 1.0),
        expected_loss=loss,
        facts=Facts(**columns),
    )


@pytest.mark.parametrize("seed", range(6))
def test_a_decision_comes_to_what_the_rules_give_back_night_by_night(seed):
    policy, book = random_policy(seed), random_book(seed)
    night = decide(policy, cases_of(book, 0))
    earlier = Earlier.from_decisions(night.to_table())
    back, waited = earlier.restored.astype(float), np.zeros(len(book))
    for place, day in enumerate(DELAYS_DAYS[1:], 1):
        night = decide_again(policy, cases_of(book, place), earlier)
        tonight = night.to_table()["restore_now"].to_numpy()
        back, waited = back + tonight, waited + tonight * day
        earlier = earlier.then(night)
    found = own_worth(policy, book)
    assert found["restored"] == pytest.approx(back)
    late = found["waited"] - (book.freed - found["restored"]) * policy.service.review_days
    assert late == pytest.approx(waited)
