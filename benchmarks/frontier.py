"""What an optimised policy is worth in a world that it was not found in, lived anew under it.

    python benchmarks/frontier.py [--accounts 12000] [--learn 30000] [--hold-out account]
        [--oracle 300] [--tables 60000] [--budget RATE]

A model is trained and the tiers of `relimit policy optimise` are found on one simulated book, at
its incumbent's loss. Another seed's world is then lived twice: under the incumbent, and under the
optimised policy, which decides again on later nights what it withheld, until its review. What
returned is read from the `restored` events of the 45 days after a decision, the loss from what
happened. A sample of the incumbent's decisions has every arm played out, a hundred times each:
there the optimised policy is held against the best arms that somebody could choose who knows each
arm's probability of bad, at the incumbent's loss (margins as the sample's averages by arm,
severities by share and by part of the limit freed, as the bads of both lived worlds show).

What a budget spends is known afterwards alone, so that the tiers of the budget that would have
spent the incumbent's loss are lived as well: what they restore is printed beside, and decides
nothing.

Who learns sees the tables alone. A 30-month book loses most of its bads to a split in time, so that
accounts are held out here. `--tables` says how far that could be taken: what tiers would capture by
risk learnt from all decisions of a far larger third world, chosen with the truth at hand, which
flatters.

Prints every target as met or MISSED, what the rest of the gap to the oracle is made of, what
borrowers wait for, and exits 1 if a target is missed.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from _frontier_gap import Gap, Truth, gap_of, play_sample, ranking, truth_of
from _frontier_lived import (
    InHindsight,
    Lived,
    later,
    lived,
    log_of,
    loss_ratio_interval,
    of_the_incumbents,
    waits,
)
from _frontier_tables import learn_from_tables, risk_by_tables
from numpy.typing import NDArray

from relimit.data import Book, observe
from relimit.data.simulator import simulate
from relimit.data.simulator.oracle import read_latent_types
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world
from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.models import RiskModel, load_model
from relimit.policy import Policy, load_policy
from relimit.serving.candidate import CandidatePolicy
from relimit.serving.scorer import Scorer
from relimit.training import resolve_model, train
from relimit.training.figures import figures_of
from relimit.training.gate_costs import gate_costs
from relimit.training.guards import FULL
from relimit.training.logged_book import LoggedBook, read_logged_book
from relimit.training.optimum import logged_worth
from relimit.training.settle import Settled, settle
from relimit.training.splits import HoldOut

Floats = NDArray[np.float64]

MONTHS = 30
NIGHTS = (1, 2, 3, 5, 7, 10, 14, 21, 30, 44)
LIQUIDITY = "cycler"
PLAYED = "played.parquet"


def trained(book: Path, folder: Path, hold_out: HoldOut) -> RiskModel:
    """Train on a book as `relimit train` does, and load what was registered."""
    uri = f"sqlite:///{folder / 'mlflow.db'}"
    opened = Book.open(book)
    observations = observe(opened.events, decisions=log_of(book), as_of=opened.as_of)
    result = train(opened.events, observations, "lightgbm", tracking_uri=uri, hold_out=hold_out)
    artifact, digest = resolve_model(result.model_uri, uri)
    return load_model(artifact, digest=digest)


def given_policy(tolerance: int | None) -> Policy:
    """Return the packaged policy, its gate on interest opened to so many yuan if that is asked."""
    policy = load_policy()
    if tolerance is None:
        return policy
    gates = replace(policy.gates, unsettled_interest=tolerance * FEN_PER_YUAN)
    return replace(policy, gates=gates)


@dataclass(frozen=True)
class Found:
    """The tiers that `relimit policy optimise` finds in a book, its frontier left out."""

    book: LoggedBook
    best: Settled
    budget: float


def optimised(policy: Policy, model: RiskModel, book: Path, budget: float | None) -> Found:
    """Optimise a policy at a loss budget, or at the loss that the incumbent's log had."""
    logged = read_logged_book(book / "events.parquet", log_of(book), model, policy)
    worth = logged_worth(policy, logged)
    incumbent = figures_of(policy, worth, logged.freed, logged.arm).loss_rate
    rate = incumbent if budget is None else budget
    return Found(logged, settled(policy, logged, rate), rate)


def settled(policy: Policy, logged: LoggedBook, rate: float) -> Settled:
    """Return the tiers that are found in a book at a loss budget."""
    value = replace(policy.stated_value, loss_budget=rate)
    return settle(replace(policy, value=value), logged, rate)


def line(text: str, met: bool) -> bool:
    """Print a target and whether it was met."""
    print(f"{'met   ' if met else 'MISSED'}  {text}")
    return met


def verdicts(ours: Lived, theirs: Lived, gap: Gap, hindsight: InHindsight) -> bool:
    """Print every target; return whether all were met."""
    loss, more = of_the_incumbents(ours, theirs)
    low, high = loss_ratio_interval(ours, theirs)
    said = [
        line(
            f"loss / freed at most the incumbent's: x{loss:.2f} ({low:.2f} to {high:.2f})",
            loss <= 1,
        ),
        line(f"yuan restored at least x1.25: x{more:.3f}", more >= 1.25),
        line(
            f"mean days to restore halved: {theirs.days:.2f} to {ours.days:.2f}",
            ours.days <= theirs.days / 2,
        ),
    ]
    print(
        f"        in hindsight, at a budget of {hindsight.budget:.3%}: loss x{hindsight.loss:.2f}, "
        f"yuan x{hindsight.yuan:.3f}"
    )
    print(f"        {waits(ours)}")
    print(f"        {later(ours)}")
    part = gap.part(gap.policy)
    about = f"{gap.low:.0%} to {gap.high:.0%}, at x{gap.loss:.2f} of the incumbent's loss there"
    text = f"at least 80% of the gap to the oracle: {part:.0%} ({about})"
    said.append(line(text, part >= 0.8))
    for step, net in gap.steps.items():
        print(f"        {gap.part(net):>6.0%}  {step}")
    mine, its = ours.of_type(LIQUIDITY), theirs.of_type(LIQUIDITY)
    rises = mine.share > its.share and mine.loss_rate <= its.loss_rate
    shares = f"{its.share:.1%} to {mine.share:.1%}"
    low, high = loss_ratio_interval(mine, its)
    change = f"x{mine.loss_rate / its.loss_rate:.2f}, {low:.2f} to {high:.2f}"
    losses = f"loss / freed {its.loss_rate:.3%} to {mine.loss_rate:.3%} ({change})"
    text = f"liquidity cyclers' share rises without more loss: {shares}, {losses}"
    said.append(line(text, rises))
    return all(said)


def ratios_of(logged: LoggedBook, truth: Truth) -> dict[str, Floats]:
    """Return `[sampled]` loss ratios by which tiers could tell the sampled decisions apart."""
    freed = logged.freed[truth.rows]
    return {
        "the model's loss ratio": logged.situation.loss_ratio[truth.rows],
        "that learnt on this world's own log": logged.outcomes.loss[truth.rows, FULL] / freed,
        "the true loss ratio": truth.outcomes.loss[:, FULL] / freed,
    }


def report(name: str, world: Lived) -> None:
    """Print what came of a world."""
    print(
        f"{name:<11}{world.total('freed'):>16,.0f}{world.total('back'):>16,.0f}{world.share:>8.1%}"
        f"{world.days:>8.2f}{world.loss_rate:>10.3%}{world.total('loss'):>13,.0f}"
        f"{world.total('margin'):>14,.0f}"
    )


def print_found(found: Found, given: argparse.Namespace) -> None:
    """Print tiers, what gates cost, and what more loss would be worth."""
    best = found.best
    for warning in found.book.warnings:
        print(warning)
    print(
        f"learnt from {given.learn:,} accounts, held out by {given.hold_out}, tiers found on "
        f"{len(found.book):,} decisions"
    )
    for tier in best.policy.tiers:
        print(f"up to {tier.up_to:.2%}: {tier.share:.0%} after {tier.delay_days} days")
    for gate in gate_costs(best.policy, best.book):
        print(
            f"gate {gate.gate}: holds {gate.part:.1%}, expected loss {gate.loss_rate:.2%} beside "
            f"{gate.loss_rate_elsewhere:.2%} elsewhere, costs {gate.net_yuan:,.0f} yuan net"
        )
    figures = best.figures
    print(
        f"expected: share {figures.share:.1%}, loss {figures.loss_rate:.3%} of {found.budget:.3%}"
    )
    print(f"shadow price of the loss budget {best.found.shadow_price:.2f}\n")


def run(folder: Path, given: argparse.Namespace) -> bool:
    """Optimise on one book and judge on another seed's world."""
    lived_in = {"accounts": given.accounts, "months": MONTHS, "seed": given.seed + 1}
    learn, judge, again = folder / "learn", folder / "judge", folder / "again"
    start = time.perf_counter()

    def done(what: str) -> None:
        print(f"[{time.perf_counter() - start:5.0f} s] {what}", file=sys.stderr, flush=True)

    if not (learn / "book.json").exists():
        simulate(learn, accounts=given.learn, months=MONTHS, seed=given.seed)
    if not (judge / PLAYED).exists():
        simulate(judge, **lived_in, oracle=1)  # with the latent types, which come with any oracle
        world = make_world(MONTHS, given.seed + 1, load_settings("base"))
        play_sample(world, log_of(judge), given.oracle, judge / PLAYED)
    done("two worlds lived under the incumbent")
    model = trained(learn, folder, given.hold_out)
    found = optimised(given_policy(given.tolerance), model, learn, given.budget)
    done("trained and optimised")
    policy = found.best.policy
    types = read_latent_types(judge)
    days = policy.service.review_days

    def lived_under(tiers: Policy, world: Path) -> Lived:
        simulate(world, **lived_in, policy=CandidatePolicy(Scorer(model, tiers), NIGHTS))
        return lived(world, types, days)

    theirs, ours = lived(judge, types, days), lived_under(policy, again)
    done("the second world lived anew")
    budget = found.budget * theirs.loss_rate / ours.loss_rate
    other = lived_under(settled(policy, found.book, budget).policy, folder / "hindsight")
    hindsight = InHindsight(budget, *of_the_incumbents(other, theirs))
    done("and once more at another budget")
    print_found(found, given)
    heads = [("yuan", -11), ("freed", 16), ("restored", 16), ("share", 8), ("days", 8)]
    heads += [("loss rate", 10), ("loss", 13), ("margin", 14)]
    print("".join(f"{name:<11}" if width < 0 else f"{name:>{width}}" for name, width in heads))
    report("incumbent", theirs)
    report("optimised", ours)
    logged = read_logged_book(judge / "events.parquet", log_of(judge), model, policy, all_rows=True)
    truth = truth_of(judge / PLAYED, logged, pd.concat([theirs.rows, ours.rows]))
    ratios = ratios_of(logged, truth)
    if given.tables:
        trees = learn_from_tables(folder / "tables", given.tables, MONTHS, given.seed + 2)
        ids = pd.Index(log_of(judge)["decision_id"].to_numpy())
        sampled = log_of(judge).take(ids.get_indexer(logged.decision_id[truth.rows]))
        told = risk_by_tables(trees, judge, sampled) * truth.severity
        ratios[f"that learnt from {given.tables:,} accounts"] = told
    print(ranking(logged, truth, ratios))
    gap = gap_of(policy, logged, truth, ratios)
    done("held against the oracle")
    print()
    return verdicts(ours, theirs, gap, hindsight)


def main() -> None:
    """Run in a folder that is kept, or in one that goes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--accounts", type=int, default=12_000)
    parser.add_argument(
        "--learn", type=int, default=30_000, help="accounts of the book that is learnt from"
    )
    parser.add_argument("--hold-out", choices=("time", "account"), default="account")
    parser.add_argument("--oracle", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument(
        "--tables",
        type=int,
        default=0,
        help="accounts of a third world; what risk learnt from all of them would capture",
    )
    parser.add_argument("--budget", type=float, help="loss over freed; default: the incumbent's")
    parser.add_argument(
        "--tolerance", type=int, help="yuan of unsettled interest that the gate lets pass"
    )
    parser.add_argument("--keep", type=Path, help="keep the books here, and use those that are")
    given = parser.parse_args()
    if given.keep is not None:
        met = run(given.keep, given)
    else:
        with tempfile.TemporaryDirectory() as name:
            met = run(Path(name), given)
    sys.exit(not met)


if __name__ == "__main__":
    main()
