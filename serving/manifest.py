"""What a scoring run was made from and what it came to; its manifest is its commit."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from relimit.data.errors import DataError

MANIFEST: Final = "manifest.json"


def fingerprint(path: Path) -> dict[str, str]:
    """Return the SHA-256 of a file, or of each Parquet part of a folder, by name.

    Raises
    ------
    DataError
        If there is nothing at `path`.
    """
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files or not files[0].exists():
        raise DataError(
            "not found", where=str(path), mend="Give a Parquet file or a folder of parts"
        )
    digests = {}
    for file in files:
        with file.open("rb") as stream:
            digests[file.name] = hashlib.file_digest(stream, "sha256").hexdigest()
    return digests


def finished_run(out: Path, inputs: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the manifest of a finished run of the same inputs in `out`; None if none finished.

    Raises
    ------
    DataError
        If a run of other inputs finished there: its decisions are not mixed with new ones.
    """
    path = out / MANIFEST
    if not path.exists():
        return None
    manifest: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    changed = sorted(name for name in inputs if manifest["inputs"].get(name) != inputs[name])
    if changed:
        raise DataError(
            f"holds a finished run of other inputs ({', '.join(changed)} differ)",
            where=str(out),
            mend="Choose another --out; a finished run is never overwritten",
        )
    return manifest
