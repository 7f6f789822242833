"""The nights on which a decision is taken anew: what its tier reads on each, and what stays open.

A later night gives more, or the same sooner, where its score takes a better tier. A promise stands
whatever the score says, and nothing returns while a gate is closed. Tiers only get harder with the
ratio, so that of all nights the one with the lowest ratio decides: a decision is a few looks, each
of which has its own place among the tiers and holds until a better one.
"""

from dataclasses import dataclass, fields, replace
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from relimit.data.vocabulary import DELAYS_DAYS
from relimit.policy import Policy
from relimit.policy.arms import loss_ratio
from relimit.policy.outcome import Situation
from relimit.policy.worth import applied_arms
from relimit.training.logged_book import LoggedBook

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

NEVER: Final = len(DELAYS_DAYS)
"""The place of a night that does not come before the review."""


@dataclass(frozen=True, slots=True)
class Looks:
    """Nights that change a decision's tier, `[looks]`: first every decision's first, in order.

    Attributes
    ----------
    row
        Place of the decision in its book.
    ratio
        Loss ratio as the tiers read it.
    night, until
        Places in `DELAYS_DAYS` of the look and of the decision's next; `NEVER` where no night finds
        the gates open, or none comes after it.
    seen
        What the loss expected then is of what it was at first, at most 1; 1 at a first look.
    seen_next
        The same at the next look.
    """

    row: Ints
    ratio: Floats
    night: Ints
    until: Ints
    seen: Floats
    seen_next: Floats

    def take(self, some: NDArray[Any] | slice) -> Self:
        """Return some looks, by index or by mask."""
        return type(self)(**{f.name: getattr(self, f.name)[some] for f in fields(self)})

    @property
    def last(self) -> Bools:
        """Which looks no other follows."""
        return np.asarray(self.until == NEVER)


@dataclass(frozen=True, slots=True)
class Nights:
    """A book's nights under the rules of a policy, whatever its tiers and what is lost or earned.

    Attributes
    ----------
    looks
        See `looks_of`.
    opened
        `[n, 25]` the place in `ARMS` of what each arm becomes once every gate is open.
    next_open
        `[n, nights + 1]` the first night from each on with open gates, or `NEVER`.
    """

    looks: Looks
    opened: Ints
    next_open: Ints

    @classmethod
    def of(cls, policy: Policy, book: LoggedBook) -> Self:
        """Find them: each arm goes through the rules once."""
        opened = applied_arms(policy, _opened(book))
        return cls(looks_of(policy, book), opened, next_open(book))

    @property
    def first(self) -> Looks:
        """Every decision's first look, in order."""
        return self.looks.take(slice(len(self.opened)))

    @property
    def later(self) -> Looks:
        """All other looks."""
        return self.looks.take(slice(len(self.opened), None))


def _opened(book: LoggedBook) -> Situation:
    """Return what the rules look at once every gate is open."""
    return replace(book.situation, closed=np.zeros_like(book.situation.closed))


def looks_of(policy: Policy, book: LoggedBook) -> Looks:
    """Return the looks at a book's decisions on the nights of `DELAYS_DAYS`.

    A later night reads the loss ratio as higher by `service.better_by`, but not where a gate was
    closed the night before.
    """
    ratio, closed = _ratios(book), closed_by_night(book)
    opened = np.column_stack([np.zeros(len(book), bool), closed[:, :-1]])
    factor = np.where(opened, 1.0, 1.0 + policy.service.better_by)
    factor[:, 0] = 1.0
    read = np.where(closed, np.inf, ratio * factor)
    best = np.minimum.accumulate(read, axis=1)
    before = np.column_stack([np.full(len(book), np.inf), best[:, :-1]])
    row, night = np.nonzero(read < before)
    shut = np.flatnonzero(closed.all(axis=1))
    row, night = np.append(row, shut), np.append(night, np.full(len(shut), NEVER))
    order = np.lexsort((night, row))
    row, night = row[order], night[order]
    first = np.append(True, row[1:] != row[:-1])
    open_night = np.minimum(night, NEVER - 1)
    now = np.where(night == NEVER, ratio[row, 0], read[row, open_night])
    known = ratio[row, 0] > 0.0
    seen = np.divide(ratio[row, open_night], ratio[row, 0], out=np.ones(len(row)), where=known)
    seen = np.where(first, 1.0, np.minimum(seen, 1.0))
    follows = np.append(~first[1:], False)
    until = np.where(follows, np.append(night[1:], NEVER), NEVER)
    looks = Looks(row, now, night, until, seen, np.append(seen[1:], 1.0))
    return looks.take(np.argsort(~first, kind="stable"))


def closed_by_night(book: LoggedBook) -> Bools:
    """Return `[n, nights]` whether a gate is closed."""
    return np.column_stack([book.situation.closed.any(axis=1), book.signals.closed.any(axis=2)])


def next_open(book: LoggedBook) -> Ints:
    """Return `[n, nights + 1]` the first night from each on with open gates, or `NEVER`."""
    closed = np.column_stack([closed_by_night(book), np.zeros(len(book), bool)])
    first = np.where(closed, NEVER, np.arange(NEVER + 1))
    return np.minimum.accumulate(first[:, ::-1], axis=1)[:, ::-1]


def _ratios(book: LoggedBook) -> Floats:
    """Return `[n, nights]` the loss ratio of each night."""
    freed = book.freed
    later = [loss_ratio(expected, freed) for expected in book.signals.expected_loss.T]
    return np.column_stack([book.situation.loss_ratio, *later])
