"""What waiting is worth: what the signals of the next days would still change, against its cost."""

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS, DELAYS_DAYS, FEN_PER_YUAN
from relimit.policy import Policy, Worth, worth_of
from relimit.policy.arms import loss_ratio, tier_of
from relimit.policy.ladder import sums_by
from relimit.policy.outcome import Situation
from relimit.policy.worth import ARM_SHARES, NOTHING, THOUSAND_YUAN, applied_arms, ruled_arms
from relimit.training.logged_book import WAITS, LoggedBook
from relimit.training.nights import NEVER, Looks, looks_of, next_open

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


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
    """Return what every first arm is worth as a policy's later nights carry it out, `[n, 25]`.

    Each of `DELAYS_DAYS` is a night on which what is open is decided again. An arm returns on the
    first of them, from its own on, that finds every gate open; a night whose score takes a better
    tier of the policy gives more, or the same sooner. What a later night adds is lost as far as its
    own score lets expect. If no night finds the gates open, nothing returns: the margin is that of
    returning nothing, and so is the loss if a gate was closed from the first; else the loss that is
    expected when the wait was to end is avoided. A worse score alone takes no promise back.

    It is assumed that the log's lender did not look again while his borrowers waited: else the
    outcomes of his arms hold some of this already.
    """
    looks, arms, size = looks_of(policy, book), opened_arms(policy, book), len(book)
    first, later = looks.take(slice(size)), looks.take(slice(size, None))
    worth = _worth_of(policy, book, first, arms)
    if not len(later.row):
        return worth
    share, night = np.divmod(np.arange(len(ARMS)), len(DELAYS_DAYS))
    its_share, its_night = np.divmod(_tier_arms(policy, later)[:, None], len(DELAYS_DAYS))
    better = np.maximum(share, its_share) * len(DELAYS_DAYS) + np.minimum(night, its_night)
    more = _worth_of(policy, book, later, np.take_along_axis(arms[later.row], better, axis=1))
    return Worth(
        **{
            part.name: getattr(worth, part.name)
            + sums_by(later.row, getattr(more, part.name), size)
            for part in fields(Worth)
        }
    )


def worth_of_looks(policy: Policy, book: LoggedBook, looks: Looks) -> Worth:
    """Return what every arm of each look is worth until the next, `[looks, 25]`.

    With the arms of tiers that only get harder, a decision's looks add up to what
    `worth_over_nights` says of it.
    """
    return _worth_of(policy, book, looks, opened_arms(policy, book)[looks.row])


def _worth_of(policy: Policy, book: LoggedBook, looks: Looks, arm: Ints) -> Worth:
    """Return what `[looks, 25]` arms, open gates given, are worth from each look to the next.

    The next look takes on what is back by then: what this one would be worth from then on is its.
    """
    outcomes, rows, nights = book.outcomes, looks.row, len(DELAYS_DAYS)
    share, night = np.divmod(arm, nights)
    earliest = np.maximum(night, looks.night[:, None])
    returns = np.take_along_axis(next_open(book)[rows], earliest, axis=1)
    until, last = looks.until[:, None], looks.last[:, None]
    gone = (share == 0) | (returns >= until)
    became = np.where(gone, NOTHING, share * nights + returns)
    taken_on = np.where(gone | last, NOTHING, share * nights + until)
    freed, margin, loss = book.freed[rows], outcomes.margin[rows], outcomes.loss[rows]
    own, rest = (worth_of(policy, freed, its, margin, loss) for its in (became, taken_on))
    whole = {
        part: getattr(own, part) - np.where(last, 0.0, getattr(rest, part))
        for part in ("margin", "restored", "waited")
    }
    closes = last & gone & (share > 0) & (night > looks.night[:, None])
    return Worth(loss=_lost(book, looks, arm, own.loss, closes), **whole)


def _lost(book: LoggedBook, looks: Looks, arm: Ints, came: Floats, closes: Bools) -> Floats:
    """Return `[looks, 25]` losses: what a later look adds is lost as its own score lets expect.

    What was promised before is lost as was expected then, since a promise stands for those whose
    score worsens, too. Where a gate closes on it, what is expected when its wait was to end is
    avoided. `came` is as expected at first of what comes of the arm.
    """
    rows = looks.row
    loss, seen, later = book.outcomes.loss[rows], looks.seen[:, None], looks.seen_next[:, None]
    nothing = loss[:, [NOTHING]]
    promised = np.take_along_axis(loss, arm, axis=1) - nothing
    place = np.maximum(arm % len(DELAYS_DAYS) - 1, 0)
    avoided = ARM_SHARES[arm] * np.take_along_axis(book.signals.expected_loss[rows], place, axis=1)
    lost = np.where(closes, seen * promised - avoided, seen * (came - nothing)) + nothing
    return np.where(looks.last[:, None], lost, (seen - later) * promised)


def opened_arms(policy: Policy, book: LoggedBook) -> Ints:
    """Return `[n, 25]` the place in `ARMS` of what each arm becomes once every gate is open."""
    return applied_arms(policy, _opened(book))


def _opened(book: LoggedBook) -> Situation:
    return replace(book.situation, closed=np.zeros_like(book.situation.closed))


def share_back(policy: Policy, book: LoggedBook) -> Floats:
    """Return `[n]` the share that is back before the review, as later nights carry a policy out."""
    looks = looks_of(policy, book)
    looks = looks.take(looks.last)
    arm = ruled_arms(policy, replace(_opened(book).take(looks.row), loss_ratio=looks.ratio))
    night = np.maximum(arm % len(DELAYS_DAYS), looks.night)
    back = np.zeros(len(book))
    back[looks.row] = np.where(next_open(book)[looks.row, night] == NEVER, 0.0, ARM_SHARES[arm])
    return back


def tier_arm(policy: Policy, book: LoggedBook) -> Ints:
    """Return `[n]` the place in `ARMS` of the tier on the first night that finds the gates open."""
    return _tier_arms(policy, looks_of(policy, book).take(slice(len(book))))


def _tier_arms(policy: Policy, looks: Looks) -> Ints:
    arms = [ARMS.index((tier.share, tier.delay_days)) for tier in policy.tiers]
    return np.array(arms)[tier_of(policy, looks.ratio)]


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
