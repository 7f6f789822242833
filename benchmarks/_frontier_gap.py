"""What is left of the gap between a policy and whoever knows what every arm will bring."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import roc_auc_score

from relimit.data.simulator.oracle import read_oracle
from relimit.data.vocabulary import ARMS
from relimit.policy import Policy, Sample, Worth, optimise_tiers
from relimit.policy.knapsack import choose_arms
from relimit.training.arm_outcomes import ArmOutcomes
from relimit.training.logged_book import LoggedBook
from relimit.training.optimum import logged_worth
from relimit.training.settle import FULL
from relimit.training.waiting import tier_arm, worth_over_nights

Floats = NDArray[np.float64]

REPLICATES = 20
SHARES_OF_ARMS = np.array([share for share, _ in ARMS])


@dataclass(frozen=True)
class Truth:
    """The played-out decisions of a book, `[n, 25]`: probability of bad, and money as expected."""

    rows: NDArray[np.int64]
    outcomes: ArmOutcomes


def severity_of(rows: pd.DataFrame) -> Floats:
    """Return `[25]` what part of a freed limit is lost by arm if the borrower goes bad.

    From lived decisions: the sampled ones' own bads are some thirty, those of a world hundreds.
    """
    rows = rows[rows["bad"].astype(bool) & (rows["share"] > 0)]
    freed = rows["freed"].to_numpy(float)
    rate, weight = rows["loss"].to_numpy(float) / freed, freed / freed.mean()
    fitted = PoissonRegressor(alpha=1e-6, max_iter=1_000)
    fitted.fit(np.log(rows[["share"]].to_numpy()), rate, sample_weight=weight)
    return np.exp(fitted.intercept_) * SHARES_OF_ARMS ** fitted.coef_[0]


def truth_of(book: Path, logged: LoggedBook, severity: Floats, *, shrunk: bool) -> Truth:
    """Return what every arm of the sampled decisions brings, as far as twenty replays tell.

    Loss is the probability times the severity, margin the arm's mean gain for a yuan freed. Shrunk:
    the probability is the posterior mean under a beta prior fitted to the sample, so that choosing
    the luckiest of 25 counts gains nothing.
    """
    table = read_oracle(book)
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
    if shrunk:
        mean, spread = p.mean(axis=0), p.var(axis=0)
        size = np.maximum(
            (mean * (1 - mean) - spread) / (spread - mean * (1 - mean) / REPLICATES), 1
        )
        p = (p * REPLICATES + mean * size) / (REPLICATES + size)
    money = freed[:, None]
    return Truth(rows, ArmOutcomes(p, p * severity * money, gain * money, 0))


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
    """Net yuan of the sampled decisions, from the incumbent's to the oracle's."""

    incumbent: float
    policy: float
    oracle: float
    steps: dict[str, float]

    def part(self, net: float) -> float:
        """Return how much of the gap a net value captures."""
        return (net - self.incumbent) / (self.oracle - self.incumbent)


def gap_of(policy: Policy, logged: LoggedBook, truth: Truth) -> Gap:
    """Return what the policy captures, and would with one obstacle after another taken away.

    The tiers of a step are chosen with the truth of the very decisions that they are judged on, so
    that they flatter: no policy of that kind can do better.
    """
    part = sampled_part(logged, truth)
    rows = np.arange(len(part))
    own = logged_worth(policy, part)
    net, budget = own.net(policy), float(own.loss[rows, part.arm].sum())
    free = ungated(part)
    gated, freely = worth_over_nights(policy, part), worth_over_nights(policy, free)
    arm = tier_arm(policy, part)

    def best(worth: Worth, ratio: Floats) -> float:
        sample = Sample(np.minimum(ratio, 1.0), part.freed, worth)
        rate = budget / part.freed.sum()
        return optimise_tiers(policy, sample, budget=rate).value * float(part.freed.sum())

    told, latent = part.situation.loss_ratio, truth.outcomes.loss[:, FULL] / part.freed
    learnt = logged.outcomes.bad[truth.rows, FULL]
    steps = {
        "the same tiers, no gate and no clearing": freely.net(policy)[rows, arm].sum(),
        "best tiers by the model's loss ratio, with gates": best(gated, told),
        "best tiers by the model's loss ratio, without": best(freely, told),
        "best tiers by risk learnt on this world's own log, without": best(freely, learnt),
        "best tiers by the true loss ratio, with gates": best(gated, latent),
        "best tiers by the true loss ratio, without": best(freely, latent),
        "any arms that the gates leave": choose_arms(gated.net(policy), gated.loss, budget).bound,
    }
    oracle = net[rows, choose_arms(net, own.loss, budget).arm].sum()
    ours = gated.net(policy)[rows, arm].sum()
    return Gap(float(net[rows, part.arm].sum()), float(ours), float(oracle), steps)


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


def ranking(logged: LoggedBook, truth: Truth) -> str:
    """Return how well risks rank the sampled decisions' probabilities of bad."""
    p = truth.outcomes.bad[:, FULL]
    said = np.repeat([1, 0], len(p))
    weight = np.concatenate([p, 1 - p])
    aucs = [
        float(roc_auc_score(said, np.tile(score, 2), sample_weight=weight))
        for score in (
            logged.situation.loss_ratio[truth.rows],
            logged.outcomes.bad[truth.rows, FULL],
            p,
        )
    ]
    return (
        f"AUC of the model's loss ratio {aucs[0]:.3f}, of risk learnt on this world's own log "
        f"{aucs[1]:.3f}, of the true probability {aucs[2]:.3f}"
    )
