"""The `relimit` command line: exit 0 done, 1 not acceptable, 2 wrong usage."""

import importlib
import os
import signal
import threading

import click

from relimit.data.errors import RelimitError, mask_secrets
from relimit.serving.streams import speak_every_language

COMMANDS = (
    "simulate",
    "check",
    "observe",
    "features",
    "train",
    "predict",
    "compare",
    "promote",
    "policy",
    "score",
    "decide",
    "package",
)


class _RelimitGroup(click.Group):
    """Load a command when it is asked for, and turn what a user can mend into one message."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"relimit.serving.commands.{cmd_name}")
        command: click.Command = module.command
        return command

    def invoke(self, ctx: click.Context) -> object:
        try:
            return super().invoke(ctx)
        except (RelimitError, OSError) as error:
            click.echo(mask_secrets(f"relimit: {error}"), err=True)
            ctx.exit(1)
        except UnicodeEncodeError as error:
            name = error.object.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            mend = "Rename it; or set PYTHONUTF8=1, or a locale such as LC_ALL=C.UTF-8"
            told = f"relimit: {name}: can't be read as UTF-8. {mend}"
            click.echo(mask_secrets(told), err=True)
            ctx.exit(1)


@click.group(cls=_RelimitGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="relimit")
def main() -> None:
    """Re-score credit limits after early repayment: how much returns, when, and why.

    Every command prints a short summary, or one JSON object with --json; progress goes to
    stderr. Exit 0: done. Exit 1: the data or the result is not acceptable; the message says
    what, where and how to mend it. Exit 2: wrong usage.
    """
    speak_every_language()
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    mine = threading.current_thread() is threading.main_thread()
    if mine and signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
        signal.signal(signal.SIGTERM, _stop)


def _stop(number: int, _: object) -> None:
    """Leave by way of every `finally`: a killed process leaves its copy of the events behind."""
    raise SystemExit(128 + number)
