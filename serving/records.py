"""One account's records as JSON has them, made into a block without a table between."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.events import EventBlock
from relimit.data.schema import events_schema
from relimit.data.times import microseconds
from relimit.data.total_order import in_total_order
from relimit.data.vocabulary import PLACE

_NAMES: Final = frozenset(events_schema().names)
_FIRST: Final = microseconds(datetime.min.replace(tzinfo=UTC))
_LAST: Final = microseconds(datetime.max.replace(tzinfo=UTC))
_NUMBERS: Final = {"amount": np.int64, "value": np.int32, "loan_id": np.int64}


def plain_block(account_id: Any, events: Sequence[Any]) -> EventBlock | None:
    """Return the block that a table of these records would give, in a fraction of the time.

    None where something breaks the contract, or has a type that JSON doesn't have: a table is read
    more widely, and what is wrong is said there.

    Parameters
    ----------
    account_id
        Whose events they are.
    events
        Records with the columns of `events_schema`; times are ISO 8601 text or `datetime`.
    """
    if set(map(type, events)) != {dict} or type(account_id) not in {int, str}:
        return None
    given = set().union(*events)
    if not given <= _NAMES:
        return None
    if "account_id" in given and any(
        event.get("account_id", account_id) != account_id for event in events
    ):
        return None
    try:
        return _block(account_id, _fields(events, given))
    except (TypeError, ValueError, OverflowError):
        return None


def _fields(events: Sequence[dict[str, Any]], given: set[str]) -> dict[str, list[Any]]:
    """Return each field of all events, of which some are given at all; None where one lacks it."""
    return {
        name: [event.get(name) for event in events] if name in given else [None] * len(events)
        for name in _NAMES
    }


def _block(account_id: int | str, fields: dict[str, list[Any]]) -> EventBlock:
    """Return the block of fields, each as long as there are events.

    Raises
    ------
    TypeError, ValueError, OverflowError
        If a value isn't what JSON has for the field, or doesn't fit it.
    """
    _require(fields["ts"], {str, datetime})
    instants = {time: _instant(time) for time in {*fields["ts"], *fields["known_at"]} - {None}}
    ts = [instants[time] for time in fields["ts"]]
    told = zip(fields["known_at"], ts, strict=True)
    known_at = [happened if time is None else instants[time] for time, happened in told]
    columns: dict[str, NDArray[Any]] = {"ts": np.array(ts), "known_at": np.array(known_at)}
    columns["kind"] = np.array([PLACE.get(word, -1) for word in fields["kind"]], np.int8)
    for name, kind in _NUMBERS.items():
        columns[name], columns[f"has_{name}"] = _numbers(fields[name], kind)
    details = sorted({word for word in fields["detail"] if word is not None})
    place: dict[str | None, int] = {word: number for number, word in enumerate(details)}
    columns["detail"] = np.array([place.get(word, -1) for word in fields["detail"]], np.int32)
    # What is no text can't be joined, and a lone surrogate can't be written.
    "".join([str(account_id), *details, *fields["kind"]]).encode()
    starts = np.array([0, len(ts)])
    ids = np.array([account_id], np.int64 if isinstance(account_id, int) else object)
    return EventBlock(ids, starts, details=tuple(details), **in_total_order(starts, columns))


def _numbers(given: list[Any], kind: Any) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Return whole numbers, 0 where there is none, and where there is one."""
    types = set(map(type, given))
    if types == {int}:
        return np.array(given, kind), np.ones(len(given), np.bool_)
    if types == {type(None)}:
        return np.zeros(len(given), kind), np.zeros(len(given), np.bool_)
    _require(given, {int, type(None)})
    numbers = np.array([number or 0 for number in given], kind)
    return numbers, np.array([number is not None for number in given])


def _require(values: Sequence[Any], types: set[type]) -> None:
    if not types.issuperset(map(type, values)):
        raise TypeError("a value of another type")


def _instant(value: Any) -> int:
    """Return a time in microseconds UTC."""
    if type(value) is str:
        value = datetime.fromisoformat(value)
    if type(value) is not datetime or value.tzinfo is None:
        raise TypeError("not a time with its zone")
    instant = microseconds(value)
    if not _FIRST <= instant <= _LAST:
        raise OverflowError("a time before or after those that UTC has")
    return instant
