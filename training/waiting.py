"""What waiting is worth: what the signals of the next days would still change, against its cost."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS, FEN_PER_YUAN
from relimit.policy import Policy, Worth
from relimit.policy.arms import loss_ratio, tier_of
from relimit.policy.worth import THOUSAND_YUAN
from relimit.training.logged_book import WAITS, LoggedBook

Floats = NDArray[np.float64]


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
