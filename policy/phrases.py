"""Amounts, dates and spans of days as borrowers read them, in Chinese and English."""

from collections.abc import Callable
from datetime import date
from functools import lru_cache
from typing import Any, Final, Literal, NamedTuple

from relimit.data.vocabulary import FEN_PER_YUAN

LANGUAGES: Final = ("zh", "en")
YUAN_SIGN: Final = "¥"

Writer = Callable[[Any, str], str]
"""Writes a value in a language, or a part of an amount in a currency."""


class Phrase(NamedTuple):
    """How a kind of value is written: in parts that, of many values, have few different words.

    Attributes
    ----------
    parts
        Splits a value, or an array of them, into one part a writer.
    writers
        What writes each part; their words follow one another without a gap.
    varies_by
        What else the words depend on: the language, the currency or nothing.
    """

    parts: Callable[[Any], tuple[Any, ...]]
    writers: tuple[Writer, ...]
    varies_by: Literal["language", "currency", ""] = ""

    def write(self, value: Any, how: str) -> str:
        """Return a value in words; `how` is the language, or the currency of an amount.

        Examples
        --------
        >>> MONEY.write(1240, "¥"), MONEY.write(123456789, "US$")
        ('¥12.40', 'US$1,234,567.89')
        >>> DATE.write(date(2026, 3, 5), "zh"), DATE.write(date(2026, 3, 5), "en")
        ('2026年3月5日', '5 March 2026')
        >>> [SPAN.write(days, "en") for days in (0, 1, 7)]
        ['the day', '1 day', '7 days']
        >>> PERCENTAGE.write(0.0314, ""), COUNT.write(3, ""), POINTS.write(45.0, "")
        ('3.1%', '3', '45')
        """
        parts = self.parts(value)
        if len(parts) == 1:
            return self.writers[0](value, how)
        return "".join([write(part, how) for write, part in zip(self.writers, parts, strict=True)])


def _whole(value: Any) -> tuple[Any]:
    return (value,)


def _groups(fen: Any) -> tuple[Any, Any, Any]:
    """Return thousands, the units beside them and fen of amounts that are not negative.

    Where there are thousands, 1,000 is added to the units: they are then written with three digits.
    """
    thousands, rest = divmod(fen, _GROUP * FEN_PER_YUAN)
    units, cents = divmod(rest, FEN_PER_YUAN)
    return thousands, units + _GROUP * (thousands > 0), cents


_GROUP: Final = 1000


@lru_cache(maxsize=4096)
def _thousands(thousands: int, currency: str) -> str:
    return f"{currency}{thousands:,}," if thousands else currency


@lru_cache(maxsize=4096)
def _units(units: int, _currency: str) -> str:
    return f"{units - _GROUP:03d}" if units >= _GROUP else str(units)


@lru_cache(maxsize=4096)
def _cents(cents: int, _currency: str) -> str:
    return f".{cents:02d}"


@lru_cache(maxsize=4096)
def _date(day: date, language: str) -> str:
    if language == "zh":
        return f"{day.year}年{day.month}月{day.day}日"
    return f"{day.day} {MONTHS[day.month - 1]} {day.year}"


def _span(days: int, language: str) -> str:
    if language == "zh":
        return f"{days}天" if days else "当天"
    if not days:
        return "the day"
    return f"{days} day" if days == 1 else f"{days} days"


def _percentage(share: float, _language: str) -> str:
    return f"{share:.1%}"


def _count(value: int, _language: str) -> str:
    return str(value)


def _points(value: float, _language: str) -> str:
    return f"{value:.0f}"


MONEY: Final = Phrase(_groups, (_thousands, _units, _cents), "currency")
"""Hundredths of a currency in its unit, its sign before them; at least 0."""
DATE: Final = Phrase(_whole, (_date,), "language")
SPAN: Final = Phrase(_whole, (_span,), "language")
"""A number of days."""
PERCENTAGE: Final = Phrase(_whole, (_percentage,))
"""A share in per cent."""
COUNT: Final = Phrase(_whole, (_count,))
"""A whole number in digits."""
POINTS: Final = Phrase(_whole, (_points,))
"""A number without decimals."""

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
