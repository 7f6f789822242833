"""What the lender knew about some accounts at an instant, as a block of events."""

from typing import TYPE_CHECKING

import numpy as np

from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.simulator.recorder import Columns
from relimit.data.simulator.streams import Ints
from relimit.data.simulator.tables import columns_table

if TYPE_CHECKING:
    from relimit.data.simulator.block import Block

_NOT_ASKED = np.iinfo(np.int64).min


def known_history(block: "Block", row: Ints, now: Ints) -> EventBlock:
    """Return the events of the accounts `row` (ascending places) known at `now` (of each)."""
    until = np.full(len(block.people.key), _NOT_ASKED)
    until[row] = now
    parts = [_known(part, until) for part in block.recorder.parts()]
    columns = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
    return blocks_from_table(columns_table(block, columns))


def _known(part: Columns, until: Ints) -> Columns:
    known = np.flatnonzero(part["known_at"] <= until[part["row"]])
    return {name: column[known] for name, column in part.items()}
