"""`relimit policy`: what is published about a policy, what it is worth, and a better one."""

import importlib

import click

COMMANDS = ("card", "evaluate", "optimise")


class _PolicyGroup(click.Group):
    """Load a command of the group when it is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return super().get_command(ctx, cmd_name)
        module = importlib.import_module(f"relimit.serving.commands.policy_{cmd_name}")
        command: click.Command = module.command
        return command


@click.group("policy", cls=_PolicyGroup, short_help="Publish, value or optimise a policy.")
def command() -> None:
    """Publish a policy's terms, estimate what it is worth, or find a better one."""
