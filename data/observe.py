"""Labels: what came after a point in time. Only this module and `outcomes` look ahead."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.book import events_as_of
from relimit.data.errors import DataError
from relimit.data.events import EventBlock
from relimit.data.files import validate_schema
from relimit.data.ledger import account_of, latest_limit, principal_movements
from relimit.data.points import check_ids, found_points, iter_matches, points_of
from relimit.data.schema import events_schema, observations_schema
from relimit.data.segments import first_after
from relimit.data.stream import iter_event_blocks
from relimit.data.times import microseconds
from relimit.data.vocabulary import (
    BAD_DAYS_PAST_DUE,
    BAD_HORIZON_DAYS,
    CHARGE_OFF,
    KINDS,
    LOSS_GIVEN_DEFAULT,
    MICROSECONDS_PER_DAY,
    OVERDUE,
)

Integers = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What came of `[n]` points: bad, loss in fen, and where each is known."""

    bad: Mask
    has_bad: Mask
    loss: Integers
    has_loss: Mask


@dataclass(frozen=True, slots=True)
class Label:
    """What counts as bad, in microseconds, days past due, and the share of a balance lost.

    `ends` is when the book ends: nothing learned of later is looked at.
    """

    horizon: int
    days_past_due: int
    ends: int
    loss_given_default: float


def observe(
    events: Path,
    snapshots: pa.Table | None = None,
    decisions: pa.Table | None = None,
    *,
    horizon_days: int = BAD_HORIZON_DAYS,
    days_past_due: int = BAD_DAYS_PAST_DUE,
    as_of: datetime | None = None,
    loss_given_default: float = LOSS_GIVEN_DEFAULT,
) -> pa.Table:
    """Label points in time with what came after them.

    A point is bad if an `overdue` event of at least `days_past_due` days has its `ts` in
    `(as_of, as_of + horizon]`. Its label is null until the whole horizon has passed, even where it
    is bad already: of points that are too young only the bad ones would be labelled, and the sample
    would be biased. It is null, too, where the account has no events.

    The loss is `loss_given_default * max(0, balance - (limit - freed))`, to the nearest fen: 0 for
    a point that is not bad; null where `bad`, the limit or `freed` is unknown. The balance is the
    principal outstanding (by `ts`) at the first such event; a charge-off of that very instant is
    not yet taken off. The limit is the latest known at the point.

    Parameters
    ----------
    events
        One Parquet file or a folder of parts.
    snapshots
        `account_id`, `as_of` and, optionally, `decision_id`, `freed`, `share`, `delay_days` and
        `propensity`, which are handed on.
    decisions
        In their place, the decisions log. With neither, the points are the decisions that the
        prepayments in the events call for.
    horizon_days, days_past_due
        Positive.
    as_of
        When the book ends, with a zone. Without it, what the `book.json` beside the events says,
        else when the last event was learned of. Events that were learned of later are not seen.
    loss_given_default
        Share of the balance that is lost, from 0 to 1.

    Returns
    -------
    pa.Table
        The columns of `observations_schema`, in the order of the points given, else by account and
        time.

    Raises
    ------
    DataError
        A table breaks the contract, its ids are of another type than the events', or none of its
        accounts has events.
    ValueError
        Both snapshots and decisions are given, or a setting is out of its range.

    Examples
    --------
    An account is 30 days past due in March: bad for a point in January, not for one in April. The
    book has no end of its own, so it is said.

    >>> from tempfile import TemporaryDirectory
    >>> from relimit.data import write_parquet
    >>> def day(text):
    ...     return datetime.fromisoformat(f"{text}T00:00+00:00")
    >>> events = pa.table({
    ...     "account_id": [7, 7],
    ...     "ts": [day("2024-01-01"), day("2024-03-20")],
    ...     "kind": ["draw", "overdue"],
    ...     "amount": [60_000, 60_000],
    ...     "value": pa.array([None, 30], pa.int32()),
    ... })
    >>> points = pa.table({"account_id": [7, 7], "as_of": [day("2024-01-15"), day("2024-04-01")]})
    >>> with TemporaryDirectory() as folder:
    ...     path = Path(folder) / "events.parquet"
    ...     write_parquet(events, path)
    ...     observe(path, points, as_of=day("2025-01-01"))["bad"].to_pylist()
    [True, False]
    """
    if snapshots is not None and decisions is not None:
        raise ValueError("give snapshots or decisions, not both")
    if horizon_days < 1 or days_past_due < 1 or not 0 <= loss_given_default <= 1:
        raise ValueError("horizon and days past due are positive, loss given default is in [0, 1]")
    account_id = validate_schema(events, events_schema(), "events").schema.field("account_id").type
    label = Label(
        horizon=horizon_days * MICROSECONDS_PER_DAY,
        days_past_due=days_past_due,
        ends=microseconds(as_of or events_as_of(events)),
        loss_given_default=loss_given_default,
    )
    if snapshots is None and decisions is None:
        return _observe_found(events, label, account_id)
    where = "decisions" if snapshots is None else "snapshots"
    points = points_of(decisions if snapshots is None else snapshots, where=where)
    check_ids(points, account_id, where=where)
    return _observe_given(events, points, label)


def _observe_given(events: Path, points: pa.Table, label: Label) -> pa.Table:
    """Label points, in their order."""
    size = points.num_rows
    bad, has_bad, has_loss = (np.zeros(size, bool) for _ in range(3))
    loss = np.zeros(size, np.int64)
    as_of, freed, has_freed = _arrays(points)
    matched = 0
    for match in iter_matches(events, points):
        rows = match.rows
        matched += rows.size
        found = outcomes(match.block, match.account, as_of[rows], freed[rows], label)
        bad[rows], has_bad[rows] = found.bad, found.has_bad
        loss[rows], has_loss[rows] = found.loss, found.has_loss & has_freed[rows]
    if size and not matched:
        what = f"none of the {size} points is of an account that has events"
        raise DataError(what, where=str(events), mend="Give events and points of one portfolio")
    return _table(points, Outcomes(bad, has_bad, loss, has_loss))


def _observe_found(events: Path, label: Label, account_id: pa.DataType) -> pa.Table:
    """Label the decisions that the prepayments in the events call for."""
    tables = [observations_schema(account_id).empty_table()]
    for block in iter_event_blocks(events):
        points, account = found_points(block, label.ends)
        as_of, freed, _ = _arrays(points)
        tables.append(_table(points, outcomes(block, account, as_of, freed, label)))
    return pa.concat_tables(tables)


def _arrays(points: pa.Table) -> tuple[Integers, Integers, Mask]:
    """Return the points' times, freed limits (0 where null), and where these are known."""
    freed = points["freed"]
    known: Mask = freed.is_valid().to_numpy()
    as_of: Integers = points["as_of"].cast(pa.int64()).to_numpy()
    return as_of, freed.fill_null(0).to_numpy(), known


def _table(points: pa.Table, found: Outcomes) -> pa.Table:
    """Return points with their outcomes under the schema of observations."""
    schema = observations_schema(points.schema.field("account_id").type)
    columns: dict[str, Any] = {name: points[name] for name in points.column_names}
    columns["bad"] = pa.array(found.bad, mask=~found.has_bad)
    columns["loss"] = pa.array(found.loss, mask=~found.has_loss)
    return pa.table(columns).select(schema.names).cast(schema)


def outcomes(
    block: EventBlock, account: Integers, as_of: Integers, freed: Integers, label: Label
) -> Outcomes:
    """Return what came of points of a block's accounts; see `observe`.

    Parameters
    ----------
    account
        `[n]`, the place in the block's `account_ids`.
    as_of, freed
        `[n]`, microseconds UTC and fen.
    """
    time, balance, starts = _defaults(block, label)
    low, high = starts[account], starts[account + 1]
    first = first_after(time, low, high, as_of)
    place = np.minimum(first, time.size - 1)
    bad = np.zeros(account.size, bool)
    if time.size:
        bad = (first < high) & (time[place] <= as_of + label.horizon)
    opening, closing = block.starts[account], block.starts[account + 1]
    limit, has_limit = latest_limit(
        block, opening, first_after(block.known_at, opening, closing, as_of)
    )
    excess = np.maximum(0, np.append(balance, 0)[place] - (limit - freed))
    loss = np.where(bad, np.rint(label.loss_given_default * excess), 0).astype(np.int64)
    matured = as_of + label.horizon <= label.ends
    return Outcomes(bad, matured, loss, matured & has_limit)


def _defaults(block: EventBlock, label: Label) -> tuple[Integers, Integers, Integers]:
    """Return the overdue events that count as bad, by account and `ts`.

    Returns
    -------
    Their times, the principal outstanding at each, and `[accounts + 1]` where each account's start.
    """
    default = (block.kind == KINDS.index(OVERDUE)) & block.has_value
    default &= (block.value >= label.days_past_due) & (block.known_at <= label.ends)
    moved = np.where(block.known_at <= label.ends, principal_movements(block), 0)
    written_off = block.kind == KINDS.index(CHARGE_OFF)
    account = account_of(block)
    # What is booked at the instant of a default comes before it, but its charge-off comes after.
    order = np.lexsort((default + 2 * written_off, block.ts, account))
    total = np.cumsum(moved[order])
    opening = np.append(0, total)[block.starts[:-1]]
    at = np.flatnonzero(default[order])
    owner = account[order][at]
    balance = np.maximum(0, total[at] - opening[owner])
    starts = np.searchsorted(owner, np.arange(len(block.account_ids) + 1))
    return block.ts[order][at], balance, starts
