"""Events as they happen, kept as columns and sorted once at the end."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from relimit.data.simulator.streams import Ints
from relimit.data.vocabulary import COUPON_PREFIX, KINDS, LENDER

PURPOSES = ("shopping", "travel", "medical", "education", "home", "other")
OPERATIONS = ("login_failed", "device_change", "phone_change", "card_change", "limit_check")
DETAILS = (
    *PURPOSES,
    *(COUPON_PREFIX + purpose for purpose in PURPOSES),
    *OPERATIONS,
    LENDER,
    "full",
    "partial",
    "app",
    "bank",
    "opening",
    "review",
    "charged_off",
    "penalty",
    "system",
)
"""Every detail but decision ids; its place is its code."""
DETAIL = {name: code for code, name in enumerate(DETAILS)}
NO_DETAIL = -1
NO_LOAN = -1
_KIND = {name: code for code, name in enumerate(KINDS)}
_COLUMNS = ("row", "kind", "ts", "known_at", "amount", "value", "loan", "detail")
_NARROW = {"row": np.int32, "kind": np.int8, "value": np.int32, "loan": np.int32}


@dataclass(slots=True)
class Recorder:
    """A growing log of events, a few arrays a call; a muted one forgets (branches need no log).

    Columns: `row` (place of the account in the block), `kind` (place in `KINDS`), `ts` and
    `known_at` (microseconds UTC), `amount` (fen), `value`, `loan` (number within the account,
    −1 none), `detail` (place in `DETAILS`, then the block's decisions, −1 none).
    """

    muted: bool = False
    _chunks: dict[str, list[NDArray[np.int64]]] = field(
        default_factory=lambda: {name: [] for name in _COLUMNS}
    )

    def emit(
        self,
        kind: str,
        rows: Ints,
        ts: Ints,
        *,
        known_at: Ints | None = None,
        amount: Ints | int = 0,
        value: Ints | int = 0,
        loan: Ints | int = NO_LOAN,
        detail: Ints | int = NO_DETAIL,
    ) -> None:
        """Log one event for each of `rows`."""
        if self.muted or len(rows) == 0:
            return
        given: dict[str, Ints | int] = {
            "row": rows,
            "kind": _KIND[kind],
            "ts": ts,
            "known_at": ts if known_at is None else known_at,
            "amount": amount,
            "value": value,
            "loan": loan,
            "detail": detail,
        }
        for name, column in given.items():
            narrow = _NARROW.get(name, np.int64)
            if isinstance(column, int):
                filled = np.full(len(rows), column, dtype=narrow)
            else:
                filled = column.astype(narrow)
            self._chunks[name].append(filled)

    def columns(self) -> dict[str, NDArray[np.int64]]:
        """Return the log so far in the order of the calls."""
        for name, chunks in self._chunks.items():
            if len(chunks) > 1:
                self._chunks[name] = [np.concatenate(chunks)]
        empty = np.empty(0, dtype=np.int64)
        return {name: chunks[0] if chunks else empty for name, chunks in self._chunks.items()}


@dataclass(slots=True)
class DecisionLog:
    """What the lender decided, a few arrays a day; muted like the recorder."""

    muted: bool = False
    size: int = 0
    _chunks: dict[str, list[NDArray[np.generic]]] = field(default_factory=dict)

    def append(self, **columns: NDArray[np.generic]) -> Ints:
        """Log decisions; return their places in the log."""
        rows = len(next(iter(columns.values())))
        places = np.arange(self.size, self.size + rows)
        self.size += rows
        if not self.muted:
            for name, column in columns.items():
                self._chunks.setdefault(name, []).append(column)
        return places

    def columns(self) -> dict[str, NDArray[np.generic]]:
        """Return the log so far; no columns if nothing was decided."""
        return {name: np.concatenate(chunks) for name, chunks in self._chunks.items()}
