"""What people see: summaries on stdout, progress on stderr."""

import math
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from relimit.data.vocabulary import FEN_PER_YUAN
from relimit.serving.streams import json_text


def yuan(fen: int, currency: str = "¥") -> str:
    """Return money as people write it, the sign of its currency before it.

    Examples
    --------
    >>> yuan(123456)
    '¥1,234.56'
    >>> yuan(-5)
    '-¥0.05'
    """
    sign = "-" if fen < 0 else ""
    whole, cents = divmod(abs(fen), FEN_PER_YUAN)
    return f"{sign}{currency}{whole:,}.{cents:02d}"


WHOLE_FROM: Final = 10_000
"""Figures from here on are shown whole."""


def figure(value: float) -> str:
    """Return a figure with four digits; counts, and what is large, whole; a dash if there is none.

    Examples
    --------
    >>> figure(13140.0), figure(0.70613), figure(1398492.4), figure(float("nan"))
    ('13,140', '0.7061', '1,398,492', '–')
    """
    if math.isnan(value):
        return "–"
    whole = float(value).is_integer() or abs(value) >= WHOLE_FROM
    return f"{value:,.0f}" if whole else f"{value:,.4g}"


def finite(value: Any) -> Any:
    """Return a value without NaN and infinities, which JSON lacks: they become null.

    Examples
    --------
    >>> finite({"auc": 0.75, "slope": [float("nan"), float("inf")]})
    {'auc': 0.75, 'slope': [None, None]}
    """
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


def wide_console() -> Console:
    """Return a console on stdout, as wide as the terminal; 120 columns where there is none.

    Text is printed as it is: brackets in a type, an id or a path are no markup.
    """
    width = None if sys.stdout.isatty() else 120
    return Console(highlight=False, soft_wrap=True, markup=False, emoji=False, width=width)


def emit(payload: Mapping[str, Any], *, as_json: bool, summary: Callable[[Console], None]) -> None:
    """Print `payload` as one JSON object, or else let `summary` write for a person."""
    if as_json:
        click.echo(json_text(finite(payload)))
    else:
        summary(wide_console())


def pairs(console: Console, title: str, rows: Mapping[str, object]) -> None:
    """Print a short table of names and values."""
    table = Table(title=title, title_justify="left", show_header=False, box=None, pad_edge=False)
    for name, value in rows.items():
        table.add_row(f"  {name}", str(value))
    console.print(table)


class _Rate(ProgressColumn):
    """How much is done a second; of what was done at one stroke, since it began."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        if speed is None and task.completed and task.elapsed:
            speed = task.completed / task.elapsed
        return Text("" if speed is None else f"{speed:,.0f}/s")


@contextmanager
def progress(label: str, total: int | None) -> Iterator[Callable[[int], None]]:
    """Show a bar on stderr; the yielded function takes how much more is done."""
    with _bar() as bar:
        task = bar.add_task(label, total=total)
        yield lambda done: bar.advance(task, done)


@contextmanager
def progress_to(label: str) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr; the yielded function takes how much is done, and of how much.

    Where stderr is no terminal, as in a nightly job's log, there is a line now and then, and the
    bar at the end.
    """
    with _bar() as bar:
        task = bar.add_task(label, total=None)
        told = bar.get_time()

        def advance(done: int, total: int) -> None:
            nonlocal told
            bar.update(task, completed=done, total=total)
            now, speed, left = bar.get_time(), bar.tasks[0].speed, bar.tasks[0].time_remaining
            if bar.console.is_terminal or now - told < SECONDS_A_LINE or not speed or left is None:
                return
            told, rest = now, timedelta(seconds=left)
            click.echo(f"{label}: {done:,} of {total:,}, {speed:,.0f}/s, {rest} left", err=True)

        yield advance


SECONDS_A_LINE: Final = 15


def _bar() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


@contextmanager
def stages(label: str) -> Iterator[Callable[[str], None]]:
    """Show a spinner on stderr whose text the yielded function changes."""
    console = Console(stderr=True)
    with console.status(label) as status:
        yield lambda stage: status.update(f"{label}: {stage}")
