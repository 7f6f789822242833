"""One account's records as JSON has them, made into a block without a table between."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.events import EventBlock, in_total_order
from relimit.data.schema import events_schema
from relimit.data.times import microseconds
from relimit.data.vocabulary import PLACE

_NAMES: Final = frozenset(events_schema().names)
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
    known = all(type(event) is dict and event.keys() <= _NAMES for event in events)
    if not known or type(account_id) not in {int, str}:
        return None
    if any(event.get("account_id", account_id) != account_id for event in events):
        return None
    try:
        return _block(account_id, {name: [event.get(name) for event in events] for name in _NAMES})
    except (TypeError, ValueError, OverflowError):
        return None


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
        _require(fields[name], {int, type(None)})
        columns[f"has_{name}"] = np.array([number is not None for number in fields[name]])
        columns[name] = np.array([number or 0 for number in fields[name]], kind)
    details = sorted({word for word in fields["detail"] if word is not None})
    place: dict[str | None, int] = {word: number for number, word in enumerate(details)}
    columns["detail"] = np.array([place.get(word, -1) for word in fields["detail"]], np.int32)
    # What is no text can't be joined, and a lone surrogate can't be written.
    "".join([str(account_id), *details, *fields["kind"]]).encode()
    starts = np.array([0, len(ts)])
    ids = np.array([account_id], np.int64 if isinstance(account_id, int) else object)
    return EventBlock(ids, starts, details=tuple(details), **in_total_order(starts, columns))


def _require(values: Sequence[Any], types: set[type]) -> None:
    if not types.issuperset(map(type, values)):
        raise TypeError("a value of another type")


def _instant(value: Any) -> int:
    """Return a time in microseconds UTC."""
    if type(value) is str:
        value = datetime.fromisoformat(value)
    if type(value) is not datetime or value.tzinfo is None:
        raise TypeError("not a time with its zone")
    return microseconds(value.astimezone(UTC))
