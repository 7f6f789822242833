"""Events of a simulated book beside what the world's settings imply; faults and the calendar."""

from dataclasses import dataclass

import duckdb
import numpy as np
from _simulator_lines import Line, between, near, one_row
from numpy.typing import NDArray

from relimit.data.simulator.settings import Settings, load_settings
from relimit.data.simulator.world import make_world, run_block
from relimit.data.vocabulary import KINDS

DAYS_PER_MONTH = 365.25 / 12
TWINS = 10_000
"""Accounts at most that are lived again without what the festival does."""

LIVES = """
create table lives as
with opened as (select account_id, min(ts) as first from events where kind = 'limit' group by 1),
closed as (select account_id, min(ts) as gone from events where kind = 'charge_off' group by 1)
select * from opened left join closed using (account_id)
"""

OPEN_DAYS = """
select type, sum(epoch(coalesce(gone, last) - first) / 86400), count(*)
from lives join types using (account_id), (select max(ts) as last from events) group by 1
"""

KIND_COUNTS = "select kind, count(*) from events group by 1 order by 2 desc"

DETAIL_COUNTS = """
select kind || ': ' || coalesce(detail, ''), count(*) from events
where kind in ('operation', 'inflow', 'prepayment') group by 1
union all select 'draw: coupon', count(*) from events where kind = 'draw' and detail like 'coupon:%'
union all select 'overdue: 1', count(*) from events where kind = 'overdue' and value = 1
union all select 'outage: accounts open', count(*)
    from (select distinct ts from events where kind = 'outage'), lives
    where first < ts and coalesce(gone >= ts, true)
"""

BY_TYPE = """
select type, count(*) filter (kind = 'draw'), count(*) filter (kind = 'prepayment'),
    (select count(*) from decisions join types t using (account_id) where t.type = o.type)
from events join types o using (account_id) group by 1
"""

LATE = """
with outages as (select distinct ts as first, ts + value * interval 1 minute as last
    from events where kind = 'outage'),
paid as (select *, date_diff('day', ts + interval 8 hour, known_at + interval 8 hour) as days
    from events where kind in ('repayment', 'prepayment')),
calm as (select * from paid where not exists (select 1 from outages o
    where paid.ts >= o.first and paid.ts < o.last))
select count(*) filter (days > 0) / count(*), count(*) filter (days not in (0, 1, 2)),
    count(*) filter (days = 1) / count(*) filter (days > 0)
from calm
"""

STUCK = """
with due as (select decision_id, account_id, decided_at, delay_days from decisions
    where freed * share >= 4 and decided_at < (select max(ts) from events) - interval 40 day
    and account_id not in (select account_id from events where kind = 'charge_off')),
back as (select detail as decision_id, min(ts) as ts from events where kind = 'restored' group by 1)
select avg((back.ts is null or back.ts >= decided_at + (delay_days + 2) * interval 1 day)::int),
    count(*) from due left join back using (decision_id)
"""

FESTIVAL = """
with missed as (select ({base}) as base, ({twin}) as twin) select base / twin from missed
"""

MISSED = """
select count(*) from {events} e where kind = 'overdue' and value = 1 and account_id <= {last}
    and exists(select 1 from (select unnest([{festivals}]) as festival)
    where (e.ts + interval 8 hour)::date - 1 between festival and festival + {days} - 1)
"""

PAYDAYS = """
with paid as (select account_id, mode(case when day(ts + interval 8 hour) >= 28 then 31
    else day(ts + interval 8 hour) end) as payday from events where kind = 'income' group by 1),
early as (select payday, (ts + interval 8 hour)::date as day from events
    join paid using (account_id) where kind = 'prepayment'),
since as (select day - case when payday = 31 then
        case when day = last_day(day) then day
        else (date_trunc('month', day) - interval 1 day)::date end
    else (date_trunc('month', day) - case when day(day) >= payday then interval 0 month
        else interval 1 month end)::date + payday::int - 1 end as days from early)
select (count(*) filter (days < {days}) / {days})
    / (count(*) filter (days between {rest} and 27) / (28 - {rest})) from since
"""


@dataclass(frozen=True)
class Types:
    """What each latent type did in a book: `[types]` arrays in the order of the settings."""

    days: NDArray[np.float64]
    accounts: NDArray[np.float64]
    draws: NDArray[np.float64]
    prepayments: NDArray[np.float64]
    decided: NDArray[np.float64]


def types_of(base: duckdb.DuckDBPyConnection, settings: Settings) -> Types:
    """Return the book's sums by type."""
    days = {kind: sums for kind, *sums in base.execute(OPEN_DAYS).fetchall()}
    did = {kind: sums for kind, *sums in base.execute(BY_TYPE).fetchall()}
    rows = [[*days[kind], *did[kind]] for kind in settings.types.name]
    return Types(*np.array(rows, dtype=np.float64).T)


def counts(base: duckdb.DuckDBPyConnection) -> list[Line]:
    """Return the events of each kind that the settings set, beside what these imply."""
    settings = load_settings()
    base.execute(LIVES)
    kinds = dict(base.execute(KIND_COUNTS).fetchall())
    print("events a kind: " + ", ".join(f"{kind} {many:,}" for kind, many in kinds.items()))
    seen = kinds | dict(base.execute(DETAIL_COUNTS).fetchall())
    implied = implied_counts(settings, types_of(base, settings), seen)
    once = implied.pop("operation: limit_check")
    factor = settings.signals.limit_check_held
    return [
        between("kinds of events that occur", len({*KINDS} & {*kinds}), len(KINDS), len(KINDS)),
        *(near(f"events, {name}", seen[name], target) for name, target in implied.items()),
        between(
            "events, operation: limit_check / of those who get all back",
            seen["operation: limit_check"] / once,
            1.0,
            factor,
        ),
    ]


def implied_counts(settings: Settings, types: Types, seen: dict[str, int]) -> dict[str, float]:
    """Return how many events the settings imply, given who was open when, drew and prepaid."""
    s, kinds = settings.signals, settings.types
    days, months = types.days.sum(), types.days.sum() / DAYS_PER_MONTH
    returned = settings.behaviour.prepay_returned
    plans = types.decided / (1 - returned)
    funded = s.lender_inflow_seen * (plans @ kinds.lender_funded)
    small = ("login_failed", "device_change", "phone_change", "card_change", "limit_check")
    return {
        "external_score": types.accounts.sum() + months,
        "income": settings.population.income_visible_share * (1 - s.income_missed) * months,
        "inquiry": types.days @ kinds.inquiry,
        "inflow: ": s.inflow * days,
        "inflow: lender": s.lender_inflow_noise * days + funded,
        **{f"operation: {name}": getattr(s, name) * days for name in small},
        "payment_returned": settings.delinquency.returned_share * seen["overdue: 1"]
        + returned * plans.sum(),
        "draw: coupon": types.draws @ kinds.coupon,
        "prepayment: full": types.prepayments @ kinds.prepay_full,
        "outage": settings.faults.outage_touched * seen["outage: accounts open"],
    }


def faults(base: duckdb.DuckDBPyConnection) -> list[Line]:
    """Return how late payments are booked outside outages, and what of restorations gets stuck."""
    settings = load_settings()
    late, odd, next_day = one_row(base, LATE)
    stuck, many = one_row(base, STUCK)
    share = settings.product.bank_channel_share * settings.faults.bank_lag_share
    return [
        near("payments booked late, share", late, share),
        between("payments booked later than 2 days, outages apart", odd, 0, 0),
        near("of late ones, those a day late", next_day, settings.faults.bank_lag_next_day),
        between(f"stuck of {many:,} restorations", stuck, 0.003, 0.010),
    ]


def habits(base: duckdb.DuckDBPyConnection, months: int, seed: int) -> list[Line]:
    """Return what festivals do to arrears and paydays to early repayments.

    Arrears after the festivals are held against the same world without the festivals' effect: the
    weeks around are too few, and the loans then others, to tell it.
    """
    s = load_settings().calendar
    calm = load_settings("base", {"calendar": {"festival_arrears": 1.0}})
    (accounts,) = one_row(base, "select count(*) from types")
    last = min(accounts, TWINS)
    base.register("calm", run_block(make_world(months, seed, calm), 1, last + 1).events)
    words = {"days": s.festival_arrears_days, "last": last}
    words["festivals"] = ", ".join(f"date '{day}'" for day in s.spring_festivals)
    missed = {
        name: MISSED.format(events=of, **words)
        for name, of in (("base", "events"), ("twin", "calm"))
    }
    (arrears,) = one_row(base, FESTIVAL.format(**missed))
    days = s.payday_prepayment_days
    (early,) = one_row(base, PAYDAYS.format(days=days, rest=days + 2))
    return [
        near("arrears after Spring Festival / without its effect", arrears, s.festival_arrears),
        near("early repayments a day after payday / other days", early, s.payday_prepayment),
    ]
