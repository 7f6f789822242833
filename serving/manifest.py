"""What a scoring run was made from and what it came to; its manifest is its commit."""

import hashlib
import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from relimit.data.errors import DataError
from relimit.data.files import parquet_files

MANIFEST: Final = "manifest.json"
UNFINISHED: Final = "_unfinished"
"""Marks a folder whose run has begun and not ended."""
RESULTS: Final = ("decisions", "quarantine")


def fingerprint(path: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of each Parquet part of a folder, by its name in there.

    Raises
    ------
    DataError
        If there is nothing at `path`.
    """
    digests = {}
    for file in parquet_files(path):
        name = file.relative_to(path).as_posix() if path.is_dir() else file.name
        with file.open("rb") as stream:
            digests[name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def finished_run(out: Path, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the manifest of a finished run of the same inputs in `out`; None if none finished.

    Raises
    ------
    DataError
        If a run of other inputs finished there, its files are no longer whole, or the folder
        holds what no run of ours left: nothing of another's is mixed with or written over.
    """
    path = out / MANIFEST
    if not path.exists():
        _refuse_what_is_not_ours(out)
        return None
    manifest = _read(path)
    changed = sorted(name for name in inputs if manifest["inputs"].get(name) != inputs[name])
    if changed:
        raise DataError(
            f"holds a finished run of other inputs ({', '.join(changed)} differ)",
            where=str(out),
            mend="Choose another --out; a finished run is never overwritten",
        )
    lost = [
        f"{folder}/{name}"
        for folder, names in manifest["files"].items()
        for name in names
        if not (out / folder / name).exists()
    ]
    if lost:
        raise DataError(
            f"the finished run lacks {', '.join(lost)}",
            where=str(out),
            mend="Bring the files back, or choose another --out",
        )
    return manifest


@contextmanager
def begun_run(out: Path) -> Iterator[None]:
    """Mark a folder as ours while a run writes to it; one that fails leaves nothing behind.

    A run that is killed leaves its mark, and the next one begins by clearing what it wrote.
    """
    made = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    (out / UNFINISHED).touch()
    _clear(out)
    try:
        yield
    except BaseException:
        _clear(out)
        (out / UNFINISHED).unlink()
        if made:
            out.rmdir()
        raise
    (out / UNFINISHED).unlink()


def _clear(out: Path) -> None:
    for name in RESULTS:
        if (out / name).exists():
            shutil.rmtree(out / name)


def _read(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return {name: dict(manifest[name]) for name in ("inputs", "counts", "money", "files")}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            "is not the manifest of a run", where=str(path), mend="Choose another --out"
        ) from error


def _refuse_what_is_not_ours(out: Path) -> None:
    """Raise unless the folder is new, or holds a run of ours that was cut off."""
    there = [name for name in RESULTS if (out / name).exists()]
    if there and not (out / UNFINISHED).exists():
        raise DataError(
            f"holds {' and '.join(there)} of another making",
            where=str(out),
            mend="Choose another --out; what is there is never overwritten",
        )
