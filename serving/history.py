"""One account's history, as JSON or records, read exactly; what would be misread is refused."""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from typing import Any, Final

import numpy as np
import pyarrow as pa

from relimit.data.errors import DataError
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.schema import events_schema
from relimit.data.tables import conform
from relimit.data.times import microseconds
from relimit.data.vocabulary import KINDS, PREPAYMENT
from relimit.serving.records import plain_block

WHERE: Final = "history"
EVER: Final = int(np.iinfo(np.int64).min)

_SCHEMA: Final = events_schema()
_NAMES: Final = tuple(_SCHEMA.names)
_FIELDS: Final = ("account_id", "events", "as_of", "since")


@dataclass(frozen=True, slots=True)
class Asked:
    """One account's events, and the window whose prepayments are to be decided.

    Attributes
    ----------
    block
        The events.
    since, as_of
        Microseconds UTC: prepayments known in `(since, as_of]`.
    """

    block: EventBlock
    since: int
    as_of: int

    @classmethod
    def of(cls, block: EventBlock, since: datetime | None, as_of: datetime | None) -> "Asked":
        """Return the question about a block; `as_of` is the last prepayment's time if absent.

        Raises
        ------
        DataError
            If the block holds other than one account or no prepayment, or a time has no zone.
        """
        for name, time in (("since", since), ("as_of", as_of)):
            if time is not None and time.tzinfo is None:
                mend = "Give a time with its zone"
                raise DataError(f"{name} {time} has no zone", where=WHERE, mend=mend)
        if len(block.account_ids) != 1:
            what = f"{len(block.account_ids)} accounts where one is decided at a time"
            raise DataError(what, where=WHERE, mend="Give one account's events")
        return cls(
            block,
            EVER if since is None else microseconds(since),
            _last_prepayment(block) if as_of is None else microseconds(as_of),
        )


def read_json(text: str | bytes) -> Any:
    """Return what a JSON text holds.

    Raises
    ------
    DataError
        If it is no JSON, gives a field twice, or holds text that can't be written.
    """
    try:
        history = json.loads(text, object_pairs_hook=_once_each)
        json.dumps(history, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError) as error:
        raise DataError(f"not valid JSON: {error}", where=WHERE, mend="Give one object") from error
    return history


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object; of a field that is there twice Python would keep the last, unasked."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)} is given twice")
    return found


def read_history(history: Any) -> Asked:
    """Read an account's history from an object, as JSON has it.

    It is `{"account_id": ..., "events": [{"ts", "kind", "amount", ...}, ...]}` with the columns of
    `events`: times in ISO 8601 with a zone, money in fen. Optional: `as_of`, when the decision is
    taken (default: when the last prepayment became known), and `since`, after which prepayments
    are grouped into decisions (default: all are).

    Raises
    ------
    DataError
        If it breaks this form, or holds no prepayment.
    """
    if not isinstance(history, dict) or not isinstance(history.get("account_id"), int | str):
        raise DataError(
            "not an object with account_id and events",
            where=WHERE,
            mend='Give {"account_id": ..., "events": [{"ts": ..., "kind": ..., "amount": ...}]}',
        )
    _require_known(history, _FIELDS, "the history")
    block = block_of(history.get("events"), history["account_id"])
    return Asked.of(block, _instant(history, "since"), _instant(history, "as_of"))


def block_of(events: Any, account_id: int | str | None = None) -> EventBlock:
    """Return one account's events, a table or a list of records, as a block.

    Parameters
    ----------
    events
        The columns of `events_schema`. In records, times are ISO 8601 text or `datetime`, with a
        zone.
    account_id
        Whose events they are, if the records don't say.

    Raises
    ------
    DataError
        If a column, a field or a value doesn't fit, or there is no event.
    """
    if isinstance(events, pa.Table):
        return blocks_from_table(events)
    if not isinstance(events, Sequence) or isinstance(events, str) or not events:
        raise DataError("events is not a list of objects", where=WHERE, mend="Give [{...}, ...]")
    if account_id is None and isinstance(events[0], Mapping):
        account_id = events[0].get("account_id")
    return plain_block(account_id, events) or blocks_from_table(_table(account_id, events))


def _last_prepayment(block: EventBlock) -> int:
    """Return when the last prepayment became known, microseconds UTC.

    Raises
    ------
    DataError
        If there is none.
    """
    known_at = block.known_at[block.kind == KINDS.index(PREPAYMENT)]
    if not known_at.size:
        unknown = int(np.count_nonzero(block.kind < 0))
        also = f", but {unknown} event(s) of an unknown kind" if unknown else ""
        mend = f"Give the account's prepayment, of kind {PREPAYMENT!r}"
        raise DataError(f"no prepayment{also}", where=WHERE, mend=mend)
    return int(known_at.max())


def _table(account_id: Any, events: Sequence[Any]) -> pa.Table:
    rows = [_row(account_id, event, place) for place, event in enumerate(events)]
    columns = {name: [row.get(name) for row in rows] for name in _NAMES}
    arrays = {name: _array(name, values) for name, values in columns.items()}
    table = pa.table(arrays)
    return conform(table, events_schema(table.schema.field("account_id").type), where=WHERE)


def _row(account_id: Any, event: Any, place: int) -> dict[str, Any]:
    """Return one event with its account and its times, refusing what would be misread."""
    where = f"events[{place}]"
    if not isinstance(event, Mapping):
        raise DataError(f"{where} is not an object", where=WHERE, mend="Give {...}")
    _require_known(event, _NAMES, where)
    if event.get("account_id", account_id) != account_id:
        what = f"{where} is of account {event['account_id']}, not {account_id}"
        raise DataError(what, where=WHERE, mend="Give one account's events")
    return {**event, "account_id": account_id, **_times(event, where)}


def _require_known(given: Mapping[str, Any], known: Sequence[str], what: str) -> None:
    """Raise DataError if an object has a field that nobody would read."""
    for name in given:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            mend = f"Did you mean {close[0]}?" if close else f"Give {', '.join(known)}"
            raise DataError(f"{what} has the unknown field {name}", where=WHERE, mend=mend)


def _array(name: str, values: list[Any]) -> pa.Array:
    """Return one field of all events; a value that doesn't fit names its event."""
    wanted = _SCHEMA.field(name).type
    if name == "account_id":
        wanted = pa.string() if isinstance(values[0], str) else pa.int64()
    elif pa.types.is_dictionary(wanted):
        wanted = pa.string()
    if not any(isinstance(value, float | bool) for value in values):
        with suppress(pa.ArrowException, TypeError, ValueError, OverflowError):
            return pa.array(values, wanted)
    place = next(place for place, value in enumerate(values) if not _fits(value, wanted))
    what = f"events[{place}].{name} is {values[place]!r}"
    raise DataError(what, where=WHERE, mend=f"Give a value of type {wanted}")


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


def _instant(history: Mapping[str, Any], name: str) -> datetime | None:
    return None if history.get(name) is None else _parse(history[name], name)


def _parse(value: Any, name: str) -> datetime:
    try:
        parsed = value if isinstance(value, datetime) else datetime.fromisoformat(value)
        if parsed.tzinfo is not None:
            return parsed.astimezone(UTC)
    except (TypeError, ValueError, OverflowError):
        pass  # said below, with what to give instead
    raise DataError(
        f"{name} is {value!r}",
        where=WHERE,
        mend="Give a time with its zone, such as 2026-03-01T08:00:00+08:00",
    )
