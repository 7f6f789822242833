"""Counterfactuals: one decision's arm changed, everything else of the world kept.

A branch copies the account as it stands on the morning of the decision, forces one arm, and lives
on under the same random numbers; what differs is what the arm caused. `p_bad` is the share of bad
outcomes among `REPLICATES` further branches whose random numbers are fresh from the next day on, so
its standard error is at most `0.5 / sqrt(REPLICATES)` a decision.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from relimit.data.schema import oracle_schema
from relimit.data.simulator.block import Block
from relimit.data.simulator.population import make_tally
from relimit.data.simulator.recorder import DecisionLog, Recorder
from relimit.data.simulator.state import NEVER, Tally, join, take
from relimit.data.simulator.streams import Bools, Floats, Ints, rekey
from relimit.data.simulator.world import World, step
from relimit.data.vocabulary import ARMS, BAD_HORIZON_DAYS

REPLICATES = 20
EVERY_ARM = range(len(ARMS))
_DAYS_OF_YEAR = 365


@dataclass(frozen=True, slots=True)
class Branched:
    """Decisions to play out, `[decisions]` each, by day; `freed` in fen."""

    decision_id: list[str]
    account_id: Ints
    day: Ints
    freed: Ints

    def part(self, first: int, last: int) -> "Branched":
        """Return the decisions from place `first` to `last` (exclusive)."""
        return Branched(
            self.decision_id[first:last], self.account_id[first:last], self.day[first:last],
            self.freed[first:last],
        )  # fmt: skip


@dataclass(slots=True)
class _Grove:
    """The branches that are alive: a block, and for each row its place in the answer."""

    block: Block
    place: Ints
    last_day: Ints
    limit: Ints


def play_out(
    world: World, cases: Branched, replicates: int = REPLICATES, arms: Sequence[int] = EVERY_ARM
) -> pa.Table:
    """Return the `oracle` rows of some decisions: each under every arm, or under those asked for.

    `arms` are places in `ARMS`; an arm's outcomes don't depend on which others are played.
    """
    accounts, trunk_row = np.unique(cases.account_id, return_inverse=True)
    trunk = _muted(world.block(accounts))
    answer = _Answer(len(cases.day), replicates, arms)
    grove = _Grove(_rows(trunk, np.empty(0, dtype=np.int64)), *[np.empty(0, dtype=np.int64)] * 3)
    for day in range(int(cases.day.max()) + BAD_HORIZON_DAYS + 1):
        decided = np.flatnonzero(cases.day == day)
        if len(decided):
            grove = _plant(grove, trunk, decided, trunk_row[decided], answer, day=day)
        if day < cases.day.max():
            step(trunk, day)
        if len(grove.place):
            step(grove.block, day)
            _begin(grove, day, replicates)
            grove = _harvest(grove, answer, day)
    return answer.table(cases)


def _muted(block: Block) -> Block:
    block.recorder = Recorder(muted=True)
    block.decisions = DecisionLog(muted=True)
    return block


def _rows(block: Block, row: Ints) -> Block:
    return _muted(
        Block(
            settings=block.settings,
            calendar=block.calendar,
            outages=block.outages,
            lender=block.lender,
            people=take(block.people, row),
            standing=take(block.standing, row),
            loans=take(block.loans, row),
            tally=take(block.tally, row),
            pending=block.pending.take(row),
        )
    )


def _plant(
    grove: _Grove, trunk: Block, decided: Ints, row: Ints, answer: "_Answer", *, day: int
) -> _Grove:
    arms, futures = answer.arms, answer.bad.shape[2]
    each = len(arms) * futures
    young = _rows(trunk, np.repeat(row, each))
    young.standing.forced_day[:] = day
    young.standing.forced_arm[:] = np.tile(np.repeat(arms, futures), len(row))
    young.tally = make_tally(len(row) * each)
    place = (decided[:, None] * each + np.arange(each)).reshape(-1)
    old = grove.block
    shift = len(grove.place)
    old.pending.add(
        young.pending.row + shift, young.pending.day, young.pending.ts, young.pending.amount,
        young.pending.decision,
    )  # fmt: skip
    old.people, old.standing = join(old.people, young.people), join(old.standing, young.standing)
    old.loans, old.tally = join(old.loans, young.loans), join(old.tally, young.tally)
    last = np.full(len(place), day + BAD_HORIZON_DAYS)
    return _Grove(
        old,
        np.concatenate([grove.place, place]),
        np.concatenate([grove.last_day, last]),
        np.concatenate([grove.limit, young.standing.limit]),
    )


def _begin(grove: _Grove, day: int, replicates: int) -> None:
    """Let the branches of today's decisions begin: last night's arrears and raise came before."""
    young = np.flatnonzero(grove.last_day == day + BAD_HORIZON_DAYS)
    people, tally = grove.block.people, grove.block.tally
    tally.bad_day[young], tally.bad_balance[young] = NEVER, 0
    grove.limit[young] = grove.block.standing.limit[young]
    people.key[young] = rekey(people.key[young], grove.place[young] % (1 + replicates))


def _harvest(grove: _Grove, answer: "_Answer", day: int) -> _Grove:
    done = grove.last_day == day
    if not done.any():
        return grove
    ripe = np.flatnonzero(done)
    answer.add(grove.place[ripe], take(grove.block.tally, ripe), grove, ripe)
    left = np.flatnonzero(~done)
    return _Grove(
        _rows(grove.block, left), grove.place[left], grove.last_day[left], grove.limit[left]
    )


class _Answer:
    """Outcomes by decision, arm and replicate; replicate 0 is the world's own future."""

    def __init__(self, decisions: int, replicates: int, arms: Sequence[int]) -> None:
        self.arms: Ints = np.asarray(arms, dtype=np.int64)
        shape = (decisions, len(arms), 1 + replicates)
        self.bad: Bools = np.zeros(shape, dtype=bool)
        self.beyond: Ints = np.zeros(shape, dtype=np.int64)
        self.margin: Ints = np.zeros(shape, dtype=np.int64)
        self.default_share: Floats = np.zeros(shape)
        self.limit: Ints = np.zeros(shape, dtype=np.int64)

    def add(self, place: Ints, tally: Tally, grove: _Grove, row: Ints) -> None:
        """Book the outcomes of finished branches."""
        block = grove.block
        yearly = block.settings.product.funding_cost_yearly
        funding = np.rint(tally.balance_days * (yearly / _DAYS_OF_YEAR)).astype(np.int64)
        self.bad.reshape(-1)[place] = tally.bad_day != NEVER
        self.beyond.reshape(-1)[place] = tally.bad_balance
        self.margin.reshape(-1)[place] = tally.interest_paid - funding
        self.default_share.reshape(-1)[place] = block.people.loss_given_default[row]
        self.limit.reshape(-1)[place] = grove.limit[row]

    def table(self, cases: Branched) -> pa.Table:
        """Return the `oracle` rows."""
        bad = self.bad[:, :, 0]
        beyond = np.maximum(self.beyond[:, :, 0] - self.limit[:, :, 0] + cases.freed[:, None], 0)
        loss = np.where(bad, np.rint(self.default_share[:, :, 0] * beyond), 0).astype(np.int64)
        fresh = self.bad[:, :, 1:] if self.bad.shape[2] > 1 else self.bad
        share, delay = np.array(ARMS)[self.arms].T
        n = len(cases.day)
        return pa.table(
            {
                "decision_id": pa.array(np.repeat(cases.decision_id, len(self.arms)), pa.string()),
                "share": np.tile(share, n),
                "delay_days": np.tile(delay.astype(np.int32), n),
                "p_bad": fresh.mean(axis=2).reshape(-1),
                "bad": bad.reshape(-1),
                "loss": loss.reshape(-1),
                "margin": self.margin[:, :, 0].reshape(-1),
            }
        ).cast(oracle_schema())
