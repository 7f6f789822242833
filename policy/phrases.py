"""Amounts, dates and spans of days as borrowers read them, in Chinese and English."""

from datetime import timedelta
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from relimit.data.times import EPOCH
from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.policy.cases import Dates, Floats, Ints

LANGUAGES: Final = ("zh", "en")
YUAN_SIGN: Final = "¥"


def money(fen: Ints | Floats, currency: str = YUAN_SIGN) -> list[str]:
    """Return amounts of hundredths of a currency in its unit, its sign before them.

    Examples
    --------
    >>> money(np.array([1240, 123456789]))
    ['¥12.40', '¥1,234,567.89']
    >>> money(np.array([1240]), "US$")
    ['US$12.40']
    """
    return [_amount(amount, currency) for amount in np.rint(fen).astype(np.int64).tolist()]


@lru_cache(maxsize=65_536)  # most amounts are round, and so come again
def _amount(fen: int, currency: str) -> str:
    units, cents = divmod(fen, FEN_PER_YUAN)
    return f"{currency}{units:,}.{cents:02d}"


def dates(days: Dates, language: str) -> list[str]:
    """Return dates in words.

    Examples
    --------
    >>> dates(np.array(["2026-03-05"], "datetime64[D]"), "zh")
    ['2026年3月5日']
    >>> dates(np.array(["2026-03-05"], "datetime64[D]"), "en")
    ['5 March 2026']
    """
    since_1970 = days.astype("datetime64[D]").astype(np.int64)
    return [_date(day, language) for day in since_1970.tolist()]


def spans(days: NDArray[np.int32], language: str) -> list[str]:
    """Return spans of days.

    Examples
    --------
    >>> spans(np.array([0, 1, 7], np.int32), "en")
    ['the day', '1 day', '7 days']
    """
    write = _span_zh if language == "zh" else _span_en
    return [write(span) for span in days.tolist()]


def percentages(shares: Floats, _language: str = "") -> list[str]:
    """Return shares in per cent.

    Examples
    --------
    >>> percentages(np.array([0.0314]))
    ['3.1%']
    """
    return [f"{share:.1%}" for share in shares.tolist()]


def counts(values: Ints, _language: str = "") -> list[str]:
    """Return whole numbers in digits."""
    return [str(value) for value in values.tolist()]


def points(values: Floats, _language: str = "") -> list[str]:
    """Return numbers without decimals.

    Examples
    --------
    >>> points(np.array([45.0]))
    ['45']
    """
    return [f"{value:.0f}" for value in values.tolist()]


@lru_cache(maxsize=4096)
def _date(since_1970: int, language: str) -> str:
    day = EPOCH.date() + timedelta(days=since_1970)
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
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
