"""The most that tables tell: risk learnt from a far larger book of another world."""

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import read_parquet, realised
from relimit.data.schema import decisions_log_schema
from relimit.data.simulator import simulate
from relimit.data.vocabulary import BAD_HORIZON_DAYS
from relimit.features import compute_features, model_feature_names
from relimit.models import ARM_COLUMNS, BoostedTrees
from relimit.models.arms import at_arm, with_arms
from relimit.training.arm_outcomes import risk_directions
from relimit.training.matured import matured_decisions, numbers
from relimit.training.splits import account_hash

Floats = NDArray[np.float64]

STOPPING = 0.15
"""Part of the accounts on which growing is stopped."""


def learn_from_tables(out: Path, accounts: int, months: int, seed: int) -> BoostedTrees:
    """Simulate a book and grow trees on every matured decision of it, no account held back.

    They are no model that a lender would register: nothing calibrates or tests them.
    """
    if not (out / "book.json").exists():
        simulate(out, accounts=accounts, months=months, seed=seed)
    log = read_parquet(out / "decisions.parquet", decisions_log_schema(), table="decisions")
    log, _ = matured_decisions(realised(out / "events.parquet", log), BAD_HORIZON_DAYS)
    names = model_feature_names()
    arms = np.column_stack([numbers(log, "share"), numbers(log, "delay_days")])
    X = with_arms(_features(out, log, names), arms, np.arange(len(arms)))
    stop = account_hash(log["account_id"].to_numpy()) < STOPPING
    frame, bad = pd.DataFrame(X, columns=[*names, *ARM_COLUMNS]), numbers(log, "bad")
    later = frame[stop], bad[stop]
    return BoostedTrees(risk_directions(names)).fit(frame[~stop], bad[~stop], eval_set=later)


def risk_by_tables(trees: BoostedTrees, book: Path, log: pa.Table) -> Floats:
    """Return `[n]` risk of restoring everything, of the decisions of a log of another book."""
    X = at_arm(_features(book, log, model_feature_names()), (1.0, 0.0))
    return trees.predict_proba(pd.DataFrame(X, columns=trees.head_.columns))[:, 1]


def _features(book: Path, log: pa.Table, names: tuple[str, ...]) -> Floats:
    snapshots = pa.table({"account_id": log["account_id"], "as_of": log["decided_at"]})
    return compute_features(book / "events.parquet", snapshots, names=names)
