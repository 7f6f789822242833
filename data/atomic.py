"""Files that appear whole or not at all: staged in their own folder, synced, renamed."""

import errno
import json
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from relimit.data.errors import unless_refused

_MEND: Final = "Make room, or choose a folder that can be written"


@contextmanager
def staged(path: Path) -> Iterator[Path]:
    """Yield a staging path beside `path`; rename it to `path` when the body ends well.

    The staging name starts with `_`, which readers of a folder of parts skip. The bytes are synced
    to the disk before the rename, and the folder after it, so that a reader sees the old file or
    the new one, never a part. Missing parent folders are made. If the body fails, the staging file
    and the folders made for it are removed and an earlier `path` stays as it was.

    Raises
    ------
    DataError
        The system refuses: no room, no permission, a folder of that name.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     target = Path(folder) / "new" / "note.txt"
    ...     with staged(target) as staging:
    ...         _ = staging.write_text("whole")
    ...     target.read_text(), [file.name for file in target.parent.iterdir()]
    ('whole', ['note.txt'])
    """
    staging = path.with_name(f"_{path.name}.{secrets.token_hex(4)}.tmp")
    with unless_refused("can't be written", where=str(path), mend=_MEND):
        made = _absent(path.parent)
        try:
            make_folder(path.parent)
            yield staging
            sync(staging)
            staging.replace(path)
            sync(path.parent)
        except BaseException:
            with suppress(OSError):
                staging.unlink(missing_ok=True)
            _remove_empty(made)
            raise


def refuse_unwritable(out: Path, *, folder: bool = True) -> None:
    """Refuse, before long work, an output that can't be written after it; leave nothing there.

    Parameters
    ----------
    out
        The folder that files will be written into or, unless `folder`, the file.

    Raises
    ------
    DataError
        The system refuses: no permission, a file where there should be a folder, or the reverse.
    """
    inside = out if folder else out.parent
    with unless_refused("can't be written", where=str(out), mend=_MEND):
        if not folder and out.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        made = _absent(inside)
        try:
            make_folder(inside)
            trial = inside / f"_{secrets.token_hex(4)}.tmp"
            trial.touch(exist_ok=False)
            trial.unlink()
        finally:
            _remove_empty(made)


def write_json(payload: Mapping[str, object], path: Path) -> None:
    """Write a mapping as UTF-8 JSON, whole or not at all.

    Raises
    ------
    DataError
        The system refuses to write.
    ValueError
        A number is not finite: strict JSON has no word for it.
    """
    text = json.dumps(payload, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    with staged(path) as staging:
        staging.write_text(text, encoding="utf-8")


def make_folder(folder: Path) -> list[Path]:
    """Make a folder and those above it, so that they last; return those that were not there.

    Raises
    ------
    OSError
        The system refuses.
    """
    made = _absent(folder)
    folder.mkdir(parents=True, exist_ok=True)
    for each in made:
        with suppress(PermissionError):  # who may add to a folder may not always read it
            sync(each.parent)
    return made


def _absent(folder: Path) -> list[Path]:
    """Return what isn't there of a folder and those above it, innermost first."""
    return [each for each in (folder, *folder.parents) if not each.exists()]


def sync(path: Path) -> None:
    """Force a file or a folder's entries to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def move(source: Path, target: Path) -> None:
    """Give a file or folder another name on the same disk, so that it lasts.

    Raises
    ------
    OSError
        The system refuses.
    """
    source.rename(target)
    sync(target.parent)
    sync(source.parent)


def _remove_empty(folders: list[Path]) -> None:
    """Remove those folders, innermost first, that are still empty."""
    for folder in folders:
        with suppress(OSError):
            folder.rmdir()
