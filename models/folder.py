"""An artifact folder on the disk: it appears whole or not at all, and is read once, checked."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from relimit.data.atomic import make_folder, sync
from relimit.data.errors import ModelError, unless_refused

MOST_BYTES = 1 << 30


def sha256(content: bytes) -> str:
    """Return the SHA-256 of the bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()


def write_folder(files: Mapping[str, bytes], folder: Path) -> None:
    """Write the files into a new folder: staged beside it, synced, renamed.

    Raises
    ------
    ModelError
        If the folder already holds something, or the system refuses.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ModelError("is not empty", where=str(folder), mend="Choose another folder.")
    staging = folder.with_name(f"_{folder.name}.{secrets.token_hex(4)}.tmp")
    mend = "Make room, or choose another folder."
    with unless_refused("can't be written", where=str(folder), mend=mend, error=ModelError):
        try:
            make_folder(folder.parent)
            staging.mkdir()
            for name, content in files.items():
                with (staging / name).open("xb") as file:
                    file.write(content)
                    file.flush()
                    os.fsync(file.fileno())
            sync(staging)
            staging.replace(folder)
            sync(folder.parent)
        except BaseException:
            with suppress(OSError):
                shutil.rmtree(staging)
            raise


def read_bytes(path: Path, most: int = MOST_BYTES) -> bytes:
    """Read a regular file once.

    Raises
    ------
    ModelError
        If it is absent, a link, larger than `most` bytes, or can't be read.
    """
    if path.is_symlink() or not path.is_file():
        what = "is a link" if path.is_symlink() else "is absent or not a file"
        raise ModelError(what, where=str(path), mend="Give the folder of a saved model, whole.")
    where, mend = str(path), "Make it readable."
    with (
        unless_refused("can't be read", where=where, mend=mend, error=ModelError),
        path.open("rb") as file,
    ):
        content = file.read(most + 1)
    if len(content) > most:
        raise ModelError(
            f"holds more than {most} bytes", where=str(path), mend="Fetch or save the model again."
        )
    return content


def read_checked(folder: Path, listed: Mapping[str, Any]) -> dict[str, bytes]:
    """Read the listed files, each once, and compare size and SHA-256 before anyone parses them.

    Parameters
    ----------
    folder
        Where they are.
    listed
        By plain file name: `{"bytes": int, "sha256": str}`.

    Raises
    ------
    ModelError
        If a name leaves the folder, or a file is absent, or was cut, edited or exchanged.
    """
    out = {}
    for name, stated in listed.items():
        if not name or name != Path(name).name or name in {".", ".."} or "\\" in name:
            raise ModelError(f"a file name that leaves the folder: {name!r}", where=str(folder))
        size = min(max(int(stated["bytes"]), 0), MOST_BYTES)
        out[name] = read_bytes(folder / name, most=size)
        check_bytes(out[name], stated, str(folder / name))
    return out


def check_bytes(content: bytes, stated: Mapping[str, Any], where: str) -> None:
    """Raise ModelError unless a file's bytes are those of which size and SHA-256 are stated."""
    size, digest = stated["bytes"], stated["sha256"]
    if len(content) != size or sha256(content) != digest:
        raise ModelError(
            f"is not the file that was saved ({len(content)} bytes where {size} are stated, "
            f"SHA-256 {sha256(content)[:12]} where {str(digest)[:12]} is stated)",
            where=where,
            mend="Fetch or save the model again.",
        )
