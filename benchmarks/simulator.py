"""The simulated world beside its targets, its truth, and what it costs to make.

    python benchmarks/simulator.py [--accounts 20000] [--speed 100000] [--oracle 500]

Prints the calibration table (each value within 15% of its target or marked), how well risk can be
told from the latent state and from a few plain features, what a "cycling = bad" rule would cost,
and the seconds and memory of a larger book. Exits 1 if a target is missed.
"""

import argparse
import resource
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from relimit.data.simulator import simulate
from relimit.data.simulator.delinquency import monthly_instalments
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, step
from relimit.data.simulator.writer import ORACLE, ORACLE_ACCOUNTS
from relimit.features import compute_features, model_feature_names
from relimit.models import BoostedTrees, Scorecard

Array = NDArray[np.float64]
Scorer = Callable[[Array], Array]
Fit = Callable[[Array, Array, Array], Scorer]

MONTHS = 30
TOLERANCE = 0.15
PERMUTATIONS = 6
SEED = 7

VIEWS = """
set timezone = 'UTC';
create view events as select account_id, ts, kind::varchar as kind, amount, value,
    detail::varchar as detail from '{book}/events.parquet';
create view decisions as select * from '{book}/decisions.parquet';
create view types as select * from '{book}/{types}';
create view oracle as select * from '{book}/{oracle}';
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

SEASON = """
with daily as (select (ts + interval 8 hour)::date as day, count(*) as draws from events
    where kind = 'draw' group by 1),
marked as (select day, draws, {window} as inside, {around} as around from daily)
select (avg(draws) filter (inside)) / (avg(draws) filter (around)) from marked
"""


@dataclass(frozen=True)
class Line:
    """A row of the calibration table; `low` and `high` bound what counts as on target."""

    name: str
    value: float
    target: str
    low: float
    high: float

    @property
    def met(self) -> bool:
        """Return whether the value is on target."""
        return self.low <= self.value <= self.high


def near(name: str, value: float, target: float) -> Line:
    """Return a line whose value should be within 15% of a target."""
    low, high = target * (1 - TOLERANCE), target * (1 + TOLERANCE)
    return Line(name, value, f"{target:g}", low, high)


def between(name: str, value: float, low: float, high: float) -> Line:
    """Return a line whose value should be in a range."""
    return Line(name, value, f"{low:g} to {high:g}", low, high)


def open_book(book: Path, months: int) -> duckdb.DuckDBPyConnection:
    """Return a database of the book's tables, with its balances at month ends."""
    start = load_settings().calendar.start
    base = duckdb.connect()
    base.execute(
        VIEWS.format(book=book, start=start, months=months, types=ORACLE_ACCOUNTS, oracle=ORACLE)
    )
    base.execute(MONTH_ENDS)
    return base


def calibration(base: duckdb.DuckDBPyConnection, months: int) -> list[Line]:
    """Return the calibration table, the first year left to settle."""
    start = load_settings().calendar.start
    words = {"settled": start.replace(year=start.year + 1), "start": start, "months": months}
    rolls = dict(base.execute(ROLLS.format(**words)).fetchall())
    late, later = base.execute(STOCK.format(**words)).fetchone()
    gaps = {kind: days for kind, days, _ in base.execute(GAPS.format(**words)).fetchall()}
    (hazard,) = base.execute(PREPAYING.format(**words)).fetchone()
    return [
        near("monthly roll current -> 1-29", rolls[0], 0.009),
        near("monthly roll 1-29 -> 30-59", rolls[1], 0.30),
        near("monthly roll 30-59 -> 60-89", rolls[2], 0.72),
        near("monthly roll 60-89 -> 90+", rolls[3], 0.77),
        near("30+ share of balances", late, 0.016),
        near("90+ share of balances", later, 0.010),
        between("prepayments a month of accounts owing", hazard, 0.08, 0.15),
        near("median days to re-borrow, planner", gaps["planner"], 40.0),
        between("median days to re-borrow, cycler", gaps["cycler"], 1.0, 40.0),
        between("median days to re-borrow, stacker", gaps["stacker"], 0.7, 2.0),
        between("median days to re-borrow, bust-out", gaps["bust_out"], 0.7, 2.0),
        *seasons(base),
    ]


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
    (spring,) = base.execute(SEASON.format(window=festival, around=before)).fetchone()
    (sales,) = base.execute(
        SEASON.format(
            window=f"year(day) > 2023 and ({sale})", around=f"year(day) > 2023 and ({quiet})"
        )
    ).fetchone()
    return [
        between("draws before Spring Festival / around it", spring, 1.40, 1.60),
        near("draws in the sales / around them", sales, 1.30),
    ]


def show(lines: list[Line]) -> None:
    """Print the lines."""
    for line in lines:
        mark = "ok" if line.met else "MISSED"
        print(f"  {line.name:<46} {line.value:>10.4g}   target {line.target:<14} {mark}")


def counts(base: duckdb.DuckDBPyConnection) -> None:
    """Print the events of each kind."""
    print("events a kind:")
    rows = base.execute("select kind, count(*) from events group by 1 order by 2 desc").fetchall()
    print("  " + ", ".join(f"{kind} {count:,}" for kind, count in rows))


def labelled(base: duckdb.DuckDBPyConnection, months: int) -> pa.Table:
    """Return the matured decisions with their label, straight from the events."""
    end = f"timestamptz '{load_settings().calendar.start}' + to_months({months}) - interval 8 hour"
    return base.sql(
        f"""
        select account_id, decided_at as as_of, decision_id, exists(select 1 from events e
            where e.account_id = d.account_id and kind = 'overdue' and value >= 30
            and e.ts > decided_at and e.ts <= decided_at + interval 180 day) as bad
        from decisions d where decided_at <= {end} - interval 180 day order by 1, 2
        """  # noqa: S608
    ).to_arrow_table()


def latent_state(accounts: int) -> tuple[Array, Array]:
    """Live the same world again, keeping what no lender sees at each decision."""
    world = make_world(MONTHS, SEED, load_settings())
    block = world.block(np.arange(1, accounts + 1))
    keys, states = [], []
    for day in range(block.calendar.days):
        step(block, day)
        row = np.flatnonzero(block.standing.decide_day == day)
        s, people, income = block.standing, block.people, block.people.income[row]
        busted = np.where(s.bust_day[row] < 0, -1, day - s.bust_day[row])
        burden = monthly_instalments(block, row) / income
        tenure = day - people.open_day[row]
        wealth = (s.outstanding[row] / income, s.limit[row] / income, people.need[row] / income)
        state = (people.kind[row], s.stress[row], s.debt[row], burden, busted, tenure, *wealth)
        keys.append(np.column_stack([people.account_id[row], s.decide_time[row]]))
        states.append(np.column_stack([*state, s.last_overdue[row] >= day - 90, s.score[row]]))
    order = np.lexsort(np.concatenate(keys).T[::-1])
    return np.concatenate(keys)[order], np.concatenate(states)[order]


def out_of_account(fit: Fit, X: Array, y: Array, group: Array) -> float:
    """Return the AUC of three folds, no account on both sides."""
    score = np.empty(len(y))
    for fold in range(3):
        test = group % 3 == fold
        score[test] = fit(X[~test], y[~test], group[~test])(X[test])
    return float(roc_auc_score(y, score))


def fit_trees(X: Array, y: Array, _: Array) -> Scorer:
    """Fit plain LightGBM; return what scores rows."""
    params = {"objective": "binary", "learning_rate": 0.05, "num_leaves": 12, "verbose": -1}
    params |= {"min_data_in_leaf": 100, "seed": 1, "num_threads": 2, "feature_fraction": 0.5}
    booster = lgb.train(params, lgb.Dataset(X, y.astype(float)), 150)
    return lambda rows: np.asarray(booster.predict(rows))


def named(X: Array) -> pd.DataFrame:
    """Return features under their names."""
    return pd.DataFrame(X, columns=list(model_feature_names()))


def fit_boosting(X: Array, y: Array, group: Array) -> Scorer:
    """Fit the toolkit's trees, growth stopped on accounts that they have not seen."""
    later = group % 7 == 0
    model = BoostedTrees().fit(named(X[~later]), y[~later], eval_set=(named(X[later]), y[later]))
    return lambda rows: model.predict_proba(named(rows))[:, 1]


def fit_card(X: Array, y: Array, _: Array) -> Scorer:
    """Fit the toolkit's scorecard."""
    model = Scorecard().fit(named(X), y)
    return lambda rows: model.predict_proba(named(rows))[:, 1]


def truth(base: duckdb.DuckDBPyConnection, book: Path, accounts: int) -> list[Line]:
    """Return how well risk can be told: from the latent state, from features, from noise."""
    snapshots = labelled(base, MONTHS)
    y = snapshots["bad"].to_numpy().astype(float)
    group = snapshots["account_id"].to_numpy()
    when = snapshots["as_of"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
    keys, states = latent_state(accounts)
    place = {key: row for row, key in enumerate(map(tuple, keys.tolist()))}
    states = states[[place[key] for key in zip(group.tolist(), when.tolist(), strict=True)]]
    names = list(model_feature_names())
    X = compute_features(book / "events.parquet", snapshots.select([0, 1]), workers=2, names=names)
    print(f"truth: {len(y):,} matured decisions, {int(y.sum()):,} bad ({y.mean():.2%})")
    generator = np.random.default_rng(0)
    noise = [
        out_of_account(fit_trees, X, generator.permutation(y), group) for _ in range(PERMUTATIONS)
    ]
    best = out_of_account(fit_trees, states, y, group)
    trees = out_of_account(fit_boosting, X, y, group)
    card = out_of_account(fit_card, X, y, group)
    return [
        between("AUC of permuted labels, mean of several", float(np.mean(noise)), 0.49, 0.51),
        between("AUC from the latent state (the best possible)", best, 0.80, 0.88),
        between("AUC of boosted trees on features", trees, 0.74, 0.82),
        between("boosted trees less scorecard", trees - card, 0.01, 0.07),
    ]


def cycling_rule(base: duckdb.DuckDBPyConnection) -> None:
    """Print what holding everything back for 30 days costs each type, by the oracle."""
    rows = base.execute(
        """
        select type, count(distinct decision_id), avg(margin) filter (full_at_once) / 100,
            avg(margin) filter (held) / 100, avg(p_bad) filter (full_at_once),
            avg(p_bad) filter (held), avg(loss) filter (full_at_once) / 100,
            avg(loss) filter (held) / 100
        from (select o.*, type, o.share = 1 and o.delay_days = 0 as full_at_once,
            o.share = 0 and o.delay_days = 30 as held
            from oracle o join decisions d using (decision_id) join types using (account_id))
        group by 1 order by 2 desc
        """
    ).fetchall()
    print("restoring all at once -> nothing, yuan a decision over 180 days:")
    for kind, n, margin, held_margin, risk, held_risk, loss, held_loss in rows:
        print(
            f"  {kind:<10} n {n:>4}  margin {margin:7.1f} -> {held_margin:7.1f}   "
            f"p_bad {risk:.3f} -> {held_risk:.3f}   loss {loss:7.1f} -> {held_loss:7.1f}"
        )


def memory() -> float:
    """Return the largest memory of this process and of one child, GiB, summed for two workers."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    child = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return (own + 2 * child) / 2**20


def timed(out: Path, accounts: int) -> None:
    """Simulate a book and print what it cost."""
    began = time.perf_counter()
    summary = simulate(out, accounts=accounts, months=MONTHS, seed=SEED, workers=2)
    seconds = time.perf_counter() - began
    size = sum(file.stat().st_size for file in out.iterdir()) / 2**20
    print(
        f"speed: {accounts:,} accounts x {MONTHS} months, {summary.events:,} events, "
        f"{summary.decisions:,} decisions, {size:.0f} MiB: {seconds:.1f} s, "
        f"at most {memory():.2f} GiB (this process and twice its largest worker)"
    )


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=20_000)
    parser.add_argument("--speed", type=int, default=100_000)
    parser.add_argument("--oracle", type=int, default=300)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if asked.speed:
            timed(Path(folder) / "speed", asked.speed)
        book = Path(folder) / "book"
        simulate(book, accounts=asked.accounts, months=MONTHS, seed=SEED, oracle=asked.oracle)
        base = open_book(book, MONTHS)
        lines = calibration(base, MONTHS)
        print(f"calibration of {asked.accounts:,} accounts x {MONTHS} months, seed {SEED}:")
        show(lines)
        counts(base)
        told = truth(base, book, asked.accounts)
        show(told)
        cycling_rule(base)
    lines += told
    return int(not all(line.met for line in lines))


if __name__ == "__main__":
    sys.exit(main())
