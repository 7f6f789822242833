"""The simulated world beside its targets, its truth, and what it costs to make.

    python benchmarks/simulator.py [--accounts 20000] [--speed 100000] [--oracle 500]
    python benchmarks/simulator.py --scale [--accounts 1000000]   # the cost alone, and of a tenth

Prints each value beside its target, met or MISSED: the calibration (within 15% of a figure, or in
its range), the events beside what the settings imply, faults and the calendar, what the scenarios
shock and drift do, how well risk can be told from the latent state and from the toolkit's features,
how alike cyclers and stackers look, what restoring causes by type and what a "cycling = bad" rule
would cost, how much of a restored yuan is borrowed again, and the seconds and memory of larger
books. Exits 1 if a target is missed.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import duckdb
from _simulator_borrowing import extra_borrowing
from _simulator_causal import causal
from _simulator_cost import LARGEST, STATED, measured, scale
from _simulator_events import counts, faults, habits
from _simulator_lines import Line, show
from _simulator_scenarios import drifted, shocked
from _simulator_tables import calibration, open_book
from _simulator_truth import truth

from relimit.data.simulator import simulate

MONTHS = 30
ACCOUNTS = 20_000
BORROWING_ACCOUNTS = 5_000
PLAYED_OUT = 500
SEED = 7


def scenario(folder: Path, name: str, accounts: int) -> duckdb.DuckDBPyConnection:
    """Simulate a scenario's book, with the latent types; return its database."""
    simulate(folder / name, accounts=accounts, months=MONTHS, seed=SEED, scenario=name, oracle=1)
    return open_book(folder / name, MONTHS)


def believable(folder: Path, accounts: int, oracle: int) -> list[Line]:
    """Print every comparison of the world with its targets; return its lines."""
    base = scenario(folder, "base", accounts)
    shock, drift = (scenario(folder, name, accounts) for name in ("shock", "drift"))
    book = folder / "base"
    print(f"{accounts:,} accounts x {MONTHS} months, seed {SEED}")
    return [
        *show("calibration", calibration(base, MONTHS)),
        *show("events beside what the settings imply", counts(base)),
        *show("faults", faults(base)),
        *show("habits", habits(base, MONTHS, SEED)),
        *show("shock beside the base, same seed", shocked(base, shock, MONTHS)),
        *show("drift beside the base, same seed", drifted(base, drift, MONTHS)),
        *show("truth", truth(base, book, accounts, MONTHS, SEED)),
        *show("what restoring causes", causal(base, MONTHS, SEED, oracle)),
        *show("extra borrowing", extra_borrowing(BORROWING_ACCOUNTS, MONTHS, SEED)),
    ]


def main() -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, help="20,000; with --scale 1,000,000")
    parser.add_argument(
        "--speed", type=int, default=STATED, help="accounts of the book that is timed; 0 for none"
    )
    parser.add_argument(
        "--oracle", type=int, default=PLAYED_OUT, help="decisions of each type to play out"
    )
    parser.add_argument(
        "--scale", action="store_true", help="only the cost of many accounts and of a tenth"
    )
    asked = parser.parse_args()
    if asked.scale:
        return scale(asked.accounts or LARGEST, MONTHS, SEED)
    lines = measured(MONTHS, asked.speed, SEED) if asked.speed else []
    with tempfile.TemporaryDirectory() as folder:
        lines += believable(Path(folder), asked.accounts or ACCOUNTS, asked.oracle)
    return int(not all(line.met for line in lines))


if __name__ == "__main__":
    sys.exit(main())
