"""What borrowers make of a restored yuan, by their external score."""

from copy import deepcopy

import numpy as np
from _simulator_lines import Line, between, near
from numpy.typing import NDArray

from relimit.data.simulator.behaviour import draw
from relimit.data.simulator.block import Block
from relimit.data.simulator.recorder import Recorder
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, step
from relimit.data.vocabulary import DRAW, KINDS

RESTORED = 100_000
"""What everybody gets back in the twin world, fen."""
BANDS = (550, 600, 650, 700, 750)
_FIRST_DAY, _DAYS = 450, 60


def extra_borrowing(accounts: int, months: int, seed: int) -> list[Line]:
    """Return the extra fen drawn per fen restored, by score, among those who draw less than all.

    Each evening the world is doubled and everybody's limit raised in the twin; the same random
    numbers then draw in both. Whoever takes all the room there is would take more at any score, and
    is printed apart.
    """
    block = make_world(months, seed, load_settings()).block(np.arange(1, accounts + 1))
    block.recorder.muted = block.decisions.muted = True
    evenings = []
    for day in range(_FIRST_DAY + _DAYS):
        if day >= _FIRST_DAY:
            evenings.append(_evening(block, day))
        step(block, day)
    score, extra, bound = np.concatenate(evenings, axis=1)
    band = np.searchsorted(BANDS, score, side="right")
    print("extra borrowing per restored yuan, by score:")
    means = []
    for place, name in enumerate([f"below {BANDS[0]}", *(f"from {low}" for low in BANDS)]):
        free, mine = (band == place) & (bound == 0), band == place
        means.append(extra[free].mean())
        print(
            f"  {name:<10} {means[-1]:5.2f} of {free.sum():,} draws that leave room, "
            f"{extra[mine].mean():.2f} of all; {bound[mine].mean():.0%} take all the room"
        )
    return [
        near(f"extra per restored yuan, score below {BANDS[0]}", means[0], 0.6),
        between(f"extra per restored yuan, score from {BANDS[-1]}", means[-1], 0.0, 0.1),
        between("largest rise of it from one band to the next", max(np.diff(means)), -1.0, 0.0),
    ]


def _evening(block: Block, day: int) -> NDArray[np.float64]:
    """Return score, extra borrowed per restored fen, whether all room is taken: of all draws."""
    before, after = (_drawn(block, day, restored) for restored in (0, RESTORED))
    both = np.flatnonzero((before > 0) & (after > 0))
    extra = (after[both] - before[both]) / RESTORED
    standing = block.standing
    room = (standing.limit - standing.outstanding - standing.held)[both]
    return np.stack([standing.score[both].astype(np.float64), extra, before[both] >= room])


def _drawn(block: Block, day: int, restored: int) -> NDArray[np.int64]:
    """Return the fen that each account draws this evening if it had that much more limit."""
    twin = deepcopy(block)
    twin.recorder = Recorder()
    twin.standing.limit += restored * twin.standing.open
    draw(twin, day)
    columns = twin.recorder.columns()
    amount = np.zeros(len(twin.people.key), dtype=np.int64)
    drawn = columns["kind"] == KINDS.index(DRAW)
    amount[columns["row"][drawn]] = columns["amount"][drawn]
    return amount
