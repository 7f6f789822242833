"""Options that several commands share, defined once."""

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

Command = Callable[..., Any]

PATH = click.Path(path_type=Path)


class Instant(click.ParamType[datetime]):
    """A point in time in ISO 8601; without a zone it is UTC.

    Examples
    --------
    >>> Instant().convert("2026-03-01", None, None).isoformat()
    '2026-03-01T00:00:00+00:00'
    >>> Instant().convert("2026-03-01T08:00:00+08:00", None, None).isoformat()
    '2026-03-01T00:00:00+00:00'
    """

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Return `value` in UTC, or fail as wrong usage."""
        if isinstance(value, datetime):
            return value
        try:
            parsed = datetime.fromisoformat(value)
            return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
        except (ValueError, OverflowError):
            self.fail(f"{value!r} is not a time such as 2026-03-01T08:00:00+08:00", param, ctx)


def json_option(command: Command) -> Command:
    """Add `--json`: one JSON object on stdout in place of the summary."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead.")(
        command
    )


def workers_option(command: Command) -> Command:
    """Add `--workers`, two unless said otherwise."""
    return click.option(
        "--workers",
        type=click.IntRange(min=1),
        default=2,
        show_default=True,
        help="Blocks of accounts worked on at once; the result doesn't depend on it.",
    )(command)


def tracking_option(command: Command) -> Command:
    """Add `--tracking-uri`."""
    return click.option(
        "--tracking-uri",
        help="MLflow store; default: MLFLOW_TRACKING_URI, else sqlite:///mlflow.db in this folder.",
    )(command)


def predictor_option(command: Command) -> Command:
    """Add `--predictor`; its choices are `relimit.models.PREDICTORS`, heavy to import."""
    return click.option(
        "--predictor",
        type=click.Choice(["auto", "lightgbm", "fast"]),
        default="auto",
        show_default=True,
        help="What scores large batches of trees; fast is an extra. The result is the same.",
    )(command)


def model_option(command: Command) -> Command:
    """Add `--model`."""
    return click.option(
        "--model", required=True, help="Model: models:/name@alias, runs:/..., or a folder."
    )(command)


def policy_option(command: Command) -> Command:
    """Add `--policy`."""
    return click.option("--policy", type=PATH, help="Policy file; default: the packaged one.")(
        command
    )


def plugin_option(command: Command) -> Command:
    """Add `--plugin`, and let installed plugins' features join the catalogue in any case."""
    return click.option(
        "--plugin",
        multiple=True,
        metavar="MODULE",
        expose_value=False,
        callback=_load_plugins,
        help="A module of your own features; may be repeated.",
    )(command)


def _load_plugins(ctx: click.Context, _: click.Parameter, modules: tuple[str, ...]) -> None:
    from relimit.features import load_plugins

    if ctx.resilient_parsing:
        return
    if modules and str(Path.cwd()) not in sys.path:  # an entry point doesn't search it
        sys.path.insert(0, str(Path.cwd()))
    load_plugins(modules)


def book_or_events(extra: str, meaning: str) -> Callable[[Command], Command]:
    """Add an optional BOOK and, in its place, `--events` with `--<extra>`."""

    def decorate(command: Command) -> Command:
        command = click.option(f"--{extra}", type=PATH, help=meaning)(command)
        command = click.option("--events", type=PATH, help="events.parquet or a folder of parts.")(
            command
        )
        return click.argument("book", type=PATH, required=False)(command)

    return decorate


def book_or_files(
    book: Path | None, events: Path | None, other: Path | None, extra: str
) -> Path | tuple[Path, Path]:
    """Return the BOOK, or both files given in its place; else fail as wrong usage."""
    if book is not None and events is None and other is None:
        return book
    if book is None and events is not None and other is not None:
        return events, other
    raise click.UsageError(f"give either BOOK, or --events and --{extra}")


def refuse_to_overwrite(out: Path, *inputs: Path | None) -> None:
    """Fail as wrong usage if the output is one of the inputs, or lies in a folder of parts.

    What lies there would be read as a part of it the next time.
    """
    target = out.resolve()
    for given in inputs:
        if given is not None and given.resolve() in (target, *target.parents):
            raise click.UsageError(f"--out {out} would overwrite or mix with the input {given}")
