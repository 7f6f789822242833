"""Read what a command was given: a book, or the files named in its place."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data import Book, read_parquet
from relimit.data.errors import DataError
from relimit.data.files import open_parquet, validate_schema
from relimit.data.observe import observe
from relimit.data.schema import (
    accounts_schema,
    decisions_log_schema,
    observations_schema,
    snapshots_schema,
)
from relimit.data.vocabulary import BAD_DAYS_PAST_DUE, BAD_HORIZON_DAYS

HORIZON: Final = b"relimit.horizon_days"
"""What a file of observations says of itself, beside its columns: over how many days."""


@dataclass(frozen=True, slots=True)
class TrainingInput:
    """An events file, the observations that go with it, over how many days, and accounts."""

    events: Path
    observations: pa.Table
    horizon_days: int = BAD_HORIZON_DAYS
    accounts: pa.Table | None = None


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
        found = json.loads(path.read_text(encoding="utf-8"))
        codes = {str(name): [float(code) for code in listed] for name, listed in found.items()}
    except OSError as error:
        raise DataError(
            f"can't be read: {error.strerror}",
            where=str(path),
            mend="Give a file that you may read",
        ) from error
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
    accounts: Path | None = None,
) -> TrainingInput:
    """Return what to train or compare on; a book's own observations come before its log.

    A log is observed for `horizon_days`, 180 unless given. Labelled observations are taken as they
    are; unless given, the horizon is what their file says, which `relimit observe` writes there.
    `accounts` given by their own path come before a book's.

    Raises
    ------
    DataError
        If a table breaks its contract, or observations were labelled over another horizon.
    """
    if isinstance(source, tuple):
        events, observations = source
        known = _horizon(observations, horizon_days)
        return TrainingInput(events, _observations(observations), known, _accounts(accounts))
    book = Book.open(source)
    audit = accounts or book.accounts
    if book.observations:
        known = _horizon(book.observations, horizon_days)
        labelled = _observations(book.observations)
    else:
        known = horizon_days or BAD_HORIZON_DAYS
        labelled = observe_files(source, horizon_days=known)
    return TrainingInput(book.events, labelled, known, _accounts(audit))


def say_horizon(observations: pa.Table, horizon_days: int) -> pa.Table:
    """Return observations whose file will say over how many days they were labelled."""
    return observations.replace_schema_metadata({HORIZON: str(horizon_days)})


def _horizon(path: Path, asked: int | None) -> int:
    """Return over how many days observations were labelled, as asked or as their files say."""
    said = set()
    for file in validate_schema(path, observations_schema(), "observations").files:
        with open_parquet(file) as opened:
            said.add((opened.schema_arrow.metadata or {}).get(HORIZON, b"").decode())
    stated = {int(days) for days in said if days.isdigit()}
    if len(said) > 1 or (asked is not None and stated and stated != {asked}):
        raise DataError(
            f"labelled over {', '.join(sorted(days or 'unknown' for days in said))} days"
            + ("" if asked is None else f", not {asked}"),
            where=str(path),
            mend="Observe all rows anew, or train with their --horizon",
        )
    return asked or next(iter(stated), BAD_HORIZON_DAYS)


def _accounts(path: Path | None) -> pa.Table | None:
    return None if path is None else read_parquet(path, accounts_schema(), table="accounts")


def _observations(path: Path) -> pa.Table:
    return read_parquet(path, observations_schema(), table="observations")
