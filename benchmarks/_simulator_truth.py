"""How well risk can be told: from the latent state, from the toolkit's features, from noise.

And how alike cyclers and stackers are: by their cycling, and by who pays and what else they owe.
"""

from collections.abc import Callable
from pathlib import Path

import duckdb
import lightgbm as lgb
import numpy as np
import pandas as pd
import pyarrow as pa
from _simulator_lines import Line, at_least, at_most, between
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from relimit.data.simulator.delinquency import monthly_instalments
from relimit.data.simulator.oracle import read_latent_types
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, step
from relimit.features import compute_features, model_feature_names
from relimit.features.registry import find_features
from relimit.models import BoostedTrees, Scorecard

Array = NDArray[np.float64]
Scorer = Callable[[Array], Array]
Fit = Callable[[Array, Array, Array], Scorer]

PERMUTATIONS = 6
FOLDS = 5
TELLING = {"cycling", "funding", "external"}
"""The families of features that tell a stacker from a cycler; the first alone should not."""


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


def latent_state(accounts: int, months: int, seed: int) -> tuple[NDArray[np.int64], Array]:
    """Live the same world again, keeping what no lender sees at each decision."""
    world = make_world(months, seed, load_settings())
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


def truth(
    base: duckdb.DuckDBPyConnection, book: Path, accounts: int, months: int, seed: int
) -> list[Line]:
    """Return how well risk can be told, and type."""
    snapshots = labelled(base, months)
    y = snapshots["bad"].to_numpy().astype(float)
    group = snapshots["account_id"].to_numpy()
    when = snapshots["as_of"].cast(pa.timestamp("us", tz="UTC")).cast(pa.int64()).to_numpy()
    keys, states = latent_state(accounts, months, seed)
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
        *alike(book, X, group),
    ]


def alike(book: Path, X: Array, group: Array) -> list[Line]:
    """Return how well a stacker's decision can be told from a cycler's."""
    types = read_latent_types(book)
    kind = types["type"].to_numpy(zero_copy_only=False)
    kind = kind[np.searchsorted(types["account_id"].to_numpy(), group)]
    row = np.flatnonzero(np.isin(kind, ["cycler", "stacker"]))
    family = np.array([feature.family for feature in find_features(model_feature_names())])
    told = [
        out_of_account(
            fit_trees, X[np.ix_(row, np.isin(family, names))], kind[row] == "stacker", group[row]
        )
        for names in (["cycling"], sorted(TELLING))
    ]
    return [
        at_most("AUC of stacker against cycler, from their cycling", told[0], 0.65),
        at_least("rise of it with funding, score and inquiries", told[1] - told[0], 0.15),
    ]
