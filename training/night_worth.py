"""What arms are worth as later nights carry them out: what comes back, and what is lost of it."""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import ARMS, DELAYS_DAYS
from relimit.policy import Policy, Worth
from relimit.policy.arms import tier_of
from relimit.policy.ladder import sums_by
from relimit.policy.worth import ARM_SHARES, NOTHING, require_outcomes, returned_of
from relimit.training.logged_book import LoggedBook
from relimit.training.nights import NEVER, Looks, Nights, looks_of

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

EVERY_ARM: Final = np.arange(len(ARMS))


def worth_over_nights(
    policy: Policy, book: LoggedBook, nights: Nights | None = None, first: Ints = EVERY_ARM
) -> Worth:
    """Return what first arms are worth as a policy's later nights carry them out, `[n, k]`.

    Each of `DELAYS_DAYS` is a night on which what is open is decided again. An arm returns on the
    first of them, from its own on, that finds every gate open; a night whose score takes a better
    tier of the policy gives more, or the same sooner. What a later night adds is lost as far as its
    own score lets expect. If no night finds the gates open, nothing returns: the margin is that of
    returning nothing, and so is the loss if a gate was closed from the first; else the loss that is
    expected when the wait was to end is avoided. A worse score alone takes no promise back.

    It is assumed that the log's lender did not look again while his borrowers waited: else the
    outcomes of his arms hold some of this already.

    Parameters
    ----------
    nights
        Of the book under the policy's rules; found if None.
    first
        `[k]`, or `[n, k]` by decision, places in `ARMS`: all 25 arms if not given.
    """
    nights, size = nights or Nights.of(policy, book), len(book)
    first = np.broadcast_to(first, (size, first.shape[-1]))
    arm = np.take_along_axis(nights.opened, first, axis=1)
    worth = worth_of_looks(policy, book, Carried.of(nights, nights.first, arm))
    later = nights.later
    if not len(later.row):
        return worth
    share, night = np.divmod(first[later.row], len(DELAYS_DAYS))
    its_share, its_night = np.divmod(_tier_arms(policy, later)[:, None], len(DELAYS_DAYS))
    better = np.maximum(share, its_share) * len(DELAYS_DAYS) + np.minimum(night, its_night)
    arm = np.take_along_axis(nights.opened[later.row], better, axis=1)
    more = worth_of_looks(policy, book, Carried.of(nights, later, arm))
    return Worth(
        **{
            part.name: getattr(worth, part.name)
            + sums_by(later.row, getattr(more, part.name), size)
            for part in fields(Worth)
        }
    )


@dataclass(frozen=True, slots=True)
class Carried:
    """What comes of `[looks, k]` arms, whatever is lost or earned by it; places in `ARMS`.

    Attributes
    ----------
    looks
        The looks at which the arms are given.
    arm
        The arms, as the rules leave them once every gate is open.
    became
        What is back of them before the next look.
    taken_on
        What the next look takes on: what this one would be worth from then on is its.
    closes
        Where the gates stay closed on a wait that began with open ones.
    """

    looks: Looks
    arm: Ints
    became: Ints
    taken_on: Ints
    closes: Bools

    @classmethod
    def of(cls, nights: Nights, looks: Looks, arm: Ints) -> "Carried":
        """Follow arms from each look to the next."""
        share, night = np.divmod(arm, len(DELAYS_DAYS))
        earliest = np.maximum(night, looks.night[:, None])
        returns = np.take_along_axis(nights.next_open[looks.row], earliest, axis=1)
        until, last = looks.until[:, None], looks.last[:, None]
        gone = (share == 0) | (returns >= until)
        return cls(
            looks=looks,
            arm=arm,
            became=np.where(gone, NOTHING, share * len(DELAYS_DAYS) + returns),
            taken_on=np.where(gone | last, NOTHING, share * len(DELAYS_DAYS) + until),
            closes=last & gone & (share > 0) & (night > looks.night[:, None]),
        )

    @classmethod
    def every(cls, nights: Nights) -> "Carried":
        """Follow every arm of every look, `[looks, 25]`."""
        return cls.of(nights, nights.looks, nights.opened[nights.looks.row])


def worth_of_looks(policy: Policy, book: LoggedBook, carried: Carried) -> Worth:
    """Return what arms are worth from each look to the next, `[looks, k]`.

    With the arms of tiers that only get harder, a decision's looks add up to what
    `worth_over_nights` says of it.
    """
    rows, last = carried.looks.row, carried.looks.last[:, None]
    freed, margin = book.freed[rows], book.outcomes.margin[rows]
    require_outcomes("margin", margin, len(rows))

    def gains(arm: Ints) -> tuple[Floats, Floats, Floats]:
        return np.take_along_axis(margin, arm, axis=1), *returned_of(policy, freed, arm)

    earned, restored, waited = (
        own - np.where(last, 0.0, rest)
        for own, rest in zip(gains(carried.became), gains(carried.taken_on), strict=True)
    )
    return Worth(earned, loss_of(book, carried), restored, waited)


def loss_of(book: LoggedBook, carried: Carried) -> Floats:
    """Return `[looks, k]` losses: what a later look adds is lost as its own score lets expect.

    What was promised before is lost as was expected then, since a promise stands for those whose
    score worsens, too. Where a gate closes on it, what is expected when its wait was to end is
    avoided.
    """
    looks, arm = carried.looks, carried.arm
    loss, seen, later = book.outcomes.loss[looks.row], looks.seen[:, None], looks.seen_next[:, None]
    require_outcomes("loss", loss, len(loss))
    came, nothing = np.take_along_axis(loss, carried.became, axis=1), loss[:, [NOTHING]]
    promised = np.take_along_axis(loss, arm, axis=1) - nothing
    place = np.maximum(arm % len(DELAYS_DAYS) - 1, 0)
    expected = np.take_along_axis(book.signals.expected_loss[looks.row], place, axis=1)
    kept = seen * promised - ARM_SHARES[arm] * expected
    lost = np.where(carried.closes, kept, seen * (came - nothing)) + nothing
    return np.where(looks.last[:, None], lost, (seen - later) * promised)


def share_back(policy: Policy, book: LoggedBook, nights: Nights | None = None) -> Floats:
    """Return `[n]` the share that is back before the review, as later nights carry a policy out."""
    nights = nights or Nights.of(policy, book)
    looks = nights.looks.take(nights.looks.last)
    arm = nights.opened[looks.row, _tier_arms(policy, looks)]
    night = np.maximum(arm % len(DELAYS_DAYS), looks.night)
    back = np.zeros(len(book))
    never = nights.next_open[looks.row, night] == NEVER
    back[looks.row] = np.where(never, 0.0, ARM_SHARES[arm])
    return back


def tier_arm(policy: Policy, book: LoggedBook, nights: Nights | None = None) -> Ints:
    """Return `[n]` the place in `ARMS` of the tier on the first night that finds the gates open."""
    looks = nights.looks if nights else looks_of(policy, book)
    return _tier_arms(policy, looks.take(slice(len(book))))


def _tier_arms(policy: Policy, looks: Looks) -> Ints:
    arms = [ARMS.index((tier.share, tier.delay_days)) for tier in policy.tiers]
    return np.array(arms)[tier_of(policy, looks.ratio)]
