"""The world: blocks of accounts, stepped through their days."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from relimit.data.simulator import behaviour, delinquency, monthly, restoration, signals
from relimit.data.simulator.block import Block
from relimit.data.simulator.calendar import Calendar, make_calendar
from relimit.data.simulator.faults import Outages, make_outages
from relimit.data.simulator.lender import CoolingOffRule, LenderPolicy
from relimit.data.simulator.population import make_loans, make_people, make_standing, make_tally
from relimit.data.simulator.settings import Settings
from relimit.data.simulator.streams import Ints
from relimit.data.simulator.tables import accounts_table, decisions_table, events_table


@dataclass(frozen=True, slots=True)
class World:
    """All that a world is made from; the same world always tells the same story."""

    settings: Settings
    months: int
    seed: int
    lender: LenderPolicy

    def calendar(self) -> Calendar:
        """Return the days."""
        return make_calendar(self.settings, self.months)

    def outages(self) -> Outages:
        """Return the system's outages."""
        return make_outages(self.settings, self.calendar(), self.seed)

    def block(self, account_id: Ints) -> Block:
        """Return accounts (ascending ids) on the eve of the first day."""
        calendar = self.calendar()
        people = make_people(self.settings, account_id, days=calendar.days, seed=self.seed)
        n, slots = len(account_id), self.settings.product.open_loans
        return Block(
            settings=self.settings,
            calendar=calendar,
            outages=self.outages(),
            lender=self.lender,
            people=people,
            standing=make_standing(self.settings, people),
            loans=make_loans(n, slots),
            tally=make_tally(n),
        )


@dataclass(frozen=True, slots=True)
class BlockTables:
    """A finished block's tables."""

    events: pa.Table
    decisions: pa.Table
    accounts: pa.Table


def make_world(
    months: int, seed: int, settings: Settings, lender: LenderPolicy | None = None
) -> World:
    """Return a world; under the older rule unless another lender is given."""
    return World(settings, months, seed, lender or CoolingOffRule(settings.lender))


def step(block: Block, day: int) -> None:
    """Live one day: night run, signals, payments, decisions, then the evening's draws."""
    behaviour.cool(block)
    monthly.open_accounts(block, day)
    restoration.release(block, day)
    delinquency.collect(block, day)
    delinquency.advance(block, day)
    monthly.turn_month(block, day)
    if not block.recorder.muted:
        signals.report(block, day)
    behaviour.settle_residuals(block, day)
    behaviour.plan_prepayments(block, day)
    behaviour.make_prepayments(block, day)
    restoration.decide(block, day)
    restoration.decide_again(block, day)
    behaviour.leave(block, day)
    behaviour.draw(block, day)


def run_block(world: World, first: int, last: int) -> BlockTables:
    """Live all days of the accounts `first` to `last` (exclusive); return their tables."""
    block = world.block(np.arange(first, last, dtype=np.int64))
    for day in range(block.calendar.days):
        step(block, day)
    as_of = block.calendar.instant(block.calendar.days)
    return BlockTables(events_table(block, as_of), decisions_table(block), accounts_table(block))
