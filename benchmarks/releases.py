"""How often a promised limit swings from night to night, with and without what earlier nights said.

    python benchmarks/releases.py [--accounts N] [--nights N] [--seed N]

A model is trained on a simulated book. The prepayments of its last months are decided, and then
decided again on every later night on what was known by then: once afresh, as if nobody had been
told anything, and once by `decide_again`, which keeps what was promised. A flip is a night on which
what is back or promised falls below what the night before had said; a contradiction is a flip
without a gate that has closed. Target: no contradiction, and each yuan given back once.
"""

import argparse
import sys
import tempfile
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from relimit.data import Book, Prepayments, read_parquet
from relimit.data.events import EventBlock
from relimit.data.observe import observe
from relimit.data.prepayments import find_prepayments
from relimit.data.schema import decisions_log_schema
from relimit.data.simulator import simulate
from relimit.data.stream import iter_event_blocks
from relimit.data.times import microseconds
from relimit.data.vocabulary import MICROSECONDS_PER_DAY
from relimit.models import RiskModel
from relimit.policy import Decisions, Earlier, decide, load_policy
from relimit.policy.gates import closed_gates
from relimit.serving.scorer import Scorer
from relimit.training.dataset import read_training_data
from relimit.training.fit import fit_model

Ints = NDArray[np.int64]
WHOLE_BOOK = 10**9


def main() -> int:
    """Print flips a hundred decisions, contradictions and money; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=6_000)
    parser.add_argument("--nights", type=int, default=45)
    parser.add_argument("--seed", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "book"
        simulate(folder, accounts=given.accounts, months=24, seed=given.seed)
        book = Book.open(folder)
        scorer = Scorer(trained(book), load_policy())
        (block,) = iter_event_blocks(book.events, rows=WHOLE_BOOK)
        last = microseconds(book.as_of - timedelta(days=given.nights + 1))
        found = find_prepayments(block, last - 60 * MICROSECONDS_PER_DAY, last)
    return report(scorer, block, found, given.nights)


def trained(book: Book) -> RiskModel:
    """Return a model of the book's own log."""
    log = read_parquet(book.decisions, decisions_log_schema(), table="decisions")
    observations = observe(book.events, decisions=log, as_of=book.as_of)
    data = read_training_data(book.events, observations, progress=lambda _: None)
    return fit_model("lightgbm", data.X, data.names, data.labelled, data.split).model


def report(scorer: Scorer, block: EventBlock, found: Prepayments, nights: int) -> int:
    """Decide the same prepayments night after night, both ways."""
    first = scorer.decide_block(block, found)
    earlier = Earlier.from_decisions(first.to_table())
    told, afresh = committed(first), committed(first)
    given_back = first.timetable.restore_now.copy()
    kept, loose, contradictions = np.zeros(len(found), int), np.zeros(len(found), int), 0
    for night in range(1, nights + 1):
        tonight = replace(found, as_of=found.as_of + night * MICROSECONDS_PER_DAY)
        cases = scorer.cases_of(block, tonight)
        again = scorer.decide_again(block, tonight, earlier)
        now = given_back + committed(again)
        fell = now < told
        kept += fell
        contradictions += int((fell & ~closed_gates(scorer.policy, cases.facts).any(axis=1)).sum())
        given_back += again.timetable.restore_now
        earlier, told = earlier.then(again), now
        anew = committed(decide(scorer.policy, cases))
        loose += anew < afresh
        afresh = anew
    print(f"{len(found):,} prepayments, {nights} nights each")
    for label, flips in (("afresh every night", loose), ("with what was said", kept)):
        rate = 100 * flips.sum() / len(found)
        print(
            f"  {label}: {rate:.1f} flips a hundred decisions, {np.mean(flips > 0):.1%} ever flip"
        )
    whole = (given_back <= found.freed).all()
    print(f"  promises broken without a closed gate: {contradictions}")
    print(f"  given back {given_back.sum() / found.freed.sum():.1%} of what was freed, ", end="")
    print("no yuan twice" if whole else "MORE THAN WAS FREED")
    return int(contradictions > 0 or not whole)


def committed(decisions: Decisions) -> Ints:
    """Return fen that a decision gives back tonight or promises."""
    timetable = decisions.timetable
    return np.asarray(timetable.restore_now + timetable.restore_later)


if __name__ == "__main__":
    sys.exit(main())
