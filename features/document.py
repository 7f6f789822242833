"""The catalogue as a page of documentation."""

import itertools
import sys
from collections.abc import Iterable
from pathlib import Path

from relimit.features.registry import Feature, catalogue, catalogue_hash

_ARROWS = {1: "up", -1: "down", 0: ""}


def render_catalogue() -> str:
    """Return every feature as Markdown, family by family."""
    features = catalogue()
    parts = [
        "# Features",
        f"{len(features)} columns, all float64; a null is NaN. They are computed from the events "
        "known at the snapshot; a trailing window is `(as_of - w, as_of]` on `known_at`. *Risk* is "
        "the direction in which risk is expected to move as the feature rises. The models are held "
        "to it; where it is empty, they learn the direction.",
        f"Catalogue hash: `{catalogue_hash()}`. This page is written by "
        "`relimit.features.document.write_catalogue`.",
    ]
    for family, members in itertools.groupby(features, key=lambda known: known.family):
        parts += _family(family, tuple(members))
    return "\n\n".join(parts) + "\n"


def _family(family: str, members: tuple[Feature, ...]) -> Iterable[str]:
    module = sys.modules.get(f"relimit.features.{family}")
    yield f"## {family}"
    if module is not None and module.__doc__:
        yield " ".join(module.__doc__.split())
    rows = [
        "| feature | unit | window | risk | meaning | null | source |",
        "|---|---|---|---|---|---|---|",
    ]
    rows += [
        f"| `{known.name}` | {known.unit} | {window_words(known.window)} | {_ARROWS[known.risk]} | "
        f"{known.description} | "
        f"{known.null} | {known.source} |"
        for known in members
    ]
    yield "\n".join(rows)


def window_words(window: int | None) -> str:
    """Return the days that a feature looks back.

    Examples
    --------
    >>> window_words(30), window_words(None)
    ('30 d', 'all')
    """
    return "all" if window is None else f"{window} d"


def write_catalogue(path: Path) -> None:
    """Write the page."""
    path.write_text(render_catalogue(), encoding="utf-8")
