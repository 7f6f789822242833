"""What the policy alone costs: a million decisions with reasons, remedies and texts.

    python benchmarks/policy.py [--cases N] [--workers N] [--runs N]

The cases are made up so that every rule binds somewhere: all tiers, closed gates, clearing, faults,
the cap. They are decided in blocks of the size that scoring has, on threads; a few are decided one
by one first, and must come out the same. Target: a million in 10 s on two cores.
"""

import argparse
import statistics
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa

from relimit.features import catalogue
from relimit.policy import Cases, Facts, decide, load_policy

TARGET_SECONDS = 10.0
MILLION = 1_000_000
BLOCK = 20_000
CHECKED = 50
NOON = 1_772_338_800_000_000


def main() -> int:
    """Print the seconds a million decisions take; 1 if the target is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=MILLION)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    policy = load_policy()
    blocks = [make_cases(BLOCK, seed) for seed in range(max(1, given.cases // BLOCK))]
    check_one_by_one(blocks[0])

    def work(cases: Cases) -> pa.Table:
        return decide(policy, cases).to_table()

    walls, processor = [], []
    for _ in range(given.runs):
        wall, cpu = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(given.workers) as pool:
            tables = list(pool.map(work, blocks))
        walls.append(time.perf_counter() - wall)
        processor.append(time.process_time() - cpu)
    decided = pa.concat_tables(tables)
    share = MILLION / decided.num_rows
    seconds = statistics.median(walls) * share
    print(f"{decided.num_rows:,} decisions on {given.workers} threads, median of {given.runs} runs")
    for status in decided["status"].combine_chunks().value_counts().to_pylist():
        print(f"  {status['values']:9} {status['counts'] / decided.num_rows:6.1%}")
    met = "met" if seconds <= TARGET_SECONDS else "MISSED"
    print(
        f"  a million: {seconds:.1f} s, {statistics.median(processor) * share:.1f} CPU s; ", end=""
    )
    print(f"target {TARGET_SECONDS:.0f} s {met}")
    return int(seconds > TARGET_SECONDS)


def make_cases(size: int, seed: int) -> Cases:
    """Return made-up prepayments: most borrowers untroubled, some with each trouble."""
    rng = np.random.default_rng(seed)
    names = tuple(feature.name for feature in catalogue())
    freed = rng.integers(1_000, 3_000_000, size)

    def some(share: float, low: int, high: int) -> np.ndarray:
        return np.where(rng.random(size) < share, rng.integers(low, high, size), 0)

    facts = Facts(
        overdue=some(0.05, 100, 500_000),
        days_past_due=some(0.05, 1, 60),
        unsettled_interest=some(0.1, 100, 20_000),
        identity_changes=some(0.02, 1, 4),
        login_failures=some(0.05, 1, 6),
        limit=freed + rng.integers(0, 18_000_000, size),
        has_limit=np.ones(size, bool),
        outstanding=some(0.5, 100, 1_000_000),
        returned_payments=some(0.05, 1, 3),
        days_since_returned=rng.uniform(1, 365, size),
        prepayment_age_days=rng.uniform(0, 1, size),
        outage_minutes=some(0.03, 1, 300),
        last_due=np.datetime64("2026-02-02", "D") + some(1, 0, 28).astype("timedelta64[D]"),
        next_due=np.datetime64("2026-03-02", "D") + some(1, 0, 28).astype("timedelta64[D]"),
        cycles=some(0.3, 1, 9),
        cycles_until=np.datetime64("2026-03-02", "D") + some(1, 0, 90).astype("timedelta64[D]"),
        days_since_draw=rng.uniform(0, 200, size),
        lender_inflow=some(0.1, 1, 5_000_000),
        score_drop=np.where(rng.random(size) < 0.5, rng.uniform(0, 80, size), np.nan),
        overdues=some(0.1, 1, 4),
    )
    risk = rng.beta(0.6, 6.0, size)
    return Cases(
        decision_id=[f"{seed}-{place}" for place in range(size)],
        account_id=np.arange(size) + seed * size,
        as_of=NOON + rng.integers(0, 86_400_000_000, size),
        prepaid=freed,
        freed=freed,
        risk=risk,
        expected_loss=risk * rng.uniform(0.2, 1.0, size) * freed,
        facts=facts,
        contributions=rng.normal(0.0, 0.2, (size, len(names))),
        feature_names=names,
        model_version="made-up",
    )


def check_one_by_one(cases: Cases) -> None:
    """Stop if a case alone is decided otherwise than among the rest."""
    policy = load_policy()
    whole = decide(policy, cases).to_table()
    for place in range(CHECKED):
        alone = decide(policy, cases.take(np.array([place]))).to_table()
        if not alone.equals(whole.slice(place, 1)):
            sys.exit(f"case {place} alone is decided otherwise than in its block")


if __name__ == "__main__":
    sys.exit(main())
