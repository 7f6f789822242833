"""What stdout and stderr can spell: ¥ and Chinese in every locale."""

import codecs
import json
import sys
from io import TextIOWrapper
from typing import Any, TextIO


def speak_every_language() -> None:
    """Let stdout and stderr take any character, whatever the locale's encoding.

    Where that is ASCII, as under `LC_ALL=C`, UTF-8 is written. Another one (GBK has no `¥`) stays
    as it is, since a terminal reads it, and what it lacks is escaped.
    """
    for stream in (sys.stdout, sys.stderr):
        if not isinstance(stream, TextIOWrapper) or _is(stream, "utf-8"):
            continue
        if _is(stream, "ascii"):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
        else:
            stream.reconfigure(errors="backslashreplace")


def _is(stream: TextIO, encoding: str) -> bool:
    return codecs.lookup(stream.encoding or "utf-8").name == encoding


def json_text(payload: Any, indent: int | None = None) -> str:
    """Return strict JSON for stdout, escaped where its encoding may lack a character."""
    escaped = not _is(sys.stdout, "utf-8")
    return json.dumps(payload, ensure_ascii=escaped, indent=indent, default=str, allow_nan=False)
