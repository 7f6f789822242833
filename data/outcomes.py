"""What came of logged decisions, in money. Only this module and `observe` look ahead."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.book import events_as_of
from relimit.data.contract import check_columns, id_type
from relimit.data.errors import DataError
from relimit.data.events import EventBlock
from relimit.data.files import validate_schema
from relimit.data.ledger import account_of, latest_limit, principal_movements
from relimit.data.observe import Label, outcomes
from relimit.data.points import Match, check_ids, iter_matches
from relimit.data.schema import decisions_log_schema, events_schema, realised_schema
from relimit.data.segments import first_after
from relimit.data.tables import conform
from relimit.data.times import local_days, microseconds
from relimit.data.vocabulary import (
    BAD_DAYS_PAST_DUE,
    BAD_HORIZON_DAYS,
    FEN_PER_YUAN,
    FUNDING_COST_YEARLY,
    INTEREST_PAYMENT,
    KINDS,
    LOSS_GIVEN_DEFAULT,
    MICROSECONDS_PER_DAY,
    RESTORED,
)

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_DAYS_OF_YEAR: Final = 365


@dataclass(frozen=True, slots=True)
class _Log:
    """Logged decisions, `[n]`: microseconds UTC, fen, and the share that was to return."""

    decision_id: pa.ChunkedArray
    decided_at: Ints
    freed: Ints
    share: Floats


@dataclass(frozen=True, slots=True)
class _Money:
    """What came of decisions besides bad and loss, `[n]`; `days` is NaN where it never came."""

    limit: Ints
    has_limit: Bools
    margin: Ints
    restored: Ints
    days: Floats


def realised(
    events: Path,
    decisions: pa.Table,
    *,
    horizon_days: int = BAD_HORIZON_DAYS,
    days_past_due: int = BAD_DAYS_PAST_DUE,
    as_of: datetime | None = None,
    loss_given_default: float = LOSS_GIVEN_DEFAULT,
    funding_cost_yearly: float = FUNDING_COST_YEARLY,
) -> pa.Table:
    """Return what came of each logged decision within the horizon.

    A decision has matured once the calendar day on which its horizon ends is over. Before, and
    where its account has no events, all its outcomes are null.

    Parameters
    ----------
    events
        One Parquet file or a folder of parts.
    decisions
        The log, `decisions_log_schema`.
    horizon_days, days_past_due, as_of, loss_given_default
        As in `observe`.
    funding_cost_yearly
        What lending a yuan for a year costs the lender.

    Returns
    -------
    pa.Table
        `realised_schema`, in the order of the log; money in fen.
        `limit`: the latest known at the decision, of matured decisions.
        `bad`, `loss`: as `observe` labels them; `loss` is null, too, where the limit is unknown.
        `margin`: interest settled from the morning of the decision's day to the end of the
        horizon's last day, less the funding of the principal outstanding on each of their mornings.
        It is the account's, not the freed part's: between two arms the difference is what counts.
        `restored`: given back within the horizon by `restored` events that name the decision.
        `restored_days`: days until as much was back as the decision's share, to within a yuan;
        null where nothing was to return or it did not come within the horizon.

    Raises
    ------
    DataError
        A table breaks the contract, its ids are of another type than the events', none of its
        accounts has events, or a share or a delay is out of its range.
    ValueError
        A setting is out of its range.
    """
    if horizon_days < 1 or days_past_due < 1 or not 0 <= loss_given_default <= 1:
        raise ValueError("horizon and days past due are positive, loss given default is in [0, 1]")
    if funding_cost_yearly < 0:
        raise ValueError("the funding cost is not below 0")
    ids = validate_schema(events, events_schema(), "events").schema.field("account_id").type
    table = _conformed(decisions)
    check_ids(table, ids, where="decisions")
    label = Label(
        horizon=horizon_days * MICROSECONDS_PER_DAY,
        days_past_due=days_past_due,
        ends=microseconds(as_of or events_as_of(events)),
        loss_given_default=loss_given_default,
    )
    return _realised(events, table, label, funding_cost_yearly)


def _conformed(decisions: pa.Table) -> pa.Table:
    where = "decisions"
    wanted = decisions_log_schema()
    check_columns(decisions.schema, wanted, table=where, where=where, rows=decisions.num_rows)
    wanted = decisions_log_schema(id_type(decisions.schema.field("account_id").type))
    table = conform(decisions, wanted, where=where)
    _check_range(table, "share", 0.0, 1.0, "Give the restored part of the freed limit, from 0 to 1")
    _check_range(table, "delay_days", 0.0, np.inf, "Give days, at least 0")
    return table


def _check_range(table: pa.Table, name: str, low: float, high: float, mend: str) -> None:
    """Raise a `DataError` where a column is not what it means; unknown values pass."""
    outside = pc.or_(pc.less(table[name], low), pc.greater(table[name], high))
    if wrong := pc.sum(outside).as_py():
        what = f"column {name} is out of range in {wrong:,} of {table.num_rows:,} rows"
        raise DataError(what, where="decisions", mend=mend)


def _realised(events: Path, table: pa.Table, label: Label, funding: float) -> pa.Table:
    log = _log_of(table)
    size = table.num_rows
    bad, matured, has_loss, has_limit = (np.zeros(size, bool) for _ in range(4))
    loss, limit, margin, restored = (np.zeros(size, np.int64) for _ in range(4))
    days = np.full(size, np.nan)
    last = local_days(log.decided_at) + label.horizon // MICROSECONDS_PER_DAY
    over = last < local_days(np.array([label.ends]))[0]
    seen = 0
    for match in iter_matches(events, table):
        rows = match.rows
        seen += len(rows)
        args = (match.account, log.decided_at[rows], log.freed[rows])
        labels = outcomes(match.block, *args, label)
        money = _money(match, log, label, funding)
        bad[rows], matured[rows] = labels.bad, over[rows]
        loss[rows], has_loss[rows] = labels.loss, over[rows] & labels.has_loss
        limit[rows], has_limit[rows] = money.limit, over[rows] & money.has_limit
        margin[rows], restored[rows], days[rows] = money.margin, money.restored, money.days
    if size and not seen:
        what = f"none of the {size} decisions is of an account that has events"
        raise DataError(what, where=str(events), mend="Give events and a log of one portfolio")
    columns: dict[str, Any] = {name: table[name] for name in table.column_names}
    columns["bad"] = pa.array(bad, mask=~matured)
    columns["loss"] = pa.array(loss, mask=~has_loss)
    columns["limit"] = pa.array(limit, mask=~has_limit)
    columns["margin"] = pa.array(margin, mask=~matured)
    columns["restored"] = pa.array(restored, mask=~matured)
    columns["restored_days"] = pa.array(days, mask=~matured | np.isnan(days))
    schema = realised_schema(table.schema.field("account_id").type)
    return pa.table(columns).select(schema.names).cast(schema)


def _log_of(table: pa.Table) -> _Log:
    return _Log(
        decision_id=table["decision_id"],
        decided_at=table["decided_at"].cast(pa.int64()).to_numpy(),
        freed=table["freed"].to_numpy(),
        share=table["share"].to_numpy(),
    )


def _money(match: Match, log: _Log, label: Label, funding: float) -> _Money:
    block, rows = match.block, match.rows
    seen = block.known_at <= label.ends
    interest, balance_days = _interest_and_balances(match, log.decided_at[rows], label, seen)
    cost = np.rint(balance_days * (funding / _DAYS_OF_YEAR)).astype(np.int64)
    restored, days = _restored(match, log, label, seen)
    low, high = block.starts[match.account], block.starts[match.account + 1]
    visible = first_after(block.known_at, low, high, log.decided_at[rows])
    return _Money(*latest_limit(block, low, visible), interest - cost, restored, days)


def _interest_and_balances(
    match: Match, decided_at: Ints, label: Label, seen: Bools
) -> tuple[Ints, Ints]:
    """Return `[n]` interest settled on the horizon's days, and the sum of their morning balances.

    A balance of a history cut short is right up to what it owed before: a constant by account.
    """
    block, account = match.block, match.account
    order = np.lexsort((block.ts, account_of(block)))
    day = local_days(block.ts[order])
    settled = (block.kind == KINDS.index(INTEREST_PAYMENT)) & seen
    moved = np.where(seen, principal_movements(block), 0)[order]
    paid, owed, dated = (
        np.append(0, np.cumsum(part))
        for part in (np.where(settled, block.amount, 0)[order], moved, moved * day)
    )
    low, high = block.starts[account], block.starts[account + 1]
    first = local_days(decided_at)
    last = first + label.horizon // MICROSECONDS_PER_DAY
    start, end = first_after(day, low, high, first - 1), first_after(day, low, high, last)
    before = owed[start] - owed[low]
    # What moves on day e is on the balance of the mornings e + 1 to `last`.
    within = (owed[end] - owed[start]) * last - (dated[end] - dated[start])
    return paid[end] - paid[start], before * (last - first + 1) + within


def _restored(match: Match, log: _Log, label: Label, seen: Bools) -> tuple[Ints, Floats]:
    """Return `[n]` fen given back within the horizon, and days until the decided share was back."""
    block, rows = match.block, match.rows
    decision = _decision_of(block, log.decision_id.take(pa.array(rows)))
    at = np.flatnonzero((decision >= 0) & seen & block.has_amount)
    place = decision[at]
    wait = block.ts[at] - log.decided_at[rows][place]
    kept = (wait >= 0) & (wait <= label.horizon)
    at, place, wait = at[kept], place[kept], wait[kept]
    order = np.lexsort((wait, place))
    at, place, wait = at[order], place[order], wait[order]
    starts = np.searchsorted(place, np.arange(len(rows) + 1))
    back = np.append(0, np.cumsum(block.amount[at]))
    restored = back[starts[1:]] - back[starts[:-1]]
    wanted = np.floor(log.freed[rows] * log.share[rows]).astype(np.int64)
    # Amounts are rounded to whole yuan somewhere on their way.
    enough = np.maximum(wanted - FEN_PER_YUAN + 1, 1)
    reached = np.flatnonzero(back[1:] - back[starts[place]] >= enough[place])
    who, first = np.unique(place[reached], return_index=True)
    days = np.full(len(rows), np.nan)
    days[who] = wait[reached[first]] / MICROSECONDS_PER_DAY
    return restored, np.where(wanted > 0, days, np.nan)


def _decision_of(block: EventBlock, decision_id: pa.ChunkedArray) -> Ints:
    """Return `[events]` the place of the decision that a `restored` event names, else -1."""
    details = pa.array(block.details, pa.string())
    place = pc.index_in(details, value_set=decision_id).fill_null(-1).to_numpy().astype(np.int64)
    named = (block.kind == KINDS.index(RESTORED)) & (block.detail >= 0)
    return np.where(named, np.append(place, -1)[block.detail], -1)
