"""The world's days: dates in Asia/Shanghai, and what each date does to borrowing and repaying."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from relimit.data.simulator.settings import CalendarSettings, Settings
from relimit.data.simulator.streams import Bools, Floats, Ints
from relimit.data.vocabulary import MICROSECONDS_PER_DAY

HOUR = 3_600_000_000
_SHANGHAI_HOURS = 8
_LAST_COMMON_DAY = 28
_LOOK_AHEAD_DAYS = 420


@dataclass(frozen=True, slots=True)
class Calendar:
    """Tables by day index (0 is the first simulated day), some days longer than the period.

    Attributes
    ----------
    days
        Simulated days.
    borrowing, arrears
        `[days]` factors of the draw intensity and of the chance of missing an instalment.
    payday
        `[days, paydays]`: that day is the payday.
    since_payday
        `[days, paydays]` days since the last payday, counted from 0.
    month_day
        `[days]` day of the month.
    next_month
        `[days]` index of the same day of the next month, at most its 28th.
    """

    days: int
    midnight: int
    borrowing: Floats
    arrears: Floats
    payday: Bools
    since_payday: Ints
    month_day: Ints
    next_month: Ints

    def instant(self, day: int) -> int:
        """Return midnight in Shanghai of a day, in microseconds since 1970 UTC."""
        return self.midnight + day * MICROSECONDS_PER_DAY


def make_calendar(settings: Settings, months: int) -> Calendar:
    """Return the calendar of `months` whole months from the settings' first day."""
    start = settings.calendar.start
    days = (_month_after(start, months) - start).days
    dates = [start + timedelta(days=i) for i in range(days + _LOOK_AHEAD_DAYS)]
    payday = _paydays(settings.calendar, dates)
    arrears = _festival_arrears(settings.calendar, dates) * _shock(settings, days, len(dates))
    shanghai = (start - date(1970, 1, 1)).days * MICROSECONDS_PER_DAY - _SHANGHAI_HOURS * HOUR
    return Calendar(
        days=days,
        midnight=shanghai,
        borrowing=_borrowing(settings.calendar, dates),
        arrears=arrears,
        payday=payday,
        since_payday=_since(payday),
        month_day=np.array([d.day for d in dates], dtype=np.int64),
        next_month=np.array([_anniversary(d, start) for d in dates], dtype=np.int64),
    )


def _month_after(day: date, months: int) -> date:
    month = day.month - 1 + months
    return day.replace(year=day.year + month // 12, month=month % 12 + 1)


def _anniversary(day: date, start: date) -> int:
    common = day.replace(day=min(day.day, _LAST_COMMON_DAY))
    return (_month_after(common, 1) - start).days


def _paydays(settings: CalendarSettings, dates: list[date]) -> Bools:
    last = [(d + timedelta(days=1)).day == 1 for d in dates]
    return np.array(
        [
            [d.day == payday or (payday > d.day and end) for payday in settings.paydays]
            for d, end in zip(dates, last, strict=True)
        ]
    )


def _since(payday: Bools) -> Ints:
    day = np.arange(len(payday), dtype=np.int64)[:, None]
    last = np.maximum.accumulate(np.where(payday, day, -1), axis=0)
    return np.where(last < 0, len(payday), day - last)


def _borrowing(settings: CalendarSettings, dates: list[date]) -> Floats:
    factor = np.ones(len(dates))
    ordinal = np.array([d.toordinal() for d in dates])
    for festival in settings.spring_festivals:
        before = festival.toordinal() - ordinal
        factor[(before > 0) & (before <= settings.festival_days_before)] = (
            settings.festival_borrowing
        )
    for sale in settings.sales:
        for year in {d.year for d in dates}:
            before = date.fromisoformat(f"{year}-{sale}").toordinal() - ordinal
            factor[(before >= 0) & (before < settings.sales_days_before)] = settings.sales_borrowing
    return factor


def _festival_arrears(settings: CalendarSettings, dates: list[date]) -> Floats:
    factor = np.ones(len(dates))
    ordinal = np.array([d.toordinal() for d in dates])
    for festival in settings.spring_festivals:
        after = ordinal - festival.toordinal()
        window = (after >= 0) & (after < settings.festival_arrears_days)
        factor[window] = settings.festival_arrears
    return factor


def _shock(settings: Settings, days: int, size: int) -> Floats:
    s = settings.delinquency
    first = round(s.shock_from * days)
    factor = np.ones(size)
    factor[first : first + s.shock_days] = s.entry_multiplier
    return factor
