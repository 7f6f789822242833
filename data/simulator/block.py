"""A block of accounts and all that its days are computed from."""

from dataclasses import dataclass, field

import numpy as np

from relimit.data.simulator.calendar import HOUR, Calendar
from relimit.data.simulator.faults import Outages, Pending, booked
from relimit.data.simulator.lender import LenderPolicy
from relimit.data.simulator.recorder import DecisionLog, Recorder
from relimit.data.simulator.settings import Settings
from relimit.data.simulator.state import Loans, People, Standing, Tally
from relimit.data.simulator.streams import Floats, Ints, Purpose, normal, uniform
from relimit.data.vocabulary import MICROSECONDS_PER_DAY


@dataclass(slots=True)
class Block:
    """Accounts that are stepped through the days together.

    Accounts never touch each other, so how they are cut into blocks changes nothing.
    """

    settings: Settings
    calendar: Calendar
    outages: Outages
    lender: LenderPolicy
    people: People
    standing: Standing
    loans: Loans
    tally: Tally
    pending: Pending = field(default_factory=Pending)
    recorder: Recorder = field(default_factory=Recorder)
    decisions: DecisionLog = field(default_factory=DecisionLog)

    def uniform(self, rows: Ints, day: int, purpose: Purpose, item: Ints | None = None) -> Floats:
        """Return one uniform for each of `rows`."""
        return uniform(self.people.key[rows], day, purpose, item)

    def normal(self, rows: Ints, day: int, purpose: Purpose) -> Floats:
        """Return one standard normal for each of `rows`."""
        return normal(self.people.key[rows], day, purpose)

    def clock(
        self,
        rows: Ints,
        day: int,
        purpose: Purpose,
        hours: tuple[float, float],
        item: Ints | None = None,
    ) -> Ints:
        """Return instants of the day between two hours of Shanghai's clock."""
        first, last = hours
        within = (first + (last - first) * self.uniform(rows, day, purpose, item)) * HOUR
        return self.calendar.instant(day) + within.astype(np.int64)

    def days_late(self, rows: Ints, ts: Ints, day: int) -> Ints:
        """Return the days until each payment made today is booked; 0 if at once."""
        u = self.uniform(rows, day, Purpose.LATE)
        faults = self.settings.faults
        share = faults.bank_lag_share * self.people.bank[rows]
        late = np.where(u < share, np.where(u < faults.bank_lag_next_day * share, 1, 2), 0)
        end = self.outages.near(day).covering(ts)
        until = (end - self.calendar.instant(day)) // MICROSECONDS_PER_DAY + 1
        return np.where(end > 0, np.maximum(late, until), late)

    def booked(self, rows: Ints, ts: Ints, late: Ints, day: int) -> Ints:
        """Return when payments are known: at once, or `late` days on, the morning after."""
        booking = booked(self.calendar, self.people.key[rows], day, late)
        return np.where(late > 0, booking, ts)

    def activity(self, day: int) -> float:
        """Return the factor by which drift has moved everybody's intensities."""
        return 1.0 + (self.settings.drift.activity - 1.0) * day / self.calendar.days
