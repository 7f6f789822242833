"""One account's history in, its decision out: the same as in a nightly run."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import Any

import numpy as np
import pyarrow as pa

from relimit.data import find_prepayments
from relimit.data.errors import DataError
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.schema import events_schema
from relimit.data.tables import conform
from relimit.data.times import microseconds
from relimit.data.vocabulary import KINDS, PREPAYMENT
from relimit.serving.quarantine import undecidable
from relimit.serving.scorer import Scorer

WHERE = "history"
EVER = int(np.iinfo(np.int64).min)


def decide_json(scorer: Scorer, text: str | bytes) -> dict[str, Any]:
    """Decide on one account's history, given as JSON, and return the decision's columns.

    The history is `{"account_id": ..., "events": [{"ts", "kind", "amount", ...}, ...]}` with the
    columns of `events`: times in ISO 8601 with a zone, money in fen. Optional: `as_of`, when the
    decision is taken (default: when the last prepayment became known), and `since`, after which
    prepayments are grouped into decisions (default: all are).

    Raises
    ------
    DataError
        If the text breaks this form, or no prepayment is due for a decision.
    """
    try:
        history = json.loads(text)
        json.dumps(history, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON: {error}", where=WHERE, mend="Give one object") from error
    if not isinstance(history, dict) or not isinstance(history.get("account_id"), int | str):
        raise DataError(
            "not an object with account_id and events",
            where=WHERE,
            mend='Give {"account_id": ..., "events": [{"ts": ..., "kind": ..., "amount": ...}]}',
        )
    block = blocks_from_table(_events(history["account_id"], history.get("events")))
    as_of = _instant(history, "as_of") or last_prepayment(block)
    since = _instant(history, "since")
    return decide_one(scorer, block, EVER if since is None else since, as_of)


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
    if not isinstance(events, list) or not events:
        raise DataError("events is not a list of objects", where=WHERE, mend="Give [{...}, ...]")
    rows = [_row(account_id, event, place) for place, event in enumerate(events)]
    columns = {name: [row.get(name) for row in rows] for name in events_schema().names}
    arrays = {name: _array(name, values) for name, values in columns.items()}
    table = pa.table(arrays)
    return conform(table, events_schema(table.schema.field("account_id").type), where=WHERE)


def _row(account_id: Any, event: Any, place: int) -> dict[str, Any]:
    """Return one event with its account and its times, refusing what would be misread."""
    where = f"events[{place}]"
    if not isinstance(event, Mapping):
        raise DataError(f"{where} is not an object", where=WHERE, mend="Give {...}")
    names = events_schema().names
    for name in event:
        if name not in names:
            close = get_close_matches(name, names, n=1)
            mend = f"Did you mean {close[0]}?" if close else f"Give {', '.join(names)}"
            raise DataError(f"{where} has the unknown field {name}", where=WHERE, mend=mend)
    if event.get("account_id", account_id) != account_id:
        what = f"{where} is of account {event['account_id']}, not {account_id}"
        raise DataError(what, where=WHERE, mend="Give one account's events")
    return {**event, "account_id": account_id, **_times(event, where)}


def _array(name: str, values: list[Any]) -> pa.Array:
    """Return one field of all events; a value that doesn't fit names its event."""
    wanted = events_schema().field(name).type
    if name == "account_id":
        wanted = pa.string() if isinstance(values[0], str) else pa.int64()
    elif pa.types.is_dictionary(wanted):
        wanted = pa.string()
    for place, value in enumerate(values):
        if not _fits(value, wanted):
            what = f"events[{place}].{name} is {value!r}"
            raise DataError(what, where=WHERE, mend=f"Give a value of type {wanted}")
    return pa.array(values, wanted)


def _fits(value: Any, wanted: pa.DataType) -> bool:
    """Return whether a JSON value is of a type as it is: 2.0 and true are no whole numbers."""
    if isinstance(value, float | bool):
        return False
    try:
        pa.scalar(value, wanted)
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return False
    return True


def _times(event: Mapping[str, Any], where: str) -> dict[str, datetime]:
    return {
        name: _parse(event[name], f"{where}.{name}")
        for name in ("ts", "known_at")
        if event.get(name) is not None
    }


def _instant(history: Mapping[str, Any], name: str) -> int | None:
    if history.get(name) is None:
        return None
    return microseconds(_parse(history[name], name))


def _parse(value: Any, name: str) -> datetime:
    try:
        parsed = datetime.fromisoformat(value)
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass  # said below, with what to give instead
    raise DataError(
        f"{name} is {value!r}",
        where=WHERE,
        mend="Give a time with its zone, such as 2026-03-01T08:00:00+08:00",
    )


def _plain(value: Any) -> Any:
    """Return a value that JSON has: times and dates as ISO 8601."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {name: _plain(item) for name, item in value.items()}
    return value
