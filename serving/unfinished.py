"""A run that has begun: its parts and its journal, out of readers' sight until it is committed."""

import json
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from relimit.data import write_json, write_parquet
from relimit.data.atomic import move
from relimit.data.errors import DataError, unless_refused
from relimit.serving.blocks import Answers
from relimit.serving.lock import LOCK
from relimit.serving.lots import Lot
from relimit.serving.manifest import (
    ANSWERS,
    MANIFEST,
    QUARANTINE,
    RESULTS,
    Inputs,
    differing,
    is_whole,
    sha256_of,
)
from relimit.serving.unusable import NO_ACCOUNT

UNFINISHED: Final = "_unfinished"
REFUSED: Final = "_refused"
"""Where the quarantine of a run stays that was refused for being too large."""
JOURNAL: Final = "journal.json"
AGAIN: Final = "again"
MOVED: Final = (*RESULTS, MANIFEST)
"""What a commit moves, in this order."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the journal says of a written lot.

    Attributes
    ----------
    through
        The last account that it covers: a later run goes on after it.
    files
        By folder, the SHA-256 of each part.
    rows
        By folder, how many; and how many answers are about earlier decisions.
    statuses, binding, reasons, money
        What its rows add up to.
    """

    through: Any
    files: dict[str, dict[str, str]]
    rows: dict[str, int]
    statuses: dict[str, int]
    binding: dict[str, int]
    reasons: dict[str, int]
    money: dict[str, int]


class Unfinished:
    """The parts of a run in `out/_unfinished`, which `commit` moves to where readers look.

    Parameters
    ----------
    out
        The folder of the run, locked.
    inputs
        What it is made from.

    Attributes
    ----------
    entries
        What the journal says, a lot each.
    found
        How many prepayments were met with, those of the journal and those since.
    """

    def __init__(self, out: Path, inputs: Inputs) -> None:
        self.out = out
        self.folder = out / UNFINISHED
        self.inputs = inputs
        self.entries: list[Entry] = []
        self.found = 0

    def resume(self) -> None:
        """Take over what a killed run of the same inputs has finished; drop what it has not.

        Raises
        ------
        DataError
            If the inputs are others, or the folder holds what no run of ours left.
        """
        for name in RESULTS:
            if (self.out / name).exists():
                self._take_back(name)
        if (self.out / REFUSED).exists():
            shutil.rmtree(self.out / REFUSED)
        journal = self.folder / JOURNAL
        recorded = _read(journal) if journal.exists() else {"inputs": {}, "lots": []}
        if journal.exists():
            self._require_same(recorded["inputs"])
        for entry in (Entry(**lot) for lot in recorded["lots"]):
            if not self._whole(entry):
                break
            self.entries.append(entry)
        self.found = self.answered
        self._drop_others()

    def write(self, lot: Lot, left: pa.Table, again: int) -> None:
        """Write the parts of a lot, and then into the journal that it is done.

        `left` is what it leaves open, and `again` how many of its rows are earlier decisions.
        """
        files: dict[str, dict[str, str]] = {}
        tables = dict(zip(RESULTS, (*lot.answers, left), strict=True))
        for folder, table in tables.items():
            if table.num_rows:
                files[folder] = self._write_part(table, folder)
        rows = {folder: table.num_rows for folder, table in tables.items()}
        rows[AGAIN] = again
        sums = lot.statuses(), lot.binding(), lot.reasons(), lot.money()
        self._record(Entry(lot.through, files, rows, *sums))

    def close(self, nameless: pa.Table, empty: Answers, nothing_left: pa.Table) -> None:
        """Write the events of nobody, and into a folder without a part an empty one for its schema.

        A run that was killed after that has them already.
        """
        count = nameless.num_rows
        if count and NO_ACCOUNT not in self.total("reasons"):
            files = {QUARANTINE: self._write_part(nameless, QUARANTINE)}
            rows, reasons = {QUARANTINE: count}, {NO_ACCOUNT: count}
            self._record(Entry(self.through, files, rows, {}, {}, reasons, {}))
            self.found += count
        for folder, table in zip(RESULTS, (*empty, nothing_left), strict=True):
            if not self.files[folder]:
                files = {folder: self._write_part(table, folder)}
                self._record(Entry(self.through, files, {}, {}, {}, {}, {}))

    def _record(self, entry: Entry) -> None:
        self.entries.append(entry)
        lots = [asdict(written) for written in self.entries]
        write_json({"inputs": self.inputs(), "lots": lots}, self.folder / JOURNAL)

    def _write_part(self, table: pa.Table, folder: str) -> dict[str, str]:
        part = self.folder / folder / f"part-{len(self.files[folder]):05d}.parquet"
        write_parquet(table, part)
        return {part.name: sha256_of(part)}

    @property
    def through(self) -> Any:
        """The last account that is done; None if none is."""
        return self.entries[-1].through if self.entries else None

    @property
    def files(self) -> dict[str, dict[str, str]]:
        """By folder, the SHA-256 of each part."""
        merged: dict[str, dict[str, str]] = {folder: {} for folder in RESULTS}
        for entry in self.entries:
            for folder, digests in entry.files.items():
                merged[folder] |= digests
        return merged

    def total(self, what: str) -> Counter[str]:
        """Return what `rows`, or another count of an `Entry`, adds up to over all lots."""
        total = Counter[str]()
        for entry in self.entries:
            total.update(getattr(entry, what))
        return total

    @property
    def answered(self) -> int:
        """How many prepayments the written lots decide or quarantine."""
        rows = self.total("rows")
        return sum(rows[folder] for folder in ANSWERS)

    def rows_on_disk(self) -> int:
        """Return how many answers the written parts have, by their footers."""
        files = self.files
        return sum(
            pq.read_metadata(self.folder / folder / name).num_rows
            for folder in ANSWERS
            for name in files[folder]
        )

    def commit(self, manifest: dict[str, Any]) -> None:
        """Move the parts to where readers look, and then the manifest, which makes them count.

        Raises
        ------
        DataError
            The system refuses. What was moved is taken back, as far as it lets us, and the next run
            of the same inputs ends this one.
        """
        write_json(manifest, self.folder / MANIFEST)
        mend = "Mend the disk and run this again: what is decided is kept"
        with unless_refused("can't be written", where=str(self.out), mend=mend):
            try:
                for name in MOVED:
                    move(self.folder / name, self.out / name)
            except OSError:
                self._take_all_back()
                raise
        self.clear()

    def _take_all_back(self) -> None:
        """Hide from readers what was moved; the manifest goes first, as without it nothing counts.

        What can't be taken back the next run takes up: the journal still vouches for it.
        """
        with suppress(OSError):
            for name in reversed(MOVED):
                if (self.out / name).exists():
                    move(self.out / name, self.folder / name)

    def refuse(self) -> Path:
        """Keep the quarantine for the user to look at, and return where it is."""
        kept = self.out / REFUSED
        move(self.folder / QUARANTINE, kept)
        return kept

    @contextmanager
    def cleared_if_it_fails(self) -> Iterator[None]:
        """Leave nothing of a run that fails; one that is interrupted can be resumed."""
        try:
            yield
        except Exception:
            self.clear()
            raise

    def clear(self) -> None:
        """Remove what is unfinished."""
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def _take_back(self, name: str) -> None:
        """Take back parts that a run had moved when it was killed before its manifest."""
        if not (self.folder / JOURNAL).exists() or (self.folder / name).exists():
            raise DataError(
                f"holds {name} of another making",
                where=str(self.out),
                mend="Choose another --out; what is there is never overwritten",
            )
        move(self.out / name, self.folder / name)

    def _require_same(self, recorded: dict[str, Any]) -> None:
        changed = differing(recorded, self.inputs())
        if changed:
            raise DataError(
                f"holds an unfinished run of other inputs ({', '.join(changed)} differ)",
                where=str(self.out),
                mend="Finish it with those inputs, choose another --out, or give it up by removing "
                f"{self.folder}",
            )

    def _whole(self, entry: Entry) -> bool:
        return all(
            is_whole(self.folder / folder / name, digest)
            for folder, digests in entry.files.items()
            for name, digest in digests.items()
        )

    def _drop_others(self) -> None:
        """Remove every file of the unfinished run that the journal doesn't vouch for."""
        for folder in RESULTS:
            for file in (self.folder / folder).glob("*"):
                if file.name not in self.files[folder]:
                    file.unlink()


def has_leftovers(out: Path) -> bool:
    """Return whether a run is at work in a folder, or was killed there."""
    return any((out / name).exists() for name in (UNFINISHED, LOCK))


def _read(journal: Path) -> dict[str, Any]:
    try:
        recorded = json.loads(journal.read_text(encoding="utf-8"))
        return {"inputs": dict(recorded["inputs"]), "lots": list(recorded["lots"])}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            "is not the journal of a run", where=str(journal), mend="Remove its folder"
        ) from error
