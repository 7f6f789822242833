"""What the scenarios shock and drift do to a book, beside the base of the same seed."""

from datetime import date, timedelta

import duckdb
from _simulator_lines import Line, between, near, one_row

from relimit.data.simulator.settings import load_settings

WINDOW = """
select count(*) filter (kind = 'overdue' and value = 1) / count(*) filter (kind = 'due'),
    count(*) filter (kind = 'draw') / count(distinct account_id),
    count(*) filter (kind = 'prepayment') / count(distinct account_id),
    avg(value) filter (kind = 'external_score'),
    count(distinct account_id) filter (kind = 'overdue' and value = 30)
        / count(distinct account_id)
from events where ts >= timestamptz '{first}' - interval 8 hour
    and ts < timestamptz '{last}' - interval 8 hour
"""

NEWCOMERS = """
select avg((type = 'stacker')::int) from types join
    (select account_id, min(ts) as opened from events where kind = 'limit' group by 1)
    using (account_id) where opened >= timestamptz '{first}'
"""


def shocked(
    base: duckdb.DuckDBPyConnection, shock: duckdb.DuckDBPyConnection, months: int
) -> list[Line]:
    """Return what the scenario `shock` did to those who fall into arrears, window and before."""
    settings = load_settings("shock").delinquency
    first = _date(settings.shock_from, months)
    last = first + timedelta(days=settings.shock_days)
    inside = [_window(book, first, last) for book in (base, shock)]
    before = [_window(book, _date(0.0, months), first) for book in (base, shock)]
    return [
        near("shock: arrears an instalment, in its window", inside[1][0] / inside[0][0], 2.0),
        between("shock: arrears an instalment, before it", before[1][0] / before[0][0], 1.0, 1.0),
        between(
            "shock: accounts 30 days late, in its window", inside[1][4] / inside[0][4], 1.1, 2.3
        ),
    ]


def drifted(
    base: duckdb.DuckDBPyConnection, drift: duckdb.DuckDBPyConnection, months: int
) -> list[Line]:
    """Return what the scenario `drift` did to mix and behaviour, the last half year."""
    settings = load_settings("drift").drift
    first, last = _date(1.0, months) - timedelta(days=182), _date(1.0, months)
    then, now = (_window(book, first, last) for book in (base, drift))
    newcomers = NEWCOMERS.format(first=_date(settings.from_, months))
    mix = [one_row(book, newcomers)[0] for book in (base, drift)]
    return [
        between("drift: stackers among newcomers, times as many", mix[1] / mix[0], 1.5, 3.0),
        between("drift: draws an account, last half year", now[1] / then[1], 1.1, 1.6),
        between("drift: prepayments an account, last half year", now[2] / then[2], 1.1, 2.2),
        between("drift: arrears an instalment, last half year", now[0] / then[0], 1.15, 2.0),
        between("drift: mean score less the base's, points", now[3] - then[3], 2.0, 15.0),
    ]


def _date(share: float, months: int) -> date:
    """Return the day at which a share of the period has passed."""
    start = load_settings().calendar.start
    month = start.month - 1 + months
    days = (start.replace(year=start.year + month // 12, month=month % 12 + 1) - start).days
    return start + timedelta(days=round(share * days))


def _window(base: duckdb.DuckDBPyConnection, first: date, last: date) -> tuple[float, ...]:
    return one_row(base, WINDOW.format(first=first, last=last))
