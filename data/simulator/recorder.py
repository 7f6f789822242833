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
Columns = dict[str, NDArray[np.int64]]
_MOST_PARTS = 32
_MOST_CALLS = 2_000
"""Calls that are kept as they came: their rows and times take twice what they need."""
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
    _calls: list[tuple[Ints | int, ...]] = field(default_factory=list)
    _merged: list[Columns] = field(default_factory=list)

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
        """Log one event for each of `rows`; the arrays are kept, so don't write to them later."""
        if self.muted or len(rows) == 0:
            return
        known = ts if known_at is None else known_at
        self._calls.append((rows, _KIND[kind], ts, known, amount, value, loan, detail))
        if len(self._calls) >= _MOST_CALLS:
            self.parts()

    def parts(self) -> list[Columns]:
        """Return the log so far in the order of the calls, in few parts of whole calls."""
        if self._calls:
            self._merged.append(_merge(self._calls))
            self._calls = []
        if len(self._merged) > _MOST_PARTS:
            self._merged = [_concatenate(self._merged)]
        return self._merged

    def columns(self) -> Columns:
        """Return the log so far in the order of the calls."""
        self._merged = [_concatenate(self.parts())]
        return dict(self._merged[0])

    def drain(self) -> Columns:
        """Return the log so far and forget it: a block's log is its largest part."""
        columns = self.columns()
        self._merged = []
        return columns


def _merge(calls: list[tuple[Ints | int, ...]]) -> Columns:
    """Return one array a column, in its own type; a number stands for all rows of its call."""
    ends = np.cumsum([len(np.atleast_1d(call[0])) for call in calls]).tolist()
    merged: Columns = {}
    for name, given in zip(_COLUMNS, zip(*calls, strict=True), strict=True):
        column = np.empty(ends[-1], _NARROW.get(name, np.int64))
        for first, last, values in zip([0, *ends], ends, given, strict=False):
            column[first:last] = values
        merged[name] = column
    return merged


def _concatenate(parts: list[Columns]) -> Columns:
    """Return one part, column by column: the old one goes as the new one comes."""
    if not parts:
        return {name: np.empty(0, dtype=_NARROW.get(name, np.int64)) for name in _COLUMNS}
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in _COLUMNS}


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
