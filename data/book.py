"""A book: the folder that holds the tables of one portfolio."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import pyarrow as pa
import pyarrow.compute as pc

from relimit.data.errors import DataError
from relimit.data.files import open_parquet, unreadable, validate_schema
from relimit.data.schema import TIME, events_schema
from relimit.data.times import parse_time

SETTINGS_FILE: Final = "book.json"
TABLES: Final = ("events", "decisions", "observations", "accounts")


@dataclass(frozen=True, slots=True)
class Book:
    """Where the tables of a portfolio are; each is a Parquet file or a folder of parts.

    Attributes
    ----------
    events
        The one table that every book has.
    decisions, observations, accounts
        None where the book has no such table. A simulated book's oracle has a reader of its own,
        which what is trained and decided can't import.
    settings
        What `book.json` says; empty without it.
    """

    events: Path
    decisions: Path | None
    observations: Path | None
    accounts: Path | None
    settings: Mapping[str, Any]

    @classmethod
    def open(cls, path: Path) -> Self:
        """Find the tables of a book, or take a lone events file for a book without others.

        Raises
        ------
        DataError
            Nothing is there, the folder has no events or has them twice, or `book.json` is broken.
        """
        if path.is_file():
            return cls(path, None, None, None, {})
        if not path.is_dir():
            mend = "Give a folder with events.parquet"
            raise DataError("there is no such folder", where=str(path), mend=mend)
        tables = {name: find_table(path, name) for name in TABLES}
        events = tables.pop("events")
        if events is None:
            present = ", ".join(sorted(file.name for file in path.iterdir())) or "nothing"
            what = f"neither events.parquet nor a folder events is in it (it has: {present})"
            raise DataError(what, where=str(path), mend="Put the events there under that name")
        return cls(events=events, settings=read_settings(path), **tables)

    @property
    def as_of(self) -> datetime:
        """When the book ends, in UTC: as `book.json` says, else when the last event was learned of.

        Raises
        ------
        DataError
            `book.json` has a time without a zone, or the events can't be read or are none.
        """
        stated = self.settings.get("as_of")
        if stated is None:
            return latest_known_at(self.events)
        return parse_time(stated, where=f"{self.events.parent / SETTINGS_FILE}, as_of")


def find_table(folder: Path, name: str) -> Path | None:
    """Return `NAME.parquet` or the folder `NAME`, None if the book has neither.

    Raises
    ------
    DataError
        It has both.
    """
    file, parts = folder / f"{name}.parquet", folder / name
    if file.exists() and parts.is_dir():
        what = f"it has both {file.name} and a folder {name}"
        raise DataError(what, where=str(folder), mend="Keep the one that is right")
    if file.exists():
        return file
    return parts if parts.is_dir() else None


def read_settings(folder: Path) -> Mapping[str, Any]:
    """Return what a folder's `book.json` says; empty without it.

    Raises
    ------
    DataError
        It is not a JSON object.
    """
    file = folder / SETTINGS_FILE
    if not file.exists():
        return {}
    try:
        settings = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        mend = "Mend it or leave it out"
        raise DataError(f"is not valid JSON: {error}", where=str(file), mend=mend) from error
    if not isinstance(settings, dict):
        raise DataError("is not a JSON object", where=str(file), mend="Mend it or leave it out")
    return settings


def events_as_of(events: Path) -> datetime:
    """Return when the book that an events file lies in ends; see `Book.as_of`."""
    settings = read_settings(events.parent)
    return Book(events, None, None, None, settings).as_of


def latest_known_at(events: Path) -> datetime:
    """Return when the lender learned of the last event, in UTC.

    Raises
    ------
    DataError
        The events can't be read, or there are none.
    """
    found = validate_schema(events, events_schema(), "events")
    latest = [time for file in found.files for time in _latest(file)]
    if not latest:
        raise DataError("has no events", where=str(events), mend="Give events, or say as_of")
    return max(latest)


def _latest(file: Path) -> list[datetime]:
    """Return the latest `known_at`, `ts` where that is null, of each row group that has rows."""
    latest = []
    with open_parquet(file) as opened:
        names = [name for name in ("known_at", "ts") if name in opened.schema_arrow.names]
        for group in range(opened.num_row_groups):
            try:
                rows = opened.read_row_group(group, columns=names)
            except (pa.ArrowException, OSError) as error:
                raise unreadable(file, error) from error
            times = [rows[name].cast(TIME, safe=False) for name in names]
            latest.append(pc.max(pc.coalesce(*times)).as_py())
    return [time for time in latest if time is not None]
