"""Where MLflow keeps its runs: the tracking URI, its SQLite file and that file's lock."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

from relimit.data.errors import ModelError

SQLITE: Final = "sqlite:///"
LOCK_SECONDS: Final = 300.0


def default_uri() -> str:
    """Return `MLFLOW_TRACKING_URI`, or a SQLite file in the working directory."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"{SQLITE}mlflow.db"


def sqlite_file(tracking_uri: str) -> Path | None:
    """Return the absolute path of a SQLite store's file; None for any other store.

    Examples
    --------
    >>> sqlite_file("sqlite:////srv/mlflow.db").as_posix()
    '/srv/mlflow.db'
    >>> sqlite_file("https://mlflow.example") is None
    True
    """
    if not tracking_uri.startswith(SQLITE):
        return None
    return Path(tracking_uri.removeprefix(SQLITE)).absolute()


def artifact_root(tracking_uri: str, experiment: str) -> str | None:
    """Return the folder beside a SQLite store for an experiment's files; None: the server's own."""
    store = sqlite_file(tracking_uri)
    return None if store is None else (store.parent / "mlartifacts" / experiment).as_uri()


@contextmanager
def store_lock(tracking_uri: str, work: str = "") -> Iterator[None]:
    """Hold a SQLite store's lock, so that one process alone makes and migrates its tables.

    Another kind of `work`, named, has a lock of its own.

    The lock is an exclusive transaction on an empty SQLite file beside the store: it works on every
    system and ends with its process. Other stores guard themselves.

    Raises
    ------
    ModelError
        If the store's folder can't be written, or the lock isn't free within five minutes.
    """
    store = sqlite_file(tracking_uri)
    if store is None:
        yield
        return
    lock = store.with_name(f"{store.name}.{work}.lock" if work else f"{store.name}.lock")
    try:
        store.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(lock, timeout=LOCK_SECONDS, isolation_level=None)
        connection.execute("BEGIN EXCLUSIVE")
    except (OSError, sqlite3.Error) as error:
        raise ModelError(
            f"can't lock the MLflow store: {error}",
            where=str(lock),
            mend="Choose a folder that can be written with --tracking-uri or MLFLOW_TRACKING_URI",
        ) from error
    with closing(connection):
        yield


def require_store(tracking_uri: str) -> None:
    """Raise ModelError if a SQLite store that is to be read doesn't exist; reading makes none."""
    store = sqlite_file(tracking_uri)
    if store is not None and not store.is_file():
        raise ModelError(
            "no MLflow store here",
            where=str(store),
            mend="Train a model first, or say where the store is with --tracking-uri or "
            "MLFLOW_TRACKING_URI",
        )
