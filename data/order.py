"""Whether rows that stream past are sorted by account and by the time they were known."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


class OrderWatch:
    """Tells the rows that come before their predecessor by `(account_id, known_at)`.

    Examples
    --------
    >>> watch = OrderWatch()
    >>> watch.see(pa.chunked_array([[1, 1, 2]]), np.array([5, 6, 1])).tolist()
    [False, False, False]
    >>> watch.see(pa.chunked_array([[2, 2, 1]]), np.array([0, 3, 9])).tolist()
    [True, False, True]
    """

    def __init__(self) -> None:
        self._last: tuple[Any, int] | None = None

    def see(self, accounts: Any, known_at: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which rows of the next batch are out of order, `[n]`.

        Parameters
        ----------
        accounts
            An Arrow column of `[n]` ids; a row without one is in order.
        known_at
            `[n]` microseconds.
        """
        if not len(known_at):
            return np.zeros(0, bool)
        account, time = self._last or (accounts[0].as_py(), int(known_at[0]))
        self._last = (accounts[-1].as_py(), int(known_at[-1]))
        before = pa.chunked_array([pa.array([account], accounts.type), *accounts.chunks])
        before = before.slice(0, len(accounts))
        earlier = known_at < np.concatenate(([time], known_at[:-1]))
        falls = pc.fill_null(pc.less(accounts, before), False).to_numpy()
        stays = pc.fill_null(pc.equal(accounts, before), False).to_numpy()
        return np.asarray(falls | (stays & earlier))
