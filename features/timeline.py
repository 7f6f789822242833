"""Where each snapshot stands in its account: which rows were known by then, by binary search."""

from functools import cached_property

import numpy as np

from relimit.data.events import EventBlock
from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.features.bits import Ints


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

    @cached_property
    def start(self) -> Ints:
        """The row at which each snapshot's account begins."""
        if len(self._block.account_ids) == 0:
            return np.zeros(len(self._as_of), np.int64)
        return np.where(self._account >= 0, self._block.starts[self._account], 0)

    @cached_property
    def row_start(self) -> Ints:
        """`[events]`: the row at which each event's account begins."""
        starts = self._block.starts
        return np.repeat(starts[:-1], np.diff(starts))

    @cached_property
    def _key(self) -> tuple[Ints, int, int, Ints | None]:
        """The events' keys; the first time, how many there may be, and the times if ranked.

        A key of account and microsecond overflows int64 for many accounts over many years; then
        the place among the block's distinct times, which come last, stands for the time.
        """
        block = self._block
        accounts = len(block.account_ids)
        first, last = int(block.known_at.min()), int(block.known_at.max())
        span = last - first + 2
        if accounts == 1:
            return block.known_at, first - 1, span, None
        length = np.diff(block.starts)
        if span * (accounts + 1) < 2**62:
            key = np.repeat(np.arange(accounts) * span - (first - 1), length)
            key += block.known_at
            return key, first - 1, span, None
        times, rank = np.unique(block.known_at, return_inverse=True)
        index = np.repeat(np.arange(accounts), length)
        return index * (len(times) + 1) + rank + 1, 0, len(times) + 1, times

    def rows(self, days: int | Ints) -> Ints:
        """Return the row after the last one known so many days before each snapshot."""
        moment: Ints = self._as_of - days * MICROSECONDS_PER_DAY
        if len(self._block.known_at) == 0:
            return np.zeros(moment.shape, np.int64)
        key, first, span, times = self._key
        if len(self._block.account_ids) == 1:
            rows = key.searchsorted(moment, side="right")
            return np.where(self._account >= 0, rows, 0)
        if times is None:
            place = np.minimum(np.maximum(moment - first, 0), span - 1)
        else:
            place = np.searchsorted(times, moment, side="right")
        rows = np.searchsorted(key, self._account * span + place, side="right")
        return np.where(self._account >= 0, rows, 0)
