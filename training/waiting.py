"""What waiting is worth: what the signals of the next days would still change, against its cost."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS, DELAYS_DAYS, FEN_PER_YUAN
from relimit.policy import Policy, Worth, worth_of
from relimit.policy.arms import loss_ratio, tier_of
from relimit.policy.worth import ARM_SHARES, NOTHING, THOUSAND_YUAN, applied_arms
from relimit.training.logged_book import WAITS, LoggedBook

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Wait:
    """What waiting so many days is worth in one tier, against its share at once; yuan.

    Attributes
    ----------
    tier, up_to, share, days
        The tier from 1, its bound and share, and the wait.
    chosen
        Whether the tier waits so long.
    rows
        Decisions in the tier whose gates are open.
    riskier, safer
        Part of them that a higher, or a lower, tier would take by then.
    gate_closes
        Part of them for whom a gate is closed then: only this holds a promise back.
    loss_avoided
        By the gates that close, and by lending later.
    margin_lost, waiting_cost
        What it costs the lender and, by `value.waiting`, the borrower.
    net
        A yuan of loss counts as one and the shadow price of the loss budget.
    """

    tier: int
    up_to: float
    share: float
    days: int
    chosen: bool
    rows: int
    riskier: float
    safer: float
    gate_closes: float
    loss_avoided: float
    margin_lost: float
    waiting_cost: float
    net: float


def worth_over_nights(policy: Policy, book: LoggedBook) -> Worth:
    """Return the worth of every arm as later nights would carry it out, `[n, 25]`.

    Each of `DELAYS_DAYS` is a night on which what is open is decided again. An arm returns on the
    first of them, from its own on, that finds every gate open. If none does, nothing returns: the
    margin is that of returning nothing, and so is the loss if a gate was closed from the first;
    else the loss that is expected when the wait was to end is avoided. A worse score alone takes no
    promise back.

    It is assumed that the log's lender did not look again while his borrowers waited: else the
    outcomes of his arms hold some of this already.
    """
    outcomes = book.outcomes
    arm, became = arms_over_nights(policy, book)
    worth = worth_of(policy, book.freed, became, outcomes.margin, outcomes.loss)
    night = arm % len(DELAYS_DAYS)
    place = np.maximum(night - 1, 0)
    avoided = ARM_SHARES[arm] * np.take_along_axis(book.signals.expected_loss, place, axis=1)
    kept = np.take_along_axis(outcomes.loss, arm, axis=1) - avoided
    ended = (ARM_SHARES[arm] > 0) & (ARM_SHARES[became] == 0)
    closes = ended & (night > 0) & ~book.situation.closed.any(axis=1, keepdims=True)
    return replace(worth, loss=np.where(closes, kept, worth.loss))


def arms_over_nights(policy: Policy, book: LoggedBook) -> tuple[Ints, Ints]:
    """Return `[n, 25]` what each arm becomes with open gates, and what later nights leave of it."""
    opened = replace(book.situation, closed=np.zeros_like(book.situation.closed))
    nights = len(DELAYS_DAYS)
    arm = applied_arms(policy, opened)
    share, night = np.divmod(arm, nights)
    returns = np.take_along_axis(_next_open(book), night, axis=1)
    nothing = (share == 0) | (returns == nights)
    return arm, np.where(nothing, NOTHING, share * nights + returns)


def tier_arm(policy: Policy, book: LoggedBook) -> Ints:
    """Return `[n]` the place in `ARMS` of each row's tier, before gates and the rest."""
    arms = [ARMS.index((tier.share, tier.delay_days)) for tier in policy.tiers]
    return np.array(arms)[tier_of(policy, book.situation.loss_ratio)]


def _next_open(book: LoggedBook) -> Ints:
    """Return `[n, nights]` the first night from each on that finds the gates open; 5 if none."""
    closed = np.column_stack([book.situation.closed.any(axis=1), book.signals.closed.any(axis=2)])
    nights = closed.shape[1]
    first = np.where(closed, nights, np.arange(nights))
    return np.minimum.accumulate(first[:, ::-1], axis=1)[:, ::-1]


def waits_of(policy: Policy, book: LoggedBook, worth: Worth, shadow_price: float) -> list[Wait]:
    """Return what each wait is worth in each tier of a policy that returns something."""
    tier = tier_of(policy, book.situation.loss_ratio)
    open_now = ~book.situation.closed.any(axis=1)
    found = []
    for number, its in enumerate(policy.tiers):
        rows = np.flatnonzero((tier == number) & open_now)
        if its.share > 0 and len(rows):
            part = worth.take(rows)
            for days in WAITS:
                money = _against_at_once(policy, part, its.share, days, shadow_price)
                seen = _seen(policy, book, rows, number, days)
                chosen = its.delay_days == days
                found.append(
                    Wait(number + 1, its.up_to, its.share, days, chosen, len(rows), **seen, **money)
                )
    return found


def _against_at_once(
    policy: Policy, worth: Worth, share: float, days: int, shadow_price: float
) -> dict[str, float]:
    """Return in yuan what a share after some days brings and costs against the share at once."""
    waited, at_once = ARMS.index((share, days)), ARMS.index((share, 0))

    def change(of: Floats) -> float:
        return float((of[:, waited] - of[:, at_once]).sum()) / FEN_PER_YUAN

    loss, margin = change(worth.loss), change(worth.margin)
    cost = policy.stated_value.waiting / THOUSAND_YUAN * change(worth.waited)
    return {
        "loss_avoided": -loss,
        "margin_lost": -margin,
        "waiting_cost": cost,
        "net": margin - (1.0 + shadow_price) * loss - cost,
    }


def _seen(
    policy: Policy, book: LoggedBook, rows: NDArray[np.int64], tier: int, days: int
) -> dict[str, float]:
    """Return for how many rows of a tier the decision would be another after some days."""
    place = WAITS.index(days)
    ratio = loss_ratio(book.signals.expected_loss[rows, place], book.freed[rows])
    later = tier_of(policy, ratio)
    return {
        "riskier": float((later > tier).mean()),
        "safer": float((later < tier).mean()),
        "gate_closes": float(book.signals.closed[rows, place].any(axis=1).mean()),
    }
