"""Five-fold out-of-account AUC on the real Taiwanese credit-card book.

    RELIMIT_REAL_BOOKS=FOLDER python benchmarks/real_taiwan.py [--few]

The book is the UCI data set "default of credit card clients", which is not part of this
repository. FOLDER/taiwan (by default FOLDER is ../shared/real) has its 30,000 accounts as
`events.parquet`, a `limit` each and by month what was drawn, due, repaid and overdue, and
`observations.parquet`, one a client, `bad` if the next payment was missed. Targets: AUC at least
0.785 for lightgbm and 0.765 for the scorecard, Brier at most 0.135; above 0.80 means a leak. Prints
each as met or MISSED, and exits 1 if one is missed or the book is absent.

`--few` learns from a few accounts only, drawn several times, and tests on the same 10,000 others:
what to expect of a small book.
"""

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from relimit.training.dataset import TrainingData, read_training_data
from relimit.training.discrimination import auc
from relimit.training.fit import fit_model
from relimit.training.metrics import brier
from relimit.training.splits import OUT_OF_ACCOUNT, Split, account_hash

FOLDS = 5
TARGETS = {"lightgbm": 0.785, "scorecard": 0.765}
MOST_BRIER = 0.135
LEAK = 0.80
FEW, DRAWS, TESTED = (400, 1_000, 3_000), 5, 10_000
PLAIN = "raw columns, plain LightGBM"
RAW = {"draw": "amount", "due": "amount", "repayment": "amount", "overdue": "value"}


def main() -> int:
    """Read the book and measure; 1 if a target is missed or there is no book."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--few", action="store_true", help="learn from a few accounts only")
    few = parser.parse_args().few
    book = Path(os.environ.get("RELIMIT_REAL_BOOKS", "../shared/real")) / "taiwan"
    if not book.is_dir():
        print(f"no book at {book}: set RELIMIT_REAL_BOOKS to the folder that has it as `taiwan`")
        return 1
    observations = pq.read_table(book / "observations.parquet")
    data = read_training_data(book / "events.parquet", observations, progress=print)
    raw = raw_columns(book, observations)
    if few:
        learn_from_few(raw, data)
        return 0
    return int(in_folds(raw, data))


def in_folds(raw: NDArray[np.float64], data: TrainingData) -> bool:
    """Print each fold, the mean and the targets for both families; whether a target is missed."""
    splits = [fold_split(data, fold) for fold in range(FOLDS)]
    missed = False
    for family, target in TARGETS.items():
        start = time.perf_counter()
        areas, briers = measure(family, data, splits)
        held = {
            f"AUC at least {target}": target <= np.mean(areas) <= LEAK,
            f"Brier at most {MOST_BRIER}": np.mean(briers) <= MOST_BRIER,
        }
        told = ", ".join(f"{what}: {'met' if met else 'MISSED'}" for what, met in held.items())
        report(family, areas, briers, told, time.perf_counter() - start)
        missed |= not all(held.values())
        if np.mean(areas) > LEAK:
            print(f"{family}: above {LEAK} there must be a leak")
    start = time.perf_counter()
    areas, briers = measure_raw(raw, data, splits)
    report(PLAIN, areas, briers, "reference", time.perf_counter() - start)
    return missed


def learn_from_few(raw: NDArray[np.float64], data: TrainingData) -> None:
    """Print what both families and plain LightGBM make of the same few accounts."""
    for accounts in FEW:
        splits = [few_split(data, accounts, draw) for draw in range(DRAWS)]
        for family in TARGETS:
            start = time.perf_counter()
            areas, briers = measure(family, data, splits)
            seconds = time.perf_counter() - start
            report(family, areas, briers, f"from {accounts:,} accounts", seconds)
        start = time.perf_counter()
        areas, briers = measure_raw(raw, data, splits)
        report(PLAIN, areas, briers, f"from {accounts:,} accounts", time.perf_counter() - start)


def measure(
    family: str, data: TrainingData, splits: Sequence[Split]
) -> tuple[list[float], list[float]]:
    """Fit, calibrate and test by each split."""
    areas, briers = [], []
    for split in splits:
        fitted = fit_model(family, data.X, data.names, data.labelled, split)
        bad = data.labelled.bad[split.test]
        areas.append(auc(bad, fitted.test_risk))
        briers.append(brier(bad, fitted.test_risk))
    return areas, briers


def measure_raw(
    X: NDArray[np.float64], data: TrainingData, splits: Sequence[Split]
) -> tuple[list[float], list[float]]:
    """Fit LightGBM with common settings on the monthly figures as they are."""
    areas, briers = [], []
    settings = {"objective": "binary", "learning_rate": 0.03, "num_leaves": 15, "verbosity": -1}
    for split in splits:
        learn = np.concatenate([split.fit, split.calibrate])
        train = lgb.Dataset(X[learn], data.labelled.bad[learn])
        risk = np.asarray(lgb.train(settings, train, 250).predict(X[split.test]))
        areas.append(auc(data.labelled.bad[split.test], risk))
        briers.append(brier(data.labelled.bad[split.test], risk))
    return areas, briers


def few_split(data: TrainingData, accounts: int, draw: int) -> Split:
    """Test on the same accounts by their hash; draw so many others, a quarter to calibrate."""
    by_hash = np.argsort(account_hash(data.labelled.account_id))
    drawn = np.random.default_rng(draw).permutation(by_hash[TESTED:])[:accounts]
    return Split(
        fit=np.sort(drawn[accounts // 4 :]),
        calibrate=np.sort(drawn[: accounts // 4]),
        test=np.sort(by_hash[:TESTED]),
        kind=OUT_OF_ACCOUNT,
        test_from=None,
        left_out=0,
        description=f"draw {draw}",
    )


def fold_split(data: TrainingData, fold: int) -> Split:
    """Part the accounts by their hash: one fold tests, the next calibrates, the others fit."""
    place = (account_hash(data.labelled.account_id) * FOLDS).astype(int)
    calibrate = (fold + 1) % FOLDS
    return Split(
        fit=np.flatnonzero((place != fold) & (place != calibrate)),
        calibrate=np.flatnonzero(place == calibrate),
        test=np.flatnonzero(place == fold),
        kind=OUT_OF_ACCOUNT,
        test_from=None,
        left_out=0,
        description=f"fold {fold}",
    )


def raw_columns(book: Path, observations: pa.Table) -> NDArray[np.float64]:
    """Return the limit and each month's draw, due, repayment and days past due."""
    events = pq.read_table(book / "events.parquet").to_pandas()
    accounts = observations["account_id"].to_pandas()
    limit = events[events.kind == "limit"].set_index("account_id")["amount"]
    columns = [limit.reindex(accounts).to_numpy(dtype=np.float64, na_value=np.nan)]
    for kind, value in RAW.items():
        of_kind = events[events.kind == kind]
        month = of_kind["ts"].dt.month
        table = of_kind.pivot_table(index="account_id", columns=month, values=value, aggfunc="sum")
        columns.extend(table.reindex(accounts).to_numpy(dtype=np.float64, na_value=np.nan).T)
    return np.column_stack(columns)


def report(name: str, areas: list[float], briers: list[float], note: str, seconds: float) -> None:
    """Print one line a model."""
    folds = " ".join(f"{area:.4f}" for area in areas)
    print(
        f"{name}: AUC {np.mean(areas):.4f} ({folds}), Brier {np.mean(briers):.5f}, "
        f"{note}, {seconds:.0f} s"
    )


if __name__ == "__main__":
    sys.exit(main())
