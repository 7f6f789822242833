"""One account's history in, its decision out: the same as in a nightly run."""

import json
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

import numpy as np
import pyarrow as pa

from relimit.data import find_prepayments
from relimit.data.errors import DataError
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.schema import events_schema
from relimit.data.tables import conform
from relimit.data.vocabulary import KINDS, ONE_DECISION_HOURS, PREPAYMENT
from relimit.serving.quarantine import undecidable
from relimit.serving.scorer import Scorer

WHERE = "history"
HOUR = 3_600_000_000


def decide_json(scorer: Scorer, text: str) -> dict[str, Any]:
    """Decide on one account's history, given as JSON, and return the decision's columns.

    The history is `{"account_id": ..., "events": [{"ts", "kind", "amount", ...}, ...]}` with the
    columns of `events`: times in ISO 8601 with a zone, money in fen. Optional: `as_of`, when the
    decision is taken (default: when the last prepayment became known), and `since`, after which
    prepayments belong to it (default: 24 hours before `as_of`).

    Raises
    ------
    DataError
        If the text breaks this form, or no prepayment is due for a decision.
    """
    try:
        history = json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"not valid JSON: {error}", where=WHERE, mend="Give one object") from error
    if not isinstance(history, dict) or not {"account_id", "events"} <= history.keys():
        raise DataError(
            "not an object with account_id and events",
            where=WHERE,
            mend='Give {"account_id": ..., "events": [{"ts": ..., "kind": ..., "amount": ...}]}',
        )
    block = blocks_from_table(_events(history["account_id"], history["events"]))
    as_of = _instant(history, "as_of") or last_prepayment(block)
    since = _instant(history, "since") or as_of - ONE_DECISION_HOURS * HOUR
    return decide_one(scorer, block, since, as_of)


def decide_one(scorer: Scorer, block: EventBlock, since: int, as_of: int) -> dict[str, Any]:
    """Return the last decision that one account's prepayments in `(since, as_of]` call for.

    Raises
    ------
    DataError
        If there is no such prepayment, or it can't be decided.
    """
    found = find_prepayments(block, since, as_of)
    if not len(found):
        raise DataError(
            "no prepayment is known in the window",
            where=WHERE,
            mend="Give the account's prepayment, or an as_of within 24 hours after it",
        )
    last = found.take(np.array([len(found) - 1]))
    (reason,) = undecidable(block, last)
    if reason is not None:
        raise DataError(reason, where=WHERE, mend="Mend the account's events")
    (row,) = scorer.decide_block(block, last).to_table().to_pylist()
    return {name: _plain(value) for name, value in row.items()}


def last_prepayment(block: EventBlock) -> int:
    """Return when the last prepayment became known, microseconds UTC.

    Raises
    ------
    DataError
        If there is none.
    """
    known_at = block.known_at[block.kind == KINDS.index(PREPAYMENT)]
    if not known_at.size:
        raise DataError("no prepayment", where=WHERE, mend="Give the account's prepayment")
    return int(known_at.max())


def _events(account_id: Any, events: Any) -> pa.Table:
    if not isinstance(events, list) or not all(isinstance(event, Mapping) for event in events):
        raise DataError("events is not a list of objects", where=WHERE, mend="Give [{...}, ...]")
    rows = [
        {**event, "account_id": account_id, **_times(event, place)}
        for place, event in enumerate(events)
    ]
    names = [name for name in events_schema().names if any(name in row for row in rows)]
    try:
        table = pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])
    except (pa.ArrowException, OverflowError) as error:
        raise DataError(str(error), where=WHERE, mend="Give each field one type") from error
    return conform(table, _with_id(table.schema), where=WHERE)


def _with_id(schema: pa.Schema) -> pa.Schema:
    known = schema.names
    if "account_id" not in known:
        raise DataError("no events", where=WHERE, mend="Give the account's events")
    return events_schema(schema.field("account_id").type)


def _times(event: Mapping[str, Any], place: int) -> dict[str, datetime]:
    return {
        name: _parse(event[name], f"events[{place}].{name}")
        for name in ("ts", "known_at")
        if event.get(name) is not None
    }


def _instant(history: Mapping[str, Any], name: str) -> int | None:
    if history.get(name) is None:
        return None
    time = pa.scalar(_parse(history[name], name), pa.timestamp("us", tz="UTC"))
    return int(time.cast(pa.int64()).as_py())


def _parse(value: Any, name: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        parsed = None
    if parsed is None or parsed.tzinfo is None:
        raise DataError(
            f"{name} is {value!r}",
            where=WHERE,
            mend="Give a time with its zone, such as 2026-03-01T08:00:00+08:00",
        )
    return parsed


def _plain(value: Any) -> Any:
    """Return a value that JSON has: times and dates as ISO 8601."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
