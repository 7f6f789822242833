"""How often a promised limit swings from night to night, with and without what earlier nights said.

    python benchmarks/releases.py [--accounts N] [--nights N] [--seed N]

A model is trained on a simulated book. The prepayments of its last months are decided, and then
decided again on every later night on what was known by then: once afresh, as if nobody had been
told anything, and once by `decide_again`, which keeps what was promised. A flip is a night on which
what is back or promised falls below what the night before had said, a rise one on which it is more;
a contradiction is a flip without a gate that has closed.

Then the same nights again with nothing but noise in the score, so that what comes back by chance
shows: the expected loss of the first night is multiplied, night by night, by a factor from 1 / (1 +
`service.better_by`) to its inverse. Targets: no contradiction, each yuan given back once, fewer
rises and flips than afresh, and nothing more or less by noise.
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
from relimit.policy import Decisions, Earlier, decide, decide_again, load_policy
from relimit.policy.gates import closed_gates
from relimit.serving.scorer import Scorer
from relimit.training.dataset import read_training_data
from relimit.training.fit import fit_model

Ints = NDArray[np.int64]
WHOLE_BOOK = 10**9


def main() -> int:
    """Print flips a hundred decisions, contradictions and money; 1 if a promise was broken."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=3_000)
    parser.add_argument("--nights", type=int, default=20)
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
    assert book.decisions is not None
    log = read_parquet(book.decisions, decisions_log_schema(), table="decisions")
    observations = observe(book.events, decisions=log, as_of=book.as_of)
    data = read_training_data(book.events, observations, progress=lambda _: None)
    return fit_model("lightgbm", data.X, data.names, data.labelled, data.split).model


def report(scorer: Scorer, block: EventBlock, found: Prepayments, nights: int) -> int:
    """Decide the same prepayments night after night, both ways."""
    first = scorer.decide_block(block, found)
    earlier = Earlier.from_decisions(first.to_table())
    kept, loose = Swings(committed(first)), Swings(committed(first))
    given_back, contradictions = first.timetable.restore_now.copy(), 0
    for night in range(1, nights + 1):
        tonight = replace(found, as_of=found.as_of + night * MICROSECONDS_PER_DAY)
        cases = scorer.cases_of(block, tonight, again=True)
        again = scorer.decide_again(block, tonight, earlier)
        fell = kept.take(given_back + committed(again))
        contradictions += int((fell & ~closed_gates(scorer.policy, cases.facts).any(axis=1)).sum())
        given_back += again.timetable.restore_now
        earlier = earlier.then(again)
        loose.take(committed(decide(scorer.policy, cases)))
    print(f"{len(found):,} prepayments, {nights} nights each")
    loose.tell("afresh every night")
    kept.tell("with what was said")
    by_noise = noisy(scorer, block, found, nights)
    by_noise.tell("with what was said, and noise alone")
    fewer = kept.rises + kept.flips <= loose.rises + loose.flips
    whole = bool((given_back <= found.freed).all())
    print(f"  given back {given_back.sum() / found.freed.sum():.1%} of what was freed")
    met = [
        target(f"promises broken without a closed gate: {contradictions}", contradictions == 0),
        target("no yuan is given back twice", whole),
        target("fewer rises and flips than afresh", fewer),
        target("noise alone moves nothing", by_noise.rises == by_noise.flips == 0),
    ]
    return int(not all(met))


def target(words: str, met: bool) -> bool:
    """Print a target as met or missed."""
    print(f"  {'met   ' if met else 'MISSED'}  {words}")
    return met


class Swings:
    """Counts the nights on which what is back or promised rises, and on which it falls."""

    def __init__(self, first: Ints) -> None:
        self.first = self.told = first
        self.rises = self.flips = 0
        self.ever = np.zeros(len(first), bool)

    def take(self, now: Ints) -> NDArray[np.bool_]:
        """Count one night more, and return where it is less than was told."""
        fell: NDArray[np.bool_] = now < self.told
        self.flips += int(fell.sum())
        self.rises += int((now > self.told).sum())
        self.ever |= fell
        self.told = now
        return fell

    def tell(self, label: str) -> None:
        """Print the counts, and how much more is told than on the first night."""
        hundred = 100 / len(self.first)
        more = self.told.sum() / max(self.first.sum(), 1) - 1
        print(
            f"  {label}: {self.flips * hundred:.1f} flips and {self.rises * hundred:.1f} rises a "
            f"hundred decisions, {self.ever.mean():.1%} ever flip; at the end {more:+.1%} of what "
            "was told at first"
        )


def noisy(scorer: Scorer, block: EventBlock, found: Prepayments, nights: int) -> Swings:
    """Decide night after night on what was known at first, but for noise in the expected loss."""
    cases = scorer.cases_of(block, found, again=True)
    facts = replace(cases.facts, next_due=np.full(len(found), np.datetime64("NaT", "D")))
    cases = replace(cases, facts=facts)
    first = decide(scorer.policy, cases)
    earlier, swings = Earlier.from_decisions(first.to_table()), Swings(committed(first))
    given_back, rng = first.timetable.restore_now.copy(), np.random.default_rng(0)
    widest = np.log1p(scorer.policy.service.better_by)
    for night in range(1, nights + 1):
        factor = np.exp(rng.uniform(-widest, widest, len(found)))
        older = replace(facts, days_since_returned=facts.days_since_returned + night)
        tonight = replace(
            cases,
            facts=older,
            as_of=found.as_of + night * MICROSECONDS_PER_DAY,
            expected_loss=cases.expected_loss * factor,
        )
        again = decide_again(scorer.policy, tonight, earlier)
        swings.take(given_back + committed(again))
        given_back += again.timetable.restore_now
        earlier = earlier.then(again)
    return swings


def committed(decisions: Decisions) -> Ints:
    """Return fen that a decision gives back tonight or promises."""
    timetable = decisions.timetable
    return np.asarray(timetable.restore_now + timetable.restore_later)


if __name__ == "__main__":
    sys.exit(main())
