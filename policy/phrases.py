"""Amounts, dates and spans of days as borrowers read them, in Chinese and English."""

from datetime import date
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy.cases import Dates, Floats, Ints

LANGUAGES: Final = ("zh", "en")


def money(fen: Ints | Floats, _language: str = "") -> pa.StringArray:
    """Return amounts in yuan, rounded to the fen.

    Examples
    --------
    >>> money(np.array([1240, 123456789])).tolist()
    ['¥12.40', '¥1,234,567.89']
    """
    whole = np.rint(fen).astype(np.int64)
    parts = zip(*(part.tolist() for part in np.divmod(whole, FEN_PER_YUAN)), strict=True)
    return pa.array([f"¥{yuan:,}.{cents:02d}" for yuan, cents in parts], pa.string())


def dates(days: Dates, language: str) -> pa.StringArray:
    """Return dates in words; each distinct one is written once.

    Examples
    --------
    >>> dates(np.array(["2026-03-05"], "datetime64[D]"), "zh").tolist()
    ['2026年3月5日']
    >>> dates(np.array(["2026-03-05"], "datetime64[D]"), "en").tolist()
    ['5 March 2026']
    """
    distinct, place = np.unique(days, return_inverse=True)
    write = _date_zh if language == "zh" else _date_en
    words = [write(day) for day in distinct.astype("datetime64[D]").tolist()]
    return pa.array(words, pa.string()).take(pa.array(place))


def spans(days: NDArray[np.int32], language: str) -> pa.StringArray:
    """Return spans of days.

    Examples
    --------
    >>> spans(np.array([0, 1, 7], np.int32), "en").tolist()
    ['the day', '1 day', '7 days']
    """
    distinct, place = np.unique(days, return_inverse=True)
    write = _span_zh if language == "zh" else _span_en
    words = [write(span) for span in distinct.tolist()]
    return pa.array(words, pa.string()).take(pa.array(place))


def percentages(shares: Floats, _language: str = "") -> pa.StringArray:
    """Return shares in per cent.

    Examples
    --------
    >>> percentages(np.array([0.0314])).tolist()
    ['3.1%']
    """
    return pa.array([f"{share:.1%}" for share in shares.tolist()], pa.string())


def counts(values: Ints, _language: str = "") -> pa.StringArray:
    """Return whole numbers in digits."""
    return pa.array([str(value) for value in values.tolist()], pa.string())


def _date_zh(day: date) -> str:
    return f"{day.year}年{day.month}月{day.day}日"


def _date_en(day: date) -> str:
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _span_zh(days: int) -> str:
    return f"{days}天" if days else "当天"


def _span_en(days: int) -> str:
    if not days:
        return "the day"
    return f"{days} day" if days == 1 else f"{days} days"


MONTHS: Final = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
"""Not the locale's: a text may not depend on the machine that wrote it."""
