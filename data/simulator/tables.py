"""From a block's columns to Arrow tables."""

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from relimit.data.schema import DETAIL as DETAIL_TYPE
from relimit.data.schema import TIME, WORD, accounts_schema, decisions_log_schema, events_schema
from relimit.data.simulator.recorder import DETAILS, NO_DETAIL, NO_LOAN, Columns
from relimit.data.simulator.streams import Bools, Ints, Purpose, uniform
from relimit.data.vocabulary import (
    ARMS,
    CURED,
    EXTERNAL_SCORE,
    INQUIRY,
    KINDS,
    OPERATION,
    OUTAGE,
    OVERDUE,
    PAYMENT_RETURNED,
)

if TYPE_CHECKING:
    from relimit.data.simulator.block import Block

_NO_AMOUNT = {EXTERNAL_SCORE, INQUIRY, OPERATION, OUTAGE, PAYMENT_RETURNED, CURED}
AMOUNT_KINDS: Bools = np.array([kind not in _NO_AMOUNT for kind in KINDS])
VALUE_KINDS: Bools = np.array([kind in {EXTERNAL_SCORE, OVERDUE, OUTAGE} for kind in KINDS])
_LOANS_PER_ACCOUNT = 10_000
_SEXES = ("female", "male")
_AGES = ("18-24", "25-34", "35-44", "45-60")
_REGIONS = ("east", "south", "north", "west", "northeast")


def loan_ids(account_id: Ints, number: Ints) -> Ints:
    """Return loan ids that no two loans of a book share."""
    return account_id * _LOANS_PER_ACCOUNT + number


def events_table(block: "Block", as_of: int) -> pa.Table:
    """Return the block's events known by `as_of`, by account and `known_at`; empties its log."""
    columns = block.recorder.drain()
    order = _by_account(columns["row"], columns["known_at"])
    order = order[columns["known_at"][order] <= as_of]
    return columns_table(block, {name: columns.pop(name)[order] for name in list(columns)})


def _by_account(row: Ints, known_at: Ints) -> Ints:
    """Return the order by account and `known_at`, ties as they came.

    The log is nearly in the order of time, which a stable sort makes use of; rows of a block fit
    into 16 bits, for which it counts instead of comparing.
    """
    order = np.argsort(known_at, kind="stable")
    narrow = np.uint16 if len(row) == 0 or row.max() < 2**16 else row.dtype
    return order[np.argsort(row[order].astype(narrow), kind="stable")]


def columns_table(block: "Block", c: Columns) -> pa.Table:
    """Return logged columns as events, in their order; details as strings."""
    account_id = block.people.account_id[c["row"]]
    details = pa.array([*DETAILS, *_decision_ids(block)], pa.string())
    return pa.table(
        {
            "account_id": account_id,
            "ts": pa.array(c["ts"]).cast(TIME),
            "known_at": pa.array(c["known_at"]).cast(TIME),
            "kind": pa.DictionaryArray.from_arrays(c["kind"], pa.array(KINDS)),
            "amount": pa.array(c["amount"], mask=~AMOUNT_KINDS[c["kind"]]),
            "value": pa.array(c["value"], mask=~VALUE_KINDS[c["kind"]]),
            "loan_id": pa.array(loan_ids(account_id, c["loan"]), mask=c["loan"] == NO_LOAN),
            "detail": details.take(pa.array(c["detail"], mask=c["detail"] == NO_DETAIL)),
        }
    )


def encoded(events: pa.Table) -> pa.Table:
    """Return events in the book's schema, with a dictionary of the details that occur."""
    detail = events["detail"].combine_chunks().dictionary_encode().cast(DETAIL_TYPE)
    kind = events["kind"].combine_chunks().cast(WORD)
    places = [events.column_names.index(name) for name in ("kind", "detail")]
    for place, name, column in zip(places, ("kind", "detail"), (kind, detail), strict=True):
        events = events.set_column(place, name, column)
    return events.cast(events_schema()).combine_chunks()


def decisions_table(block: "Block") -> pa.Table:
    """Return what the lender decided, by account and time."""
    c = block.decisions.columns()
    if not c:
        return decisions_log_schema().empty_table()
    order = np.lexsort((c["decided_at"], c["account_id"]))
    c = {name: column[order] for name, column in c.items()}
    share = np.array([share for share, _ in ARMS])[c["arm"]]
    delay = np.array([delay for _, delay in ARMS], dtype=np.int32)[c["arm"]]
    propensity = c["propensity"].astype(np.float64)
    return pa.table(
        {
            "decision_id": pa.array(c["decision_id"], pa.string()),
            "account_id": c["account_id"],
            "decided_at": pa.array(c["decided_at"]).cast(TIME),
            "prepaid": c["prepaid"],
            "freed": c["freed"],
            "share": share,
            "delay_days": delay,
            "propensity": pa.array(propensity, mask=np.isnan(propensity)),
            "policy": pa.array([block.lender.name] * len(order), pa.string()),
        }
    ).cast(decisions_log_schema())


def accounts_table(block: "Block") -> pa.Table:
    """Return the accounts with the audit's columns, none of which the world depends on."""
    people = block.people
    draws = [uniform(people.key, 0, Purpose.AUDIT, np.full(len(people.key), i)) for i in range(3)]
    opened = block.calendar.instant(0) + people.open_day * 86_400_000_000
    return pa.table(
        {
            "account_id": people.account_id,
            "opened_at": pa.array(opened).cast(TIME),
            "sex": _word(_SEXES, draws[0]),
            "age_band": _word(_AGES, draws[1]),
            "region": _word(_REGIONS, draws[2]),
        }
    ).cast(accounts_schema())


def _word(words: tuple[str, ...], u: "np.typing.NDArray[np.float64]") -> pa.Array:
    return pa.array(words).take(pa.array((u * len(words)).astype(np.int64)))


def _decision_ids(block: "Block") -> list[str]:
    ids: list[str] = block.decisions.columns().get("decision_id", np.empty(0)).tolist()
    return ids
