"""Blocks of events put one after another, as one."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from relimit.data.events import EVENT_COLUMNS, EventBlock


def join_blocks(blocks: Sequence[EventBlock]) -> EventBlock:
    """Return the accounts of several blocks as one block, numbered from 0 in the order given.

    Their own ids don't count: an account that is in two blocks becomes two.

    Parameters
    ----------
    blocks
        At least one, each of whole accounts.

    Examples
    --------
    >>> import pyarrow as pa
    >>> from relimit.data.events import blocks_from_table
    >>> def purchase(account, word):
    ...     time = pa.array([0], pa.timestamp("us", tz="UTC"))
    ...     columns = {"account_id": [account], "ts": time, "kind": ["draw"], "amount": [500]}
    ...     return blocks_from_table(pa.table({**columns, "detail": [word]}))
    >>> joined = join_blocks([purchase("b", "travel"), purchase("a", "home")])
    >>> joined.account_ids.tolist(), joined.starts.tolist()
    ([0, 1], [0, 1, 2])
    >>> [joined.details[place] for place in joined.detail]
    ['travel', 'home']
    """
    columns: dict[str, Any] = {
        name: np.concatenate([getattr(block, name) for block in blocks])
        for name in EVENT_COLUMNS
        if name != "detail"
    }
    sizes = np.concatenate([np.diff(block.starts) for block in blocks])
    details = tuple(sorted({word for block in blocks for word in block.details}))
    place = {word: number for number, word in enumerate(details)}
    return EventBlock(
        account_ids=np.arange(len(sizes)),
        starts=np.concatenate(([0], np.cumsum(sizes))),
        detail=np.concatenate([_detail(block, place) for block in blocks]),
        details=details,
        **columns,
    )


def _detail(block: EventBlock, place: dict[str, int]) -> NDArray[np.int32]:
    """Return the events' details by their places among those of all blocks; −1 stays."""
    places = np.array([*(place[word] for word in block.details), -1], np.int32)
    return places[block.detail]
