"""Where each snapshot stands in its account: which rows were known by then, by binary search."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from relimit.data.events import EventBlock
from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.features.bits import Ints
from relimit.features.once import once

MANY: Final = 1_000
"""From so many snapshots on, they are searched together: a call then costs less than its work."""

_ABOVE: Final = 2**62
"""More than any key, and less than half of what int64 holds: the difference of two keys fits."""


class Timeline:
    """One ascending key per event, account first: the only place that holds it against `as_of`.

    Parameters
    ----------
    block
        The events of whole accounts.
    account
        `[snapshots]` int64, places in `block.account_ids`; −1 for an account without events.
    as_of
        `[snapshots]` int64, microseconds since 1970 in UTC.
    """

    def __init__(self, block: EventBlock, account: Ints, as_of: Ints) -> None:
        self._block = block
        self._account = account
        self._as_of = as_of

    @once
    def start(self) -> Ints:
        """The row at which each snapshot's account begins."""
        if len(self._block.account_ids) == 0:
            return np.zeros(len(self._as_of), np.int64)
        return np.where(self._account >= 0, self._block.starts[self._account], 0)

    @once
    def row_start(self) -> Ints:
        """`[events]`: the row at which each event's account begins."""
        starts = self._block.starts
        return np.repeat(starts[:-1], np.diff(starts))

    @once
    def _key(self) -> tuple[Ints, int, int, Ints | None]:
        """The events' keys; the first time, how many there may be, and the times if ranked.

        A key of account and microsecond overflows int64 for many accounts over many years; then
        the place among the block's distinct times, which come last, stands for the time. After
        those of the events come as many keys above them all as the first step is long.
        """
        block = self._block
        accounts, size = len(block.account_ids), len(block.known_at)
        if accounts == 1:
            return block.known_at, 0, 0, None
        first = int(block.known_at.take(block.starts[:-1], mode="clip").min())
        last = int(block.known_at.take(block.starts[1:] - 1, mode="clip").max())
        span = last - first + 2
        times, place = None, block.known_at
        if span * (accounts + 1) >= _ABOVE:
            times, place = np.unique(block.known_at, return_inverse=True)
            first, span = 0, len(times) + 1
        begins = np.append(np.arange(accounts) * span - (first - 1), _ABOVE)
        key = np.repeat(begins, np.append(np.diff(block.starts), self._steps[0][0]))
        key[:size] += place
        return key, first - 1, span, times

    @once
    def _steps(self) -> list[tuple[int, Ints | None]]:
        """Falling powers of two that add up to the events of the longest account, or more.

        With each the snapshots whose accounts have as many events; None if most have.
        """
        length = np.diff(self._block.starts)
        return list(_falling(length.take(self._account, mode="wrap"), int(length.max())))

    @once
    def _least(self) -> Ints:
        """What each snapshot's keys are not below."""
        return self._account * self._key[2] + 1

    def rows_at(self, ago: int | tuple[int, ...] | None) -> Ints:
        """Return the rows after those known some days ago, `[ends, snapshots]` for several days.

        None is the account's start.
        """
        if ago is None:
            return self.start
        return self.rows(np.array(ago)[:, np.newaxis] if isinstance(ago, tuple) else ago)

    def rows(self, days: int | Ints) -> Ints:
        """Return the row after the last one known so many days before each snapshot."""
        if len(self._block.known_at) == 0:
            return np.zeros((self._as_of - days).shape, np.int64)
        key, first, span, times = self._key
        if len(self._block.account_ids) == 1:
            rows = key.searchsorted(self._as_of - days * MICROSECONDS_PER_DAY, side="right")
            return np.where(self._account >= 0, rows, 0)
        if times is None:
            place = self._as_of - (days * MICROSECONDS_PER_DAY + first)
            place.clip(0, span - 1, out=place)
        else:
            moment = self._as_of - days * MICROSECONDS_PER_DAY
            place = np.searchsorted(times, moment, side="right")
        place += self._least
        return self._from(place) if place.size >= MANY else key.searchsorted(place)

    def _from(self, least: Ints) -> Ints:
        """Return the first row whose key is not below each.

        All are searched in the same steps within the accounts (a uniform binary search, Knuth 1998,
        6.2.1), in half the time of one after another through the whole block, where each step is a
        guess. Few accounts are long enough for the longest steps, which are taken in those alone.
        """
        row = np.empty_like(least)
        row[...] = self.start
        for step, mine in self._steps:
            if mine is None:
                self._advance(row, least, step)
            elif len(mine):
                some = row.take(mine, axis=-1)
                self._advance(some, least.take(mine, axis=-1), step)
                row[..., mine] = some
        return row

    def _advance(self, row: Ints, least: Ints, step: int) -> None:
        """Add a step to the rows of which the key at its end is below what is looked for.

        The sign bit of the difference tells: a comparison would have to be widened to the numbers
        that it is added to.
        """
        below = self._key[0][step - 1 :].take(row, mode="wrap")  # the quickest; none is beyond
        below -= least
        sign = below.view(np.uint64)  # shifted in half the time of signed numbers
        sign >>= 64 - step.bit_length()
        below &= step
        row += below


def _falling(length: Ints, longest: int) -> Iterator[tuple[int, Ints | None]]:
    """Yield the steps, and where accounts are as long; None from where most are."""
    most = False
    for power in reversed(range(longest.bit_length())):
        mine = None if most else np.flatnonzero(length >= 1 << power)
        most = mine is None or 2 * len(mine) > len(length)
        yield 1 << power, None if most else mine
