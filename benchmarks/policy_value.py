"""Whether off-policy values are right: estimates from 100 simulated books against the truth.

    python benchmarks/policy_value.py [--books 100] [--accounts 2000] [--small] [--reruns 0]

Each book is a world of its own seed, run by the older rule, which explores 5% of its decisions. The
policies to be valued: the packaged one with a model trained on a further book, restoring all and
nothing, half after a week, and all at once to the safer half by that model, the others waiting.

The truth of a policy is the population's mean over single decisions: what the simulator's oracle
says of the decision under the policy's arm, everything else of the world kept. That is what a
one-step value estimates. It is the mean over many sampled decisions, moved by what their logged
outcomes differ from those of all books (a control variate, which costs no bias). Its standard error
is printed and belongs to the error of every estimate. `--reruns N` also lives N worlds wholly under
the packaged policy: there later decisions meet other borrowers and states, so that it is another
number; both are printed.

Targets: the headline's 95% interval covers the truth in at least 90% of the books; its error (root
mean square) is at most half of that of IPS; without exploration every policy is refused. Prints met
or MISSED by outcome, and exits 1 if one is missed. Beside the headline, a doubly robust estimate
that pools the delays of a share, stands the one that tells all arms apart. Where the outcome is a
rare yes or no its error can't be half of that of IPS, however good its model: what the model
explains of a chance of 3% is little of the noise of a yes or no.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import Book, observe, read_parquet, realised
from relimit.data.schema import decisions_log_schema
from relimit.data.simulator import simulate
from relimit.data.simulator.branches import play_out
from relimit.data.simulator.sampling import Sample
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world
from relimit.data.vocabulary import ARMS, FEN_PER_YUAN
from relimit.models import RiskModel, load_model
from relimit.policy import load_policy
from relimit.policy.value import ESTIMATORS
from relimit.serving.candidate import CandidatePolicy
from relimit.serving.scorer import Scorer
from relimit.training import resolve_model, train
from relimit.training.policy_rows import Assumptions, LogRows, read_log_rows
from relimit.training.policy_targets import Target, candidate, fixed, plain_targets
from relimit.training.policy_value import HEADLINE, OUTCOMES, outcome_tables, value_target

Floats = NDArray[np.float64]

MONTHS = 24
TRAINED_ON = 6_000
FIRST_SEED = 1_000
PRODUCT = load_settings().product
ASSUMED = Assumptions(
    loss_given_default=float(np.mean(PRODUCT.loss_given_default)),
    funding_cost_yearly=PRODUCT.funding_cost_yearly,
)
"""The lender knows its mean loss given default and what its money costs."""


@dataclass(frozen=True)
class Job:
    """One book to make, to value policies on, and to forget."""

    seed: int
    accounts: int
    sampled: int
    model: Path
    folder: Path
    scenario: str = "base"


def rows_of(job: Job) -> tuple[LogRows, Path]:
    """Simulate a book and read its log."""
    out = job.folder / f"{job.scenario}-{job.seed}"
    simulate(
        out, accounts=job.accounts, months=MONTHS, seed=job.seed, scenario=job.scenario, workers=1
    )
    return read_rows(out), out


def log_of(out: Path) -> pa.Table:
    """Return a book's decision log."""
    return read_parquet(out / "decisions.parquet", decisions_log_schema(), table="decisions")


def read_rows(out: Path) -> LogRows:
    """Read a book's log."""
    book = Book.open(out)
    log = log_of(out)
    return read_log_rows(book.events, log, as_of=book.as_of, assumptions=ASSUMED, workers=1)


def targets_of(rows: LogRows, model: RiskModel) -> tuple[Target, ...]:
    """Return the policies that are valued."""
    packaged = candidate(rows, model, load_policy(), "packaged")
    X = rows.X[:, [rows.names.index(name) for name in model.feature_names]]
    safe = model.restoration_risk(np.ascontiguousarray(X)) <= float(model.manifest["median"])
    week = fixed(rows, (1.0, 7), "")
    arm = np.where(safe, ARMS.index((1.0, 0)), week.arm)
    split = Target("safer at once", arm, week.returned, np.where(safe, 0.0, 7.0), week.reason)
    return packaged, *plain_targets(rows), fixed(rows, (0.5, 7), "half in a week"), split


def judge(job: Job) -> tuple[list[dict[str, object]], list[pd.DataFrame]]:
    """Return a book's estimates, and what came of its sampled decisions by policy."""
    rows, out = rows_of(job)
    model = open_trained(job.model)
    found: list[dict[str, object]] = []
    targets = targets_of(rows, model)
    came = {name: float(values.mean()) for name, (values, _) in outcome_tables(rows).items()}
    for target in targets:
        valued = value_target(rows, target)
        base = {"seed": job.seed, "policy": target.name, "refusal": valued.refusal}
        for outcome in OUTCOMES:
            row = {**base, "outcome": outcome, "logged": came[outcome]}
            row["rows"] = len(rows)
            for name, it in valued.values.get(outcome, {}).items():
                row |= {name: it.value, f"{name}_low": it.low, f"{name}_high": it.high}
            if outcome in valued.bounds:
                row["low"], row["high"] = valued.bounds[outcome]
            found.append(row)
    lived = list(truths(rows, targets, job, out)) if job.sampled else []
    for file in out.iterdir():
        file.unlink()
    return found, lived


def played(job: Job, out: Path) -> pd.DataFrame:
    """Return every arm of the sampled decisions, each lived once."""
    world = make_world(MONTHS, job.seed, load_settings(job.scenario))
    sample = Sample(world, job.sampled)
    sample.offer(log_of(out))
    arms: pd.DataFrame = play_out(world, sample.chosen(), replicates=0).to_pandas()
    return arms


def truths(
    rows: LogRows, targets: tuple[Target, ...], job: Job, out: Path
) -> Iterator[pd.DataFrame]:
    """Yield by policy and outcome what comes of its arm, and came of the logged one."""
    oracle = played(job, out)
    ids = oracle.decision_id.to_numpy()[:: len(ARMS)]
    place = log_place(log_of(out).to_pandas(), rows, ids)
    known = np.flatnonzero(place >= 0)
    mine, each = place[known], np.arange(len(known))
    loss, margin = (oracle[name] / FEN_PER_YUAN for name in ("loss", "margin"))
    values = (oracle.bad.astype(float), loss, margin, margin - loss)
    for outcome, value in zip(OUTCOMES, values, strict=True):
        table = value.to_numpy().reshape(-1, len(ARMS))[known]
        for target in targets:
            yield pd.DataFrame(
                {
                    "policy": target.name,
                    "outcome": outcome,
                    "value": table[each, target.arm[mine]],
                    "logged": table[each, rows.logged.arm[mine]],
                    "account": [f"{job.seed}-{account}" for account in rows.logged.account[mine]],
                }
            )


def log_place(log: pd.DataFrame, rows: LogRows, ids: NDArray[np.object_]) -> NDArray[np.int64]:
    """Return the rows of some decisions; -1 where a decision was left out."""
    keys = pd.MultiIndex.from_arrays([rows.labelled.account_id, rows.labelled.as_of])
    asked = log.set_index("decision_id").loc[ids.tolist()]
    when = asked.decided_at.astype("datetime64[us, UTC]").astype("int64")
    found = keys.get_indexer(pd.MultiIndex.from_arrays([asked.account_id, when]))
    return np.asarray(found, dtype=np.int64)


def open_trained(folder: Path) -> RiskModel:
    """Load the trained model with the median of its training rows' risk."""
    model = load_model(folder)
    model.manifest["median"] = model.reference.risk.edges[len(model.reference.risk.edges) // 2]
    return model


def trained(folder: Path, accounts: int) -> Path:
    """Train on a book of its own; return the artifact."""
    out, uri = folder / "learn", f"sqlite:///{folder / 'mlflow.db'}"
    simulate(out, accounts=accounts, months=MONTHS, seed=FIRST_SEED - 1)
    book = Book.open(out)
    log = log_of(out)
    observations = observe(book.events, decisions=log, as_of=book.as_of)
    result = train(book.events, observations, "lightgbm", tracking_uri=uri)
    artifact, _ = resolve_model(result.model_uri, uri)
    return artifact


def truth_table(estimates: pd.DataFrame, lived: pd.DataFrame) -> pd.DataFrame:
    """Return by policy and outcome the truth and its standard error."""
    books = estimates.drop_duplicates(["seed", "outcome"])
    found = []
    for (policy, outcome), rows in lived.groupby(["policy", "outcome"]):
        mine = books[books.outcome == outcome]
        everywhere = float(np.average(mine.logged, weights=mine["rows"]))
        slope = rows.value.cov(rows.logged) / max(rows.logged.var(), 1e-12)
        moved = rows.value + slope * (everywhere - rows.logged)
        of_account = (moved - moved.mean()).groupby(rows.account).sum()
        error = float(np.sqrt(np.square(of_account).sum())) / len(rows)
        common = abs(slope) * float(mine.logged.std()) / np.sqrt(len(mine))
        found.append((policy, outcome, float(moved.mean()), float(np.hypot(error, common))))
    return pd.DataFrame(found, columns=["policy", "outcome", "truth", "truth_error"])


def summary(estimates: pd.DataFrame, truth: pd.DataFrame) -> pd.DataFrame:
    """Return by policy, outcome and estimator: coverage, root mean square error, bias, width."""
    both = estimates.merge(truth, on=["policy", "outcome"])
    answered = both[both.refusal == ""]
    found = []
    for (policy, outcome), rows in answered.groupby(["policy", "outcome"]):
        for name in ESTIMATORS:
            error = rows[name] - rows.truth
            inside = (rows[f"{name}_low"] <= rows.truth) & (rows.truth <= rows[f"{name}_high"])
            found.append(
                {
                    "policy": policy, "outcome": outcome, "estimator": name, "books": len(rows),
                    "truth": rows.truth.iloc[0], "truth_error": rows.truth_error.iloc[0],
                    "coverage": float(inside.mean()), "rmse": float(np.sqrt((error**2).mean())),
                    "bias": float(error.mean()),
                    "half_width": float((rows[f"{name}_high"] - rows[f"{name}_low"]).mean() / 2),
                }
            )  # fmt: skip
    return pd.DataFrame(found)


def line(text: str, met: bool) -> bool:
    """Print a target and whether it was met."""
    print(f"{'met   ' if met else 'MISSED'}  {text}")
    return met


def verdicts(table: pd.DataFrame, without: list[dict[str, object]]) -> bool:
    """Print every target; return whether all were met."""
    said = []
    for outcome in OUTCOMES:
        for policy, rows in table[table.outcome == outcome].groupby("policy"):
            its = rows.set_index("estimator")
            where = f"{outcome} of {policy}"
            cover = its.coverage[HEADLINE]
            said.append(line(f"{HEADLINE} covers at least 90%: {cover:.0%}, {where}", cover >= 0.9))
            if not its.truth.any():
                print(f"        {where} is 0 by definition")
                continue
            ratio, textbook = (its.rmse[name] / its.rmse["ips"] for name in (HEADLINE, "dr"))
            text = f"error of {HEADLINE} at most half of that of IPS: x{ratio:.2f}, {where}"
            said.append(line(f"{text} (DR by single arms x{textbook:.2f})", ratio <= 0.5))
    said += [
        line(
            f"refuses without exploration, {row['policy']}: {row['refusal']}", bool(row["refusal"])
        )
        for row in without
        if row["outcome"] == OUTCOMES[0]
    ]
    return all(said)


def rerun(seed: int, accounts: int, model: Path, folder: Path) -> None:
    """Print what came of a world lived wholly under the packaged policy, beside the incumbent's."""
    policy = CandidatePolicy(Scorer(open_trained(model), load_policy()))
    for name, lender in (("incumbent", None), ("packaged", policy)):
        out = folder / f"{name}-{seed}"
        simulate(out, accounts=accounts, months=MONTHS, seed=seed, policy=lender, workers=1)
        log = log_of(out)
        came = realised(
            out / "events.parquet", log, as_of=Book.open(out).as_of,
            loss_given_default=ASSUMED.loss_given_default,
            funding_cost_yearly=ASSUMED.funding_cost_yearly,
        ).to_pandas().dropna(subset="bad")  # fmt: skip
        means = came[["loss", "margin"]].mean() / FEN_PER_YUAN
        print(
            f"seed {seed} lived under {name}: {len(came):,} decisions, "
            f"bad {came.bad.mean():.4f}, loss {means.loss:,.1f}, margin {means.margin:,.1f}"
        )


def run(folder: Path, given: argparse.Namespace) -> bool:
    """Value policies on every book and hold them against the truth."""
    start = time.perf_counter()
    model = trained(folder, TRAINED_ON)
    sampled = -(-given.sampled // given.books)
    jobs = [Job(FIRST_SEED + i, given.accounts, sampled, model, folder) for i in range(given.books)]
    estimates: list[dict[str, object]] = []
    lived: list[pd.DataFrame] = []
    with ProcessPoolExecutor(given.workers, mp_context=get_context("spawn")) as pool:
        for done, (found, more) in enumerate(pool.map(judge, jobs), 1):
            estimates += found
            lived += more
            if done % 10 == 0:
                print(f"[{time.perf_counter() - start:5.0f} s] {done} books", file=sys.stderr)
    without, _ = judge(Job(FIRST_SEED, given.accounts, 0, model, folder, scenario="no-exploration"))
    frame = pd.DataFrame(estimates)
    table = summary(frame, truth_table(frame, pd.concat(lived)))
    if given.keep is not None:
        frame.to_csv(given.keep / "estimates.csv", index=False)
        table.to_csv(given.keep / "summary.csv", index=False)
    print(table.to_string(index=False, float_format=lambda x: f"{x:,.4g}"))
    refused = frame.drop_duplicates(["seed", "policy"]).groupby("policy").refusal
    print("\nbooks refused:", refused.apply(lambda x: int((x != "").sum())).to_dict())
    print(f"{given.books} books in {time.perf_counter() - start:,.0f} s\n")
    met = verdicts(table, without)
    for seed in range(FIRST_SEED, FIRST_SEED + given.reruns):
        rerun(seed, given.accounts, model, folder)
    return met


def main() -> None:
    """Run in a folder that goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--books", type=int, default=100)
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--sampled", type=int, default=16_000, help="decisions played out in all")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--reruns", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="a folder for the tables of estimates")
    parser.add_argument("--small", action="store_true", help="six small books, to see it run")
    given = parser.parse_args()
    if given.small:
        given.books, given.sampled = min(given.books, 6), 400
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as name:
        met = run(Path(name), given)
    sys.exit(not met)


if __name__ == "__main__":
    main()
