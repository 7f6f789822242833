"""One pass over the rows of events, batch by batch: rules, order, kinds, days, ids, quarantine."""

from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.check_silence import of_silence
from relimit.data.findings import ERROR, NOTE, WARNING, Finding, Tally
from relimit.data.order import OrderWatch
from relimit.data.quarantine import Sorter
from relimit.data.rules import RULES, Clock, Mask, RowRule, rows_of
from relimit.data.silence import DailyCounts
from relimit.data.unknown_kinds import count_unknown, meant_kind, names_of

PENDING_IDS: Final = 1_000_000
"""Ids gathered before they are made distinct: often enough for memory, seldom enough for time."""


class RowPass:
    """Sees every batch of an events table once and gathers what is wrong with its rows.

    Parameters
    ----------
    clock
        What counts as the future.
    box
        Where the rows are sorted into; None if they only have to be checked.
    """

    def __init__(self, clock: Clock, box: Sorter | None) -> None:
        self.rows = 0
        self._clock = clock
        self._box = box
        self._tally = Tally()
        self._order = OrderWatch()
        self._kinds = Counter[str]()
        self._days = DailyCounts(clock.latest)
        self._ids: list[Any] = []
        self._pending = 0

    def see(self, batch: pa.Table, *, has_known_at: bool, file: Path, start: int) -> None:
        """Check a batch whose first row is the file's row `start`.

        Parameters
        ----------
        batch
            Cast to the schema of events, its nulls still in it.
        has_known_at
            Whether the file has the column.
        """
        rows = rows_of(batch, has_known_at=has_known_at)
        faults = {}
        for rule in RULES:
            mask = rule.broken(rows, self._clock)
            self._tally.add(_of_rule(rule, mask, file, start))
            if rule.level == ERROR:
                faults[rule.code] = mask
        early = self._order.see(batch["account_id"], rows.known_at)
        self._tally.add(_of_order(early, file, start))
        self._count_kinds(batch["kind"])
        self._days.see(rows.ts, rows.known_at, rows.kind, rows.ts_null)
        self._gather_ids(batch["account_id"])
        if self._box is not None:
            self._box.add(batch, faults)
        self.rows += batch.num_rows

    def findings(self, path: Path) -> list[Finding]:
        """Return what was found in all rows seen; `path` is where they are."""
        found = self._tally.findings(self.rows)
        if self._kinds:
            found.append(self._unknown_kinds(path))
        return found

    def emptiness(self, path: Path) -> list[Finding]:
        """Return an error if all files were read and no row was in any."""
        if self.rows:
            return []
        message, mend = f"{path.name}: has no events", "Export the events that the accounts have"
        return [Finding(ERROR, "no_events", "", 0, str(path), None, message, mend)]

    def silences(self, path: Path) -> list[Finding]:
        """Return warnings of kinds that fell silent; of a part of the files they may be wrong."""
        ends = self._clock.ends if self._clock.ends < self._clock.latest else None
        return [of_silence(silence, path) for silence in self._days.silences(ends)]

    def account_ids(self) -> Any:
        """Return the distinct ids seen, an Arrow array; None if there was no row."""
        if len(self._ids) > 1:
            self._ids = [pc.unique(pa.concat_arrays(self._ids))]
            self._pending = 0
        return self._ids[0] if self._ids else None

    def _gather_ids(self, ids: Any) -> None:
        fresh = pc.unique(ids).drop_null()
        self._ids.append(fresh)
        self._pending += len(fresh)
        if self._pending > max(PENDING_IDS, len(self._ids[0])):
            self.account_ids()

    def _count_kinds(self, kinds: Any) -> None:
        self._kinds.update(count_unknown(kinds.cast(pa.string())))

    def _unknown_kinds(self, path: Path) -> Finding:
        """Return one finding that names all unknown kinds; an error if there are no others."""
        count, names = sum(self._kinds.values()), names_of(self._kinds)
        message = f"{count:,} of {self.rows:,} rows are of kinds that features ignore: {names}"
        meant = {kind: close for kind in sorted(self._kinds) if (close := meant_kind(kind))}
        mend = "Rename them to kinds of the contract if they are the same thing"
        if meant:
            mend += ": " + ", ".join(f"{kind!r} to {close!r}" for kind, close in meant.items())
        level = ERROR if count == self.rows else WARNING
        return Finding(level, "unknown_kind", "kind", count, str(path), None, message, mend)


def _of_rule(rule: RowRule, mask: Mask, file: Path, start: int) -> Finding:
    """Return the finding that a rule's mask over a batch amounts to; its count may be 0."""
    count, row = _count_and_first(mask, start)
    message = f"column {rule.column} {rule.fault} in {{count}} of {{rows}} rows"
    message += f"; first in {file.name}, row {row}"
    return Finding(rule.level, rule.code, rule.column, count, str(file), row, message, rule.mend)


def _of_order(early: NDArray[np.bool_], file: Path, start: int) -> Finding:
    """Return the note that rows come before their predecessor; its count may be 0."""
    count, row = _count_and_first(early, start)
    message = "{count} of {rows} rows are out of the order account_id, known_at"
    mend = "Nothing; each command sorts them out of core first, which a sorted file spares it"
    return Finding(NOTE, "unsorted", "account_id", count, str(file), row, message, mend)


def _count_and_first(mask: Mask, start: int) -> tuple[int, int]:
    """Return how many rows a mask marks, and the first of them as a row of the file."""
    return int(np.count_nonzero(mask)), start + (int(np.argmax(mask)) if mask.size else 0)
