"""Conversions of times: datetimes and ISO 8601 text to microseconds, microseconds to days."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.errors import DataError
from relimit.data.vocabulary import CALENDAR, MICROSECONDS_PER_DAY

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def microseconds(time: datetime) -> int:
    """Return a time as microseconds since 1970 in UTC, exactly.

    Examples
    --------
    >>> microseconds(datetime(2025, 1, 1, 8, microsecond=1, tzinfo=UTC))
    1735718400000001
    """
    return (time - EPOCH) // _MICROSECOND


def parse_time(text: object, *, where: str) -> datetime:
    """Return an ISO 8601 time with a zone, in UTC.

    Raises
    ------
    DataError
        It is no such time, or has no zone.

    Examples
    --------
    >>> parse_time("2025-07-01T08:00:00+08:00", where="book.json").isoformat()
    '2025-07-01T00:00:00+00:00'
    """
    mend = "Write it as 2025-07-01T00:00:00+00:00"
    try:
        time = datetime.fromisoformat(str(text))
    except ValueError as error:
        raise DataError(f"{text!r} is not a time", where=where, mend=mend) from error
    if time.tzinfo is None:
        raise DataError(f"{text!r} has no time zone", where=where, mend=mend)
    return time.astimezone(UTC)


def local_days(ts: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the calendar day, counted from 1970, that each instant (microseconds UTC) falls on.

    Examples
    --------
    >>> noon_and_night = np.array(["1970-01-02T12", "1970-01-02T17"], "datetime64[us]")
    >>> local_days(noon_and_night.astype(np.int64)).tolist()
    [1, 2]
    """
    local: Any = pc.local_timestamp(pa.array(ts, pa.timestamp("us", tz=CALENDAR)))
    days: NDArray[np.int64] = local.cast(pa.int64()).to_numpy() // MICROSECONDS_PER_DAY
    return days
