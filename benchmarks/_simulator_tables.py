"""The calibration table of a simulated book: each figure of the world beside its target."""

from pathlib import Path

import duckdb
from _simulator_lines import Line, between, near, one_row

from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.writer import ORACLE_ACCOUNTS

VIEWS = """
set timezone = 'UTC';
create view events as select account_id, ts, known_at, kind::varchar as kind, amount, value,
    loan_id, detail::varchar as detail from '{book}/events.parquet';
create view decisions as select * from '{book}/decisions.parquet';
create view types as select * from '{book}/{types}';
create table ends as select timestamptz '{start}' + to_months(i::int) - interval 8 hour as night
    from range(1, {months}) month(i);
create table balances as select account_id, ts, sum(case kind when 'draw' then amount
    else -amount end) over (partition by account_id order by ts) as balance from events
    where kind in ('draw', 'repayment', 'prepayment', 'charge_off');
create table arrears as select account_id, ts, case kind when 'overdue' then value end as days
    from events where kind in ('overdue', 'cured', 'charge_off');
"""

MONTH_ENDS = """
create table month_ends as
with asked as (select night, account_id from ends, (select distinct account_id from events)),
owing as (select a.night, a.account_id, b.balance from asked a asof join balances b
    on a.account_id = b.account_id and a.night >= b.ts where b.balance > 0),
late as (select o.*, coalesce(r.days + date_diff('day', r.ts, o.night), 0) as past_due
    from owing o asof left join arrears r on o.account_id = r.account_id and o.night >= r.ts)
select *, case when past_due = 0 then 0 else least(past_due // 30 + 1, 4) end as bucket
from late
"""

ROLLS = """
select m.bucket, sum(m.balance) filter (n.bucket = m.bucket + 1) / sum(m.balance)
from month_ends m left join month_ends n on n.account_id = m.account_id
    and n.night = m.night + interval 8 hour + to_months(1) - interval 8 hour
where m.night < (select max(night) from ends) and m.night >= '{settled}' and m.bucket < 4
group by 1 order by 1
"""

STOCK = """
select avg(late), avg(later) from (select sum(balance) filter (bucket >= 2) / sum(balance) as late,
    sum(balance) filter (bucket = 4) / sum(balance) as later
    from month_ends where night >= '{settled}' group by night)
"""

PREPAYING = """
select (select count(*) from decisions where decided_at >= '{settled}')
    / (select count(*) from month_ends where night >= '{settled}')
"""

GAPS = """
with full_at_once as (select * from decisions where share = 1 and delay_days = 0
    and decided_at < timestamptz '{start}' + to_months({months}) - interval 120 day),
again as (select d.account_id, d.decided_at, min(e.ts) as ts from full_at_once d
    left join events e on e.account_id = d.account_id and e.kind = 'draw' and e.ts > d.decided_at
    group by 1, 2)
select type, median(coalesce(epoch(ts - decided_at) / 86400, 1e6)), count(*)
from again join types using (account_id) group by 1
"""

CONVERSION = """
with defaulted as (select account_id, min(ts) as fell from events
    where kind = 'overdue' and value = 90 group by 1),
limits as (select account_id, ts, amount as granted from events where kind = 'limit'),
opened as (select account_id, min(ts) as opened from limits group by 1),
asked as (select *, greatest(fell - interval 365 day, opened) as before,
    fell - interval 365 day >= opened as seasoned from defaulted join opened using (account_id)),
granted as (select a.*, l.granted from asked a asof join limits l
    on a.account_id = l.account_id and a.before >= l.ts),
drawn as (select g.*, coalesce(b.balance, 0) as drawn from granted g asof left join balances b
    on g.account_id = b.account_id and g.before >= b.ts),
lent as (select d.seasoned, granted - drawn as undrawn, coalesce(b.balance, 0) - drawn as more
    from drawn d asof left join balances b on d.account_id = b.account_id and d.fell >= b.ts)
select sum(greatest(more, 0)) / sum(undrawn), avg(least(greatest(more / undrawn, 0), 1)),
    sum(greatest(more, 0)) filter (seasoned) / sum(undrawn) filter (seasoned),
    avg(least(greatest(more / undrawn, 0), 1)) filter (seasoned)
from lent where undrawn > 0
"""

SEASON = """
with daily as (select (ts + interval 8 hour)::date as day, count(*) as draws from events
    where kind = 'draw' group by 1),
marked as (select day, draws, {window} as inside, {around} as around from daily)
select (avg(draws) filter (inside)) / (avg(draws) filter (around)) from marked
"""


def open_book(book: Path, months: int) -> duckdb.DuckDBPyConnection:
    """Return a database of the book's tables, with its balances at month ends."""
    start = load_settings().calendar.start
    base = duckdb.connect()
    base.execute(VIEWS.format(book=book, start=start, months=months, types=ORACLE_ACCOUNTS))
    base.execute(MONTH_ENDS)
    return base


def calibration(base: duckdb.DuckDBPyConnection, months: int) -> list[Line]:
    """Return the calibration table, the first year left to settle."""
    start = load_settings().calendar.start
    words = {"settled": start.replace(year=start.year + 1), "start": start, "months": months}
    rolls = dict(base.execute(ROLLS.format(**words)).fetchall())
    late, later = one_row(base, STOCK.format(**words))
    gaps = {kind: days for kind, days, _ in base.execute(GAPS.format(**words)).fetchall()}
    (hazard,) = one_row(base, PREPAYING.format(**words))
    return [
        near("monthly roll current -> 1-29", rolls[0], 0.009),
        near("monthly roll 1-29 -> 30-59", rolls[1], 0.30),
        near("monthly roll 30-59 -> 60-89", rolls[2], 0.72),
        near("monthly roll 60-89 -> 90+", rolls[3], 0.77),
        near("30+ share of balances", late, 0.016),
        near("90+ share of balances", later, 0.010),
        between("prepayments a month of accounts owing", hazard, 0.08, 0.15),
        near("median days to re-borrow, planner", gaps["planner"], 40.0),
        between("median days to re-borrow, revolver", gaps["revolver"], 15.0, 35.0),
        between("median days to re-borrow, farmer", gaps["farmer"], 5.0, 20.0),
        between("median days to re-borrow, cycler", gaps["cycler"], 2.0, 8.0),
        between("median days to re-borrow, stacker", gaps["stacker"], 0.7, 2.0),
        between("median days to re-borrow, bust-out", gaps["bust_out"], 0.7, 2.0),
        *seasons(base),
        *conversion(base),
    ]


def conversion(base: duckdb.DuckDBPyConnection) -> list[Line]:
    """Return the credit conversion factors of the accounts that got 90 days past due.

    Balance at default less balance a year before, over the undrawn limit then (all of it, whether
    the lender held some back or not); never below 0, as the Basel rules have it. Accounts younger
    than a year are taken from their opening, and once more left out.
    """
    names = ("CCF, pooled", "CCF, mean", "CCF of accounts of a year, pooled", "the same, mean")
    values = one_row(base, CONVERSION)
    return [between(name, value, 0.5, 0.9) for name, value in zip(names, values, strict=True)]


def seasons(base: duckdb.DuckDBPyConnection) -> list[Line]:
    """Return how borrowing moves with the calendar, against the weeks around."""
    festival = " or ".join(
        f"(day >= date '{day}' - 21 and day < date '{day}')" for day in ("2024-02-10", "2025-01-29")
    )
    before = " or ".join(
        f"(day >= date '{day}' - 42 and day < date '{day}' - 21)"
        f" or (day >= date '{day}' and day < date '{day}' + 21)"
        for day in ("2024-02-10", "2025-01-29")
    )
    sale = "(month(day) = 6 and day(day) between 5 and 18) or (month(day) = 11 and day(day) <= 11)"
    quiet = (
        "(month(day) = 6 and day(day) > 20) or (month(day) = 5 and day(day) > 20)"
        " or (month(day) = 11 and day(day) > 12)"
        " or (month(day) = 10 and day(day) between 12 and 27)"
    )
    (spring,) = one_row(base, SEASON.format(window=festival, around=before))
    (sales,) = one_row(
        base,
        SEASON.format(
            window=f"year(day) > 2023 and ({sale})", around=f"year(day) > 2023 and ({quiet})"
        ),
    )
    return [
        between("draws before Spring Festival / around it", spring, 1.40, 1.60),
        near("draws in the sales / around them", sales, 1.30),
    ]
