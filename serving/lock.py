"""One run writes to a folder at a time; the next one is told who does."""

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from relimit.data.atomic import make_folder
from relimit.data.errors import DataError, unless_refused

LOCK: Final = "_lock"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Hold a folder, which is made if absent, against other processes; removed if left empty.

    The system lets go of the lock of a process that has died, so that it is no obstacle.

    Raises
    ------
    DataError
        Another process holds it (the message says which), or it can't be written to.
    """
    mend = "Choose a folder that can be written with --out"
    with unless_refused("can't be written", where=str(out), mend=mend):
        made = make_folder(out)
        handle = _acquire(out / LOCK)
    try:
        yield
    finally:
        (out / LOCK).unlink()
        os.close(handle)
        with suppress(OSError):  # those that are not empty stay
            for folder in made:
                folder.rmdir()


def _acquire(path: Path) -> int:
    """Return the handle of the lock file, held; the file may be another's leaving just now."""
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = _holder(handle)
            os.close(handle)
            mend = "Wait until it has finished, stop it, or choose another --out"
            raise DataError(
                f"another run is writing here ({holder})", where=str(path.parent), mend=mend
            ) from error
        if _is_there_still(handle, path):
            now = datetime.now(UTC).isoformat(timespec="seconds")
            own = {"pid": os.getpid(), "host": socket.gethostname(), "since": now}
            os.truncate(handle, 0)
            os.write(handle, json.dumps(own).encode())
            return handle
        os.close(handle)


def _is_there_still(handle: int, path: Path) -> bool:
    """Return whether the file that was locked is the one that others will find."""
    try:
        return os.path.samestat(os.fstat(handle), path.stat())
    except FileNotFoundError:
        return False


def _holder(handle: int) -> str:
    """Return who says to hold the lock."""
    try:
        told = json.loads(os.pread(handle, 1 << 16, 0))
        return f"process {told['pid']} on {told['host']} since {told['since']}"
    except (ValueError, KeyError, TypeError):  # it has not written it yet
        return "it began just now"
