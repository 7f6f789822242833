"""The simulated world beside its targets, its truth, and what it costs to make.

    python benchmarks/simulator.py [--accounts 20000] [--speed 100000] [--oracle 300]
    python benchmarks/simulator.py --scale [--accounts 1000000]   # the cost alone, and of a tenth

Prints the calibration table (each value within 15% of its target or marked), how well risk can be
told from the latent state and from the toolkit's features, what the scenarios shock and drift do,
what a "cycling = bad" rule would cost, how much of a restored yuan is borrowed again, and the
seconds and memory of larger books. Exits 1 if a target is missed.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from simulator_borrowing import extra_borrowing
from simulator_cost import LARGEST, scale, timed
from simulator_tables import (
    Line,
    between,
    calibration,
    counts,
    drifted,
    open_book,
    shocked,
    show,
)
from sklearn.metrics import roc_auc_score

from relimit.data.simulator import simulate
from relimit.data.simulator.delinquency import monthly_instalments
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, step
from relimit.features import compute_features, model_feature_names
from relimit.models import BoostedTrees, Scorecard

Array = NDArray[np.float64]
Scorer = Callable[[Array], Array]
Fit = Callable[[Array, Array, Array], Scorer]

MONTHS = 30
ACCOUNTS = 20_000
PERMUTATIONS = 6
FOLDS = 5
BORROWING_ACCOUNTS = 5_000
SEED = 7


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
        mind = (people.kind[row], s.stress[row], s.debt[row], busted)
        state = (*mind, burden, tenure, *wealth)
        keys.append(np.column_stack([people.account_id[row], s.decide_time[row]]))
        states.append(np.column_stack([*state, s.last_overdue[row] >= day - 90, s.score[row]]))
    order = np.lexsort(np.concatenate(keys).T[::-1])
    return np.concatenate(keys)[order], np.concatenate(states)[order]


def out_of_account(fit: Fit, X: Array, y: Array, group: Array) -> float:
    """Return the AUC of `FOLDS` folds, no account on both sides."""
    score = np.empty(len(y))
    for fold in range(FOLDS):
        test = group % FOLDS == fold
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


def cycling_rule(base: duckdb.DuckDBPyConnection) -> list[Line]:
    """Return what holding everything back for 30 days costs, by the oracle; print it by type."""
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
    kept: dict[str, float] = {}
    print("restoring all at once -> nothing, yuan a decision over 180 days:")
    for kind, n, margin, held_margin, risk, held_risk, loss, held_loss in rows:
        kept[kind] = (held_margin - held_loss) / (margin - loss)
        print(
            f"  {kind:<10} n {n:>4}  margin {margin:7.1f} -> {held_margin:7.1f}   "
            f"p_bad {risk:.3f} -> {held_risk:.3f}   loss {loss:7.1f} -> {held_loss:7.1f}"
        )
    return [between("of a cycler's margin less loss, kept if held", kept["cycler"], 0.0, 0.8)]


def measured(months: int, accounts: int) -> None:
    """Print what books of growing size cost: time should be linear, memory flat."""
    for size in sorted({max(accounts // 5, 1), accounts * 3 // 5, accounts}):
        print(timed(size, months, SEED), flush=True)


def scenario(folder: Path, name: str, accounts: int) -> duckdb.DuckDBPyConnection:
    """Simulate a scenario's book; return its database."""
    simulate(folder / name, accounts=accounts, months=MONTHS, seed=SEED, scenario=name, oracle=1)
    return open_book(folder / name, MONTHS)


def believable(folder: Path, accounts: int, oracle: int) -> list[Line]:
    """Print every comparison of the world with its targets; return its lines."""
    book = folder / "book"
    simulate(book, accounts=accounts, months=MONTHS, seed=SEED, oracle=oracle)
    base = open_book(book, MONTHS)
    print(f"calibration of {accounts:,} accounts x {MONTHS} months, seed {SEED}:")
    lines = show(calibration(base, MONTHS))
    counts(base)
    print("scenarios beside the base, same seed:")
    lines += show(shocked(base, scenario(folder, "shock", accounts), MONTHS))
    lines += show(drifted(base, scenario(folder, "drift", accounts), MONTHS))
    lines += show(truth(base, book, accounts))
    lines += show(cycling_rule(base))
    lines += show(extra_borrowing(BORROWING_ACCOUNTS, MONTHS, SEED))
    return lines


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, help="20,000; with --scale 1,000,000")
    parser.add_argument("--speed", type=int, default=100_000)
    parser.add_argument("--oracle", type=int, default=300)
    parser.add_argument(
        "--scale", action="store_true", help="only the cost of many accounts and of a tenth"
    )
    asked = parser.parse_args()
    if asked.scale:
        return scale(asked.accounts or LARGEST, MONTHS, SEED)
    if asked.speed:
        measured(MONTHS, asked.speed)
    with tempfile.TemporaryDirectory() as folder:
        lines = believable(Path(folder), asked.accounts or ACCOUNTS, asked.oracle)
    return int(not all(line.met for line in lines))


if __name__ == "__main__":
    sys.exit(main())
