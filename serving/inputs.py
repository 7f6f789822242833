"""Read what a command was given: a book, or the files named in its place."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import Book, read_parquet
from relimit.data.errors import DataError, unless_refused
from relimit.data.files import open_parquet, validate_schema
from relimit.data.observe import observe
from relimit.data.schema import (
    accounts_schema,
    decisions_log_schema,
    observations_schema,
    snapshots_schema,
)
from relimit.data.vocabulary import BAD_DAYS_PAST_DUE, BAD_HORIZON_DAYS


class _Setting(NamedTuple):
    """What a file of observations says of itself: the key, how to tell it, and what sets it."""

    key: bytes
    words: str
    option: str


HORIZON: Final = _Setting(b"relimit.horizon_days", "over {} days", "--horizon")
DAYS_PAST_DUE: Final = _Setting(b"relimit.days_past_due", "by {} days past due", "--dpd")


@dataclass(frozen=True, slots=True)
class TrainingInput:
    """An events file, the observations that go with it, how they were labelled, and accounts."""

    events: Path
    observations: pa.Table
    horizon_days: int = BAD_HORIZON_DAYS
    days_past_due: int = BAD_DAYS_PAST_DUE
    accounts: pa.Table | None = None
    assumed: str | None = None
    """What to say where nobody said how observations were labelled."""


def read_snapshots(path: Path) -> pa.Table:
    """Return `account_id` and `as_of` of each row of `path`, in its order."""
    return read_parquet(path, snapshots_schema(), table="snapshots").select(["account_id", "as_of"])


def read_special_codes(path: Path) -> dict[str, list[float]]:
    """Return the codes of each feature from a JSON file.

    Raises
    ------
    DataError
        If the file can't be read, or doesn't hold an object of lists of numbers.
    """
    mend = 'Give {"feature": [-99, -98]}'
    try:
        with unless_refused("can't be read", where=str(path), mend="Give a file that you may read"):
            text = path.read_text(encoding="utf-8")
        found = json.loads(text)
        codes = {str(name): [float(code) for code in listed] for name, listed in found.items()}
    except (ValueError, TypeError, AttributeError) as error:
        raise DataError(f"no special codes ({error})", where=str(path), mend=mend) from error
    if not all(math.isfinite(code) for listed in codes.values() for code in listed):
        raise DataError("a code that is no number", where=str(path), mend=mend)
    return codes


def with_columns(points: pa.Table, names: Sequence[str], matrix: NDArray[np.float64]) -> pa.Table:
    """Return `points` with a float64 column a name; NaN becomes null."""
    for place, name in enumerate(names):
        points = points.append_column(name, pa.array(matrix[:, place], from_pandas=True))
    return points


def files_of(source: Path | tuple[Path, Path]) -> tuple[Path, ...]:
    """Return the files that a source reads: a book's events and decisions, or the pair."""
    if isinstance(source, tuple):
        return source
    book = Book.open(source)
    return tuple(path for path in (book.events, book.decisions) if path is not None)


def observe_files(
    source: Path | tuple[Path, Path],
    *,
    horizon_days: int = BAD_HORIZON_DAYS,
    days_past_due: int = BAD_DAYS_PAST_DUE,
) -> pa.Table:
    """Return the observations of a book, or of an (events, decisions) pair of files.

    Raises
    ------
    DataError
        If the book has no decision log.
    """
    events, decisions, as_of = _events_and_log(
        source, mend="Add the decision log, or observations.parquet with outcomes of your own"
    )
    log = _log(decisions)
    return observe(
        events, decisions=log, horizon_days=horizon_days, days_past_due=days_past_due, as_of=as_of
    )


def read_log(source: Path | tuple[Path, Path]) -> tuple[Path, pa.Table]:
    """Return the events file and the decision log of a book, or of an (events, decisions) pair.

    Raises
    ------
    DataError
        If the book has no decision log.
    """
    events, decisions, _ = _events_and_log(
        source, mend="Add the decision log: nothing else tells which arm each prepayment was given"
    )
    return events, _log(decisions)


def _log(path: Path) -> pa.Table:
    return read_parquet(path, decisions_log_schema(), table="decisions")


def _events_and_log(
    source: Path | tuple[Path, Path], *, mend: str
) -> tuple[Path, Path, datetime | None]:
    if isinstance(source, tuple):
        return *source, None
    book = Book.open(source)
    if book.decisions is None:
        raise DataError("no decisions.parquet in the book", where=str(source), mend=mend)
    return book.events, book.decisions, book.as_of


def training_input(
    source: Path | tuple[Path, Path],
    *,
    horizon_days: int | None = None,
    days_past_due: int | None = None,
    accounts: Path | None = None,
) -> TrainingInput:
    """Return what to train or compare on; a book's own observations come before its log.

    A log is observed for `horizon_days` and by `days_past_due`, 180 and 30 unless given. Labelled
    observations are taken as they are; unless given, both are what their file says, where `relimit
    observe` writes them.
    `accounts` given by their own path come before a book's.

    Raises
    ------
    DataError
        If a table breaks its contract, or observations were labelled over another horizon or by
        other days past due.
    """
    if isinstance(source, tuple):
        events, observations = source
        over, by, assumed = _labelled_by(observations, horizon_days, days_past_due)
        labelled = _observations(observations)
        return TrainingInput(events, labelled, over, by, _accounts(accounts), assumed)
    book = Book.open(source)
    audit = accounts or book.accounts
    if book.observations:
        over, by, assumed = _labelled_by(book.observations, horizon_days, days_past_due)
        labelled = _observations(book.observations)
    else:
        over, by = horizon_days or BAD_HORIZON_DAYS, days_past_due or BAD_DAYS_PAST_DUE
        labelled = observe_files(source, horizon_days=over, days_past_due=by)
        assumed = None
    return TrainingInput(book.events, labelled, over, by, _accounts(audit), assumed)


def say_label(observations: pa.Table, horizon_days: int, days_past_due: int) -> pa.Table:
    """Return observations whose file will say how they were labelled."""
    said = {HORIZON.key: str(horizon_days), DAYS_PAST_DUE.key: str(days_past_due)}
    return observations.replace_schema_metadata(said)


def _labelled_by(
    path: Path, horizon: int | None, days_past_due: int | None
) -> tuple[int, int, str | None]:
    """Return over how many days, by how many past due, and what of that nobody said."""
    files = validate_schema(path, observations_schema(), "observations").files
    footers = [_metadata(file) for file in files]
    over = _stated(path, footers, HORIZON, horizon)
    by = _stated(path, footers, DAYS_PAST_DUE, days_past_due)
    said = over or BAD_HORIZON_DAYS, by or BAD_DAYS_PAST_DUE
    told = ((over, HORIZON, said[0]), (by, DAYS_PAST_DUE, said[1]))
    unsaid = [(of.words.format(taken), of.option) for known, of, taken in told if not known]
    if not unsaid:
        return *said, None
    words, options = (" and ".join(part) for part in zip(*unsaid, strict=True))
    assumed = f"{path} doesn't say how `bad` was labelled: {words} is assumed. Give {options}"
    return *said, assumed


def _metadata(file: Path) -> Mapping[bytes, bytes]:
    """Return what a file says of itself beside its columns."""
    with open_parquet(file) as opened:
        return opened.schema_arrow.metadata or {}


def _stated(
    path: Path, footers: Sequence[Mapping[bytes, bytes]], of: _Setting, asked: int | None
) -> int | None:
    """Return what was asked or what the files' footers say of a setting; None if neither.

    Raises
    ------
    DataError
        The files don't say the same, or not what was asked.
    """
    said = {footer.get(of.key, b"").decode() for footer in footers}
    stated = {int(days) for days in said if days.isdigit()}
    if len(said) > 1 or (asked is not None and stated and stated != {asked}):
        known = of.words.format(", ".join(sorted(days or "unknown" for days in said)))
        raise DataError(
            f"labelled {known}" + ("" if asked is None else f", not {asked}"),
            where=str(path),
            mend=f"Observe all rows anew, or train with their {of.option}",
        )
    return asked or next(iter(stated), None)


def _accounts(path: Path | None) -> pa.Table | None:
    return None if path is None else read_parquet(path, accounts_schema(), table="accounts")


def _observations(path: Path) -> pa.Table:
    return read_parquet(path, observations_schema(), table="observations")
