"""Which decisions are played out: the K with the smallest hash among those that mature in time."""

from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from relimit.data.simulator.branches import Branched
from relimit.data.simulator.streams import Floats, Ints, Purpose, account_keys, uniform
from relimit.data.simulator.world import World
from relimit.data.vocabulary import BAD_HORIZON_DAYS, MICROSECONDS_PER_DAY


@dataclass(slots=True)
class Sample:
    """The `size` decisions of a world that its oracle plays out; blocks in any order."""

    world: World
    size: int
    _rank: Floats = field(default_factory=lambda: np.empty(0))
    _rows: list[pa.Table] = field(default_factory=list)

    def offer(self, decisions: pa.Table) -> None:
        """Consider a block's decisions."""
        day = self._day(decisions)
        mature = day + BAD_HORIZON_DAYS < self.world.calendar().days
        decisions = decisions.filter(pa.array(mature))
        key = account_keys(self.world.seed, decisions["account_id"].to_numpy())
        rank = np.concatenate([self._rank, uniform(key, 0, Purpose.SAMPLE, day[mature])])
        best = np.sort(np.argsort(rank, kind="stable")[: self.size])
        self._rows = [pa.concat_tables([*self._rows, decisions]).take(pa.array(best))]
        self._rank = rank[best]

    def chosen(self) -> Branched:
        """Return the sample by day."""
        decisions = self._rows[0]
        day = self._day(decisions)
        order = np.lexsort((decisions["account_id"].to_numpy(), day))
        ids = decisions["decision_id"].to_pylist()
        return Branched(
            decision_id=[ids[place] for place in order],
            account_id=decisions["account_id"].to_numpy()[order],
            day=day[order],
            freed=decisions["freed"].to_numpy()[order],
        )

    def _day(self, decisions: pa.Table) -> Ints:
        decided_at = decisions["decided_at"].cast(pa.int64()).to_numpy()
        days: Ints = (decided_at - self.world.calendar().midnight) // MICROSECONDS_PER_DAY
        return days
