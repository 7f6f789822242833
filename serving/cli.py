"""The `relimit` command line."""

import click


@click.group()
@click.version_option(package_name="relimit")
def main() -> None:
    """Re-score credit limits after early repayment: how much returns, when, and why."""
