"""What is left of the gap between a policy and whoever knows what every arm will bring."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import roc_auc_score

from relimit.data.schema import oracle_schema
from relimit.data.simulator.branches import play_out
from relimit.data.simulator.pool import in_order
from relimit.data.simulator.sampling import Sample as Drawn
from relimit.data.simulator.world import World
from relimit.data.tables import read_parquet, write_parquet
from relimit.data.vocabulary import ARMS
from relimit.policy import Policy, Sample, Worth, optimise_tiers
from relimit.policy.knapsack import choose_arms
from relimit.training.arm_outcomes import ArmOutcomes
from relimit.training.guards import FULL
from relimit.training.logged_book import LoggedBook
from relimit.training.night_worth import tier_arm, worth_over_nights
from relimit.training.optimum import logged_worth

Floats = NDArray[np.float64]

REPLAYS = 100
"""Futures of each arm: of 20 it is mostly luck who has a bad one, and an oracle would know it."""
TOGETHER = 64
DRAWS = 200
FACTORS = np.geomspace(0.2, 5.0, 101)
SHARES_OF_ARMS = np.array([share for share, _ in ARMS])


@dataclass(frozen=True)
class Truth:
    """The played-out decisions of a book, `[n, 25]`: probability of bad, and money as expected.

    `severity` `[n]` is what part of a limit restored in full is lost if the borrower goes bad.
    """

    rows: NDArray[np.int64]
    outcomes: ArmOutcomes
    severity: Floats


def severity_of(rows: pd.DataFrame, freed: Floats, limit: Floats) -> Floats:
    """Return `[n, 25]` what part of freed limits is lost by arm if the borrowers go bad.

    By the share restored and the part of the limit that was freed: who frees little can lose little
    of it. From lived decisions: the sampled ones' own bads are some thirty, those of a world
    hundreds.
    """
    rows = rows[rows["bad"].astype(bool) & (rows["share"] > 0)]
    lived = rows[["share", "freed", "limit", "loss"]].to_numpy(float).T
    share, its, line, loss = lived
    fitted = PoissonRegressor(alpha=1e-6, max_iter=1_000)
    fitted.fit(_shape(share, its / line), loss / its, sample_weight=its / its.mean())
    severity = np.zeros((len(freed), len(ARMS)))
    for arm in np.flatnonzero(SHARES_OF_ARMS):
        share = np.full(len(freed), SHARES_OF_ARMS[arm])
        severity[:, arm] = fitted.predict(_shape(share, freed / limit))
    return np.minimum(severity, 1.0)


def _shape(share: Floats, part: Floats) -> Floats:
    """Return `[n, 3]` logs of shares and of parts of the limit, and their product."""
    logs = np.log(np.column_stack([share, np.minimum(part, 1.0)]))
    return np.column_stack([logs, logs.prod(axis=1)])


def play_sample(world: World, log: pa.Table, size: int, out: Path) -> None:
    """Write every arm of so many decisions of a world, played out `REPLAYS` times."""
    drawn = Drawn(world, size)
    drawn.offer(log)
    cases = drawn.chosen()
    starts = range(0, len(cases.day), TOGETHER)
    calls = ((world, cases.part(first, first + TOGETHER), REPLAYS) for first in starts)
    write_parquet(pa.concat_tables(in_order(play_out, calls, 2)), out)


def truth_of(played: Path, logged: LoggedBook, lived: pd.DataFrame) -> Truth:
    """Return what every arm of the sampled decisions brings, as far as their replays tell.

    Loss is the probability times the severity that `lived` decisions show, margin the arm's mean
    gain for a yuan freed.
    """
    table = read_parquet(played, oracle_schema(), table="oracle")
    n = table.num_rows // len(ARMS)
    place = pd.Index(logged.decision_id).get_indexer(table["decision_id"].to_numpy()[:: len(ARMS)])
    found = place >= 0
    margin, p = (
        table[name].to_numpy().astype(float).reshape(n, len(ARMS))[found]
        for name in ("margin", "p_bad")
    )
    rows = place[found]
    freed = logged.freed[rows].astype(float)
    gain = (margin - margin[:, [0]]).sum(axis=0) / freed.sum()
    money = freed[:, None]
    limits = lived.drop_duplicates("decision_id").set_index("decision_id")["limit"]
    limit = limits.loc[logged.decision_id[rows]].to_numpy(float)
    severity = severity_of(lived, freed, limit)
    return Truth(rows, ArmOutcomes(p, p * severity * money, gain * money, 0), severity[:, FULL])


def sampled_part(logged: LoggedBook, truth: Truth) -> LoggedBook:
    """Return the sampled rows of a book, with the truth in place of estimates."""
    rows = truth.rows
    signals = logged.signals
    return replace(
        logged,
        freed=logged.freed[rows],
        arm=logged.arm[rows],
        situation=logged.situation.take(rows),
        signals=replace(
            signals, closed=signals.closed[rows], expected_loss=signals.expected_loss[rows]
        ),
        outcomes=truth.outcomes,
        lines=None,
    )


@dataclass(frozen=True)
class Gap:
    """Net yuan of the sampled decisions, from the incumbent's to the oracle's.

    Attributes
    ----------
    incumbent, policy, oracle
        What each comes to.
    low, high
        95% limits of the part that the policy captures, over sampled decisions.
    loss
        The policy's loss on the sample over the incumbent's.
    steps
        What would come of it with one obstacle after another taken away.
    """

    incumbent: float
    policy: float
    oracle: float
    low: float
    high: float
    loss: float
    steps: dict[str, float]

    def part(self, net: float) -> float:
        """Return how much of the gap a net value captures."""
        return (net - self.incumbent) / (self.oracle - self.incumbent)


@dataclass(frozen=True)
class Judged:
    """Sampled decisions under a policy, at the loss that the incumbent had on them."""

    policy: Policy
    part: LoggedBook

    @property
    def rows(self) -> NDArray[np.int64]:
        """Places of the decisions."""
        return np.arange(len(self.part))

    @property
    def own(self) -> Worth:
        """Worth of every arm, no rule in its way."""
        return logged_worth(self.policy, self.part)

    @property
    def budget(self) -> float:
        """The incumbent's loss."""
        return float(self.own.loss[self.rows, self.part.arm].sum())

    def best(self, worth: Worth, ratio: Floats) -> float:
        """Return what the best tiers on a ratio are worth."""
        sample = Sample(np.minimum(ratio, 1.0), self.part.freed, worth)
        freed = float(self.part.freed.sum())
        return optimise_tiers(self.policy, sample, budget=self.budget / freed).value * freed

    def at_the_budget(self) -> float:
        """Return what the policy's tiers are worth, all bounds moved by one factor to the budget.

        How risky a sample is by chance is so told apart from how well the tiers rank it.
        """
        found = -np.inf
        for factor in FACTORS:
            moved = scored_as(self.part, factor)
            worth, arm = worth_over_nights(self.policy, moved), tier_arm(self.policy, moved)
            if worth.loss[self.rows, arm].sum() <= self.budget:
                found = max(found, float(worth.net(self.policy)[self.rows, arm].sum()))
        return found


def gap_of(policy: Policy, logged: LoggedBook, truth: Truth, ratios: Mapping[str, Floats]) -> Gap:
    """Return what the policy captures, and would with one obstacle after another taken away.

    The tiers of a step are chosen with the truth of the very decisions that they are judged on, so
    that they flatter: no policy of that kind can do better on the first night. What a better score
    brings on later nights is in the policy's own figures alone.

    Parameters
    ----------
    ratios
        By name, `[sampled]` loss ratios by which tiers could tell the decisions apart.
    """
    judged = Judged(policy, sampled_part(logged, truth))
    part, own = judged.part, judged.own
    gated = worth_over_nights(policy, part)
    freely = worth_over_nights(policy, ungated(part))
    once = replace(policy, service=replace(policy.service, better_by=1e9))
    held, free = worth_over_nights(once, part), worth_over_nights(once, ungated(part))
    arm = tier_arm(policy, part)
    net, ours = own.net(policy), gated.net(policy)[judged.rows, arm]
    steps = {
        "the same tiers, bounds moved to the incumbent's loss here": judged.at_the_budget(),
        "the same tiers, no gate and no clearing": freely.net(policy)[judged.rows, arm].sum(),
    }
    for name, ratio in ratios.items():
        steps[f"best tiers by {name}, with gates"] = judged.best(held, ratio)
        steps[f"best tiers by {name}, without"] = judged.best(free, ratio)
    steps["any arms that the gates leave"] = choose_arms(
        held.net(policy), held.loss, judged.budget
    ).bound
    ends = (net[judged.rows, part.arm], ours)
    low, high = _limits(*ends, net, own.loss, own.loss[judged.rows, part.arm])
    return Gap(
        incumbent=float(ends[0].sum()),
        policy=float(ours.sum()),
        oracle=float(net[judged.rows, choose_arms(net, own.loss, judged.budget).arm].sum()),
        low=low,
        high=high,
        loss=float(gated.loss[judged.rows, arm].sum()) / judged.budget,
        steps=steps,
    )


def _limits(
    incumbent: Floats, ours: Floats, net: Floats, loss: Floats, spent: Floats
) -> tuple[float, float]:
    """Return the 95% limits of the part captured, decisions drawn anew."""
    rng = np.random.default_rng(0)
    parts = []
    for _ in range(DRAWS):
        rows = rng.integers(0, len(net), len(net))
        arm = choose_arms(net[rows], loss[rows], float(spent[rows].sum())).arm
        oracle = net[rows, arm].sum()
        parts.append((ours[rows].sum() - incumbent[rows].sum()) / (oracle - incumbent[rows].sum()))
    low, high = np.quantile(parts, [0.025, 0.975])
    return float(low), float(high)


def scored_as(book: LoggedBook, factor: float) -> LoggedBook:
    """Return the book with every night's loss ratio times a factor."""
    situation, signals = book.situation, book.signals
    return replace(
        book,
        situation=replace(situation, loss_ratio=situation.loss_ratio * factor),
        signals=replace(signals, expected_loss=signals.expected_loss * factor),
    )


def ungated(book: LoggedBook) -> LoggedBook:
    """Return the book as if no gate were ever closed and nothing had to clear."""
    situation = book.situation
    none = np.zeros(len(book), np.int64)
    opened = replace(
        situation,
        closed=np.zeros_like(situation.closed),
        clearing_days=none,
        fault_days=none,
        room=situation.freed,
    )
    signals = replace(book.signals, closed=np.zeros_like(book.signals.closed))
    return replace(book, situation=opened, signals=signals)


def ranking(logged: LoggedBook, truth: Truth, ratios: Mapping[str, Floats]) -> str:
    """Return how well ratios rank the sampled decisions: yuan that would be lost above the rest."""
    lost, freed = truth.outcomes.loss[:, FULL], logged.freed[truth.rows]
    said = np.repeat([1, 0], len(lost))
    weight = np.concatenate([lost, freed - lost])
    aucs = (
        f"{name} {roc_auc_score(said, np.tile(ratio, 2), sample_weight=weight):.3f}"
        for name, ratio in ratios.items()
    )
    return f"AUC by yuan lost of {', of '.join(aucs)}"
