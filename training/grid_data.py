"""A document's tables as data, and its pictures, by names that are the same in every version."""

import json
import math
import re
from collections.abc import Iterator
from typing import Any, Final

from relimit.training.discrimination import Interval
from relimit.training.document import Cell, Document, Grid, Picture

TABLES: Final = "tables"
"""The folder of a report's tables as data."""
PLOTS: Final = "plots"
"""The folder of the pictures that a version records."""


def grids_by_name(document: Document) -> dict[str, Grid]:
    """Return a document's tables by the words of their section and caption.

    The same table has the same name in every version; a caption's words after a comma, colon,
    semicolon or bracket don't count.

    Examples
    --------
    >>> from relimit.training.document import Section
    >>> grid = Grid("Ranking, with limits", ("", "naive"), (("auc", 0.7),))
    >>> list(grids_by_name(Document("Report", (Section("How it ranks", (grid,)),))))
    ['how_it_ranks-ranking']
    """
    return {
        f"{_words(section.title)}-{_words(block.caption)}": block
        for section in document.sections
        for block in section.blocks
        if isinstance(block, Grid)
    }


def pictures_by_name(document: Document) -> dict[str, bytes]:
    """Return a document's pictures, PNG, named as `grids_by_name` names its tables."""
    return {
        f"{_words(section.title)}-{_words(block.caption)}": block.png
        for section in document.sections
        for block in section.blocks
        if isinstance(block, Picture)
    }


def grid_json(grid: Grid) -> str:
    """Return a table as JSON in the form of MLflow's own tables: `columns`, and `data` by row.

    A column with limits becomes three, the lower `<name> low`, the upper `<name> high`; what is
    NaN or infinite is null.

    Examples
    --------
    >>> grid_json(Grid("", ("", "auc"), (("a", Interval(0.7, 0.6, 0.8)), ("b", None))))
    '{"columns": ["", "auc", "auc low", "auc high"], "data": [["a", 0.7, 0.6, 0.8], ["b", null, \
null, null]]}'
    """
    limited = [
        any(isinstance(row[place], Interval) for row in grid.rows)
        for place in range(len(grid.columns))
    ]
    columns = [
        name
        for head, has_limits in zip(grid.columns, limited, strict=True)
        for name in ((head, f"{head} low", f"{head} high") if has_limits else (head,))
    ]
    data = [
        [value for cell, wide in zip(row, limited, strict=True) for value in _values(cell, wide)]
        for row in grid.rows
    ]
    return json.dumps({"columns": columns, "data": data}, ensure_ascii=False, allow_nan=False)


def _values(cell: Cell, has_limits: bool) -> Iterator[Any]:
    if isinstance(cell, Interval):
        yield from map(_plain, (cell.value, cell.low, cell.high))
        return
    yield _plain(cell)
    if has_limits:
        yield from (None, None)


def _plain(value: Any) -> Any:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return value


def _words(text: str) -> str:
    return "_".join(re.findall(r"[^\W_]+", re.split(r"[,;:(]", text)[0].lower()))
