"""What a scoring run was made from and what it came to; its manifest is its commit."""

import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from relimit.data.errors import DataError

MANIFEST: Final = "manifest.json"
DECISIONS: Final = "decisions"
QUARANTINE: Final = "quarantine"
ANSWERS: Final = (DECISIONS, QUARANTINE)
"""Folders whose rows are the answers; every prepayment is in one of them."""
OPEN: Final = "open"
"""The folder of what a later night takes up."""
RESULTS: Final = (*ANSWERS, OPEN)

Inputs = Callable[[], Mapping[str, Any]]
"""Returns what a run is made from, by name; they may still be worked out when it is called."""


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def differing(recorded: Mapping[str, Any], inputs: Mapping[str, Any]) -> list[str]:
    """Return the names of the inputs that are not those recorded."""
    names = recorded.keys() | inputs.keys()
    return sorted(name for name in names if recorded.get(name) != inputs.get(name))


def finished_run(out: Path, inputs: Inputs) -> dict[str, Any] | None:
    """Return the manifest of a finished run of the same inputs in `out`; None if none finished.

    Raises
    ------
    DataError
        If a run of other inputs finished there, or its files are no longer what it wrote: nothing
        is mixed with it or written over it.
    """
    path = out / MANIFEST
    if not path.exists():
        return None
    manifest = _read(path)
    changed = differing(manifest["inputs"], inputs())
    if changed:
        raise DataError(
            f"holds a finished run of other inputs ({', '.join(changed)} differ)",
            where=str(out),
            mend="Choose another --out; a finished run is never overwritten",
        )
    _require_whole(out, manifest)
    return manifest


def read_run(out: Path) -> dict[str, Any]:
    """Return the manifest of a finished run.

    Raises
    ------
    DataError
        If none finished in `out`, or its files are no longer what it wrote.
    """
    if not (out / MANIFEST).exists():
        mend = "Give the --out of a run that has finished"
        raise DataError("holds no finished run", where=str(out), mend=mend)
    manifest = _read(out / MANIFEST)
    _require_whole(out, manifest)
    return manifest


def _require_whole(out: Path, manifest: Mapping[str, Any]) -> None:
    """Raise DataError if a file of the run is absent or has changed."""
    lost = [
        f"{folder}/{name}"
        for folder, digests in manifest["files"].items()
        for name, digest in digests.items()
        if not is_whole(out / folder / name, digest)
    ]
    if lost:
        raise DataError(
            f"the finished run lacks {', '.join(lost)}, or they have changed",
            where=str(out),
            mend="Bring the files back, or choose another --out",
        )


def is_whole(file: Path, digest: str) -> bool:
    """Return whether a file is there with the bytes that were written."""
    return file.is_file() and sha256_of(file) == digest


def _read(path: Path) -> dict[str, Any]:
    try:
        manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        kept = ("inputs", "counts", "quarantined", "money", "files", "unknown_kinds", "timings")
        binding = manifest.get("binding", {})  # a run that an older version finished lacks it
        return {**{name: dict(manifest[name]) for name in kept}, "binding": dict(binding)}
    except (ValueError, TypeError, KeyError) as error:
        raise DataError(
            "is not the manifest of a run", where=str(path), mend="Choose another --out"
        ) from error
