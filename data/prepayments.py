"""Early repayments as decisions: which belong together, and how much limit they free."""

from dataclasses import dataclass, fields
from hashlib import blake2b
from operator import attrgetter
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.accounts import account_places
from relimit.data.errors import DataError
from relimit.data.events import EventBlock
from relimit.data.ledger import freed_limit
from relimit.data.segments import first_after
from relimit.data.vocabulary import KINDS, ONE_DECISION_HOURS, PREPAYMENT

ONE_DECISION: Final = ONE_DECISION_HOURS * 3_600_000_000
"""Microseconds from a decision's first prepayment to the latest that can join it."""


@dataclass(frozen=True, slots=True)
class Prepayments:
    """The decisions that a block's early repayments call for, by account and then time.

    Attributes
    ----------
    account
        `[n]` int64, the place in the block's `account_ids`.
    as_of
        `[n]` int64, microseconds UTC: when the lender learned of the group's last prepayment.
    prepaid, freed
        `[n]` int64 fen, `0 <= freed <= prepaid`.
    closed
        `[n]` bool: 24 hours have passed since the group's first prepayment, so that no later one
        can join it. The decision on an open group may be taken; another prepayment within those
        24 hours then calls for a new decision, on the larger group and with another id.
    decision_id
        `[n]`, see `decision_id`.
    """

    account: NDArray[np.int64]
    as_of: NDArray[np.int64]
    prepaid: NDArray[np.int64]
    freed: NDArray[np.int64]
    closed: NDArray[np.bool_]
    decision_id: NDArray[np.object_]

    def __len__(self) -> int:
        return len(self.account)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask."""
        return type(self)(*(part[rows] for part in _columns(self)))


_columns: Final = attrgetter(*(f.name for f in fields(Prepayments)))


def decision_id(account_id: object, as_of: int, prepaid: int) -> str:
    """Return the name of a decision: the same account, microsecond and fen give the same name.

    An id stored as a number and the same id stored as a string give the same name, so that
    exporting a book with other column types renames nothing.

    Examples
    --------
    >>> decision_id(7, 1_735_689_600_000_000, 50_000)
    '32b2b7e73d0564345f10'
    >>> decision_id("7", 1_735_689_600_000_000, 50_000) == _
    True
    """
    # The account comes first and the other two are numbers, so no two decisions share a text.
    text = f"{account_id}|{int(as_of)}|{int(prepaid)}"
    return blake2b(text.encode(), digest_size=10).hexdigest()


def find_prepayments(
    block: EventBlock, since: int, as_of: int, *, latest: bool = False
) -> Prepayments:
    """Find the prepayments learned of in `(since, as_of]` and group them into decisions.

    Prepayments of one account are grouped greedily in the order in which the lender learned of
    them: a group holds those within 24 hours of its first (bounds included), and the decision is
    taken at its last. A prepayment of 0 calls for no decision; one without an amount, or with a
    negative one, does, so that whoever decides sees it and can refuse it.

    Parameters
    ----------
    block
        Whole accounts; events later than `as_of` change nothing.
    since, as_of
        Microseconds UTC.
    latest
        Return the last of the decisions alone.

    Examples
    --------
    A repayment of 300 and one of 200 two hours later are one decision; the limit is 1,000 and
    100 are still owed, hence all 500 come free.

    >>> from relimit.data.events import blocks_from_table
    >>> hour = 3_600_000_000
    >>> block = blocks_from_table(pa.table({
    ...     "account_id": [7, 7, 7, 7],
    ...     "ts": pa.array([0, 1 * hour, 5 * hour, 7 * hour], pa.timestamp("us", tz="UTC")),
    ...     "kind": ["limit", "draw", "prepayment", "prepayment"],
    ...     "amount": [1_000, 600, 300, 200],
    ... }))
    >>> found = find_prepayments(block, since=0, as_of=24 * hour)
    >>> found.prepaid.tolist(), found.freed.tolist(), (found.as_of // hour).tolist()
    ([500], [500], [7])
    >>> found.closed.tolist()
    [False]
    """
    chosen = block.kind == KINDS.index(PREPAYMENT)
    chosen &= (block.known_at > since) & (block.known_at <= as_of)
    chosen &= (block.amount != 0) | ~block.has_amount
    places = chosen.nonzero()[0]
    account = np.searchsorted(block.starts, places, side="right") - 1
    known_at = block.known_at[places]
    first = _group_starts(account, known_at)
    last = np.append(first[1:], places.size)[: first.size] - 1
    if latest:
        first, last = first[-1:], last[-1:]
    prepaid = np.add.reduceat(block.amount[places], first) if first.size else first
    account, decided = account[first], known_at[last]
    ids = block.account_ids[account]
    return Prepayments(
        account=account,
        as_of=decided,
        prepaid=prepaid,
        freed=freed_limit(block, account, decided, prepaid),
        closed=known_at[first] + ONE_DECISION <= as_of,
        decision_id=np.array(decision_ids(ids, decided, prepaid), dtype=object),
    )


def _group_starts(account: NDArray[np.int64], known_at: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return where the greedy groups start among prepayments sorted by account and time.

    Each step of the loop finds every account's next group at once, so that it runs as often as the
    busiest account has groups: at most once a day of history.
    """
    size = account.size
    ends = np.searchsorted(account, account, side="right")
    places = np.arange(size)
    following = first_after(known_at, places, ends, known_at + ONE_DECISION)
    starts = np.zeros(size, bool)
    new = np.ones(size, bool)
    new[1:] = account[1:] != account[:-1]
    frontier = new.nonzero()[0]
    while frontier.size:
        starts[frontier] = True
        following_group = following[frontier]
        frontier = following_group[following_group < ends[frontier]]
    return starts.nonzero()[0]


def decision_ids(
    ids: NDArray[Any], as_of: NDArray[np.int64], prepaid: NDArray[np.int64]
) -> list[str]:
    """Return the names of `[n]` decisions; see `decision_id`."""
    rows = zip(ids.tolist(), as_of.tolist(), prepaid.tolist(), strict=True)
    return [decision_id(account_id, time, amount) for account_id, time, amount in rows]


def decision_ids_of(rows: pa.Table) -> pa.Array:
    """Return the names of the decisions that rows of a checked list of prepayments are."""
    as_of, prepaid = rows["as_of"].cast(pa.int64()).to_numpy(), rows["prepaid"].to_numpy()
    return pa.array(decision_ids(rows["account_id"].to_numpy(), as_of, prepaid), pa.string())


def check_prepayments(table: pa.Table, *, where: str) -> None:
    """Raise a `DataError` if an amount of a list is out of its range, or two rows are the same.

    The list has the columns of `prepayments_schema`.
    """
    _check_amounts(table, where)
    _require_distinct(table, where)


def _require_distinct(table: pa.Table, where: str) -> None:
    """Raise a `DataError` if two rows have the same account, time and amount."""
    _, place = account_places(table["account_id"])
    as_of, prepaid = table["as_of"].cast(pa.int64()).to_numpy(), table["prepaid"].to_numpy()
    order = np.lexsort((prepaid, as_of, place))
    same = np.ones(max(len(order) - 1, 0), bool)
    for column in (place, as_of, prepaid):
        same &= np.diff(column[order]) == 0
    doubled = int(np.count_nonzero(same))
    if doubled:
        what = f"{doubled} of {len(order)} rows repeat another's account_id, as_of and prepaid"
        raise DataError(what, where=where, mend="Keep one row for each prepayment")


def _check_amounts(table: pa.Table, where: str) -> None:
    """Raise a `DataError` if an amount is out of its range."""
    prepaid, freed = table["prepaid"], table["freed"]
    faults = (
        ("prepaid", "not positive", pc.less_equal(prepaid, 0)),
        ("freed", "negative", pc.less(freed, 0)),
        ("freed", "more than prepaid", pc.greater(freed, prepaid)),
    )
    for column, fault, mask in faults:
        count = pc.sum(mask).as_py() or 0
        if count:
            what = f"column {column} is {fault} in {count} of {table.num_rows} rows"
            raise DataError(what, where=where, mend=f"Mend {column} or leave these rows out")
