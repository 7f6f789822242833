"""What weighting by propensity mends, on simulated books whose truth is known, and where it can't.

    python benchmarks/selection.py [--small] [--seed N]

For the scenarios `base` and `mnar` a book is simulated with its oracle: what every arm would have
brought. Three models learn from the same log: naive (the log as it is, no arms), arms (what
restoring does estimated by itself, no weights) and weighted (the same with propensity weights, what
`relimit train` does). Their calibration error is taken on the oracle's full restoration, arm
(1, 0), of decisions in the test slice. Target on `base`: weighted at least 30% below naive. Under
`mnar` the older policy also chose by something that the log lacks: the report must say so, and its
own words are printed beside the true error. Exits 1 if either is missed.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import Book, read_parquet
from relimit.data.observe import observe
from relimit.data.schema import decisions_log_schema
from relimit.data.simulator import simulate
from relimit.data.simulator.oracle import read_oracle
from relimit.data.vocabulary import FULL_ARM
from relimit.training.dataset import TrainingData, read_training_data
from relimit.training.document import Grid, Notice
from relimit.training.fit import Fitted, fit_model
from relimit.training.judged import Judged
from relimit.training.labelled import Labelled
from relimit.training.propensity import Propensities, weigh_decisions
from relimit.training.report_selection import DISTRUST, selection

TARGET = 0.30
BINS = 5
FAMILY = "lightgbm"


def main() -> None:
    """Print each scenario's calibration errors, and what the report says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="fewer accounts and oracle decisions")
    parser.add_argument("--seed", type=int, default=5)
    given = parser.parse_args()
    accounts, sampled = (4_000, 600) if given.small else (24_000, 6_000)
    missed = False
    for scenario in ("base", "mnar"):
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name) / "book"
            simulate(
                folder, accounts=accounts, months=30, seed=given.seed, scenario=scenario,
                oracle=sampled,
            )  # fmt: skip
            missed |= not run_scenario(scenario, folder)
    sys.exit(int(missed))


def run_scenario(scenario: str, folder: Path) -> bool:
    """Fit the three models, hold them against the oracle, and say whether the target is met."""
    book = Book.open(folder)
    assert book.decisions is not None
    log = read_parquet(book.decisions, decisions_log_schema(), table="decisions")
    observations = observe(book.events, decisions=log, as_of=book.as_of)
    data = read_training_data(book.events, observations, progress=lambda _: None)
    rows, truth = oracle_rows(folder, observations, data)
    bads = int(data.labelled.bad.sum())
    print(f"{scenario}: {len(data.labelled):,} matured decisions, {bads:,} bad; ", end="")
    print(f"{len(rows):,} of the test slice in the oracle, {data.split.kind}")
    errors = {}
    for name, fitted in three_models(data).items():
        risk = fitted.model.restoration_risk(data.X[rows])
        errors[name] = calibration_error(risk, truth)
        print(f"  {name:9} calibration error at full restoration {errors[name]:.4f}; ", end="")
        print(f"mean risk {risk.mean():.4f}, true {truth.mean():.4f}")
    short = truth.mean() - risk.mean()
    settings = {"name": scenario, "family": FAMILY, "seed": 0}
    blocks = selection(Judged(data, fitted, data.describe(), settings)).blocks
    for block in blocks:
        if not isinstance(block, Grid):
            print(f"  the report says: {getattr(block, 'text', block)}")
    gain = 1.0 - errors["weighted"] / errors["naive"]
    print(f"  weighted against naive: calibration error {gain:.0%} lower", end="")
    met = gain >= TARGET
    if scenario == "base":
        print(f", target {TARGET:.0%}: {'met' if met else 'MISSED'}")
        return met
    met = isinstance(blocks[0], Notice) and blocks[0].text.startswith(DISTRUST)
    print(f"; risk too low by {100 * short:.2f} points in truth; the report must warn: ", end="")
    print("met" if met else "MISSED")
    return met


def three_models(data: TrainingData) -> dict[str, Fitted]:
    """Return the models by name, the weighted one last."""
    labelled = data.labelled
    unknown = np.full(len(labelled), np.nan)
    blind = replace(labelled, share=unknown, delay_days=unknown)
    with mock.patch("relimit.training.fit.weigh_decisions", even_weights):
        arms = fit(data, labelled)
    return {"naive": fit(data, blind), "arms": arms, "weighted": fit(data, labelled)}


def fit(data: TrainingData, labelled: Labelled) -> Fitted:
    """Fit on the data's slices."""
    return fit_model(FAMILY, data.X, data.names, labelled, data.split)


def even_weights(
    X: NDArray[np.float64],
    arms: NDArray[np.float64],
    logged: NDArray[np.float64],
    **options: Any,
) -> Propensities:
    """Return the propensities with every weight 1."""
    found = weigh_decisions(X, arms, logged, **options)
    return replace(found, weight=np.ones(len(logged)))


def oracle_rows(
    folder: Path, observations: pa.Table, data: TrainingData
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return test rows that the oracle knows, and their true P(bad) at full restoration."""
    oracle = read_oracle(folder).to_pandas()
    full = oracle[(oracle["share"] == FULL_ARM[0]) & (oracle["delay_days"] == FULL_ARM[1])]
    chance = pd.Series(full["p_bad"].to_numpy(), index=full["decision_id"])
    matured = observations.filter(observations["bad"].is_valid())
    known = chance.reindex(matured["decision_id"].to_pandas()).to_numpy()
    rows = data.split.test[np.isfinite(known[data.split.test])]
    return rows, known[rows]


def calibration_error(risk: NDArray[np.float64], truth: NDArray[np.float64]) -> float:
    """Return the mean gap between risk and true chance over fifths of the risk."""
    order = np.argsort(risk, kind="stable")
    parts = np.array_split(order, BINS)
    gaps = [abs(risk[part].mean() - truth[part].mean()) * len(part) for part in parts]
    return float(sum(gaps) / len(risk))


if __name__ == "__main__":
    main()
