"""`relimit policy optimise`: the tiers worth most under a loss budget, as a ready policy file."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from relimit.data.atomic import refuse_unwritable
from relimit.serving.options import (
    PATH,
    book_or_events,
    book_or_files,
    json_option,
    model_option,
    plugin_option,
    policy_option,
    tracking_option,
    workers_option,
)
from relimit.serving.terminal import emit, figure, finite, stages

if TYPE_CHECKING:
    from relimit.training import Optimum


@click.command("optimise", short_help="Find the best tiers under a loss budget.")
@book_or_events("decisions", "The decision log, in place of BOOK.")
@model_option
@policy_option
@click.option(
    "--loss-budget",
    type=click.FloatRange(min=0.0, max=1.0),
    help="Expected loss over freed limit; default: the policy's.",
)
@click.option(
    "--all-rows", is_flag=True, help="Use all decisions: the model was trained on another book."
)
@click.option("--out", type=PATH, required=True, help="Folder for policy.toml and frontier.*.")
@tracking_option
@plugin_option
@workers_option
@json_option
def command(
    *,
    book: Path | None,
    events: Path | None,
    decisions: Path | None,
    model: str,
    policy: Path | None,
    loss_budget: float | None,
    all_rows: bool,
    out: Path,
    tracking_uri: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Find the tiers that are worth most on a log of decisions, and write them as a policy file.

    Maximises margin, less loss, less the price of waiting, within a loss budget and the limits of
    each group of borrowers, which [value] in the policy file states. The other sections are copied.
    The budget is kept as if the tiers had taken every decision of the log: what one decision
    withholds is missing from the line on which the account's other decisions lose. Outcomes are
    those within the horizon that the model was trained for. Decisions that it was trained on are
    left out where enough others went bad.
    """
    source = book_or_files(book, events, decisions, "decisions")
    refuse_unwritable(out)
    from relimit.data import write_json
    from relimit.policy import load_policy
    from relimit.serving.inputs import read_log
    from relimit.serving.models import open_model
    from relimit.training import optimise_policy, optimum_dict, write_optimum

    rules = load_policy(policy)
    with stages("optimising") as stage:
        history, log = read_log(source)
        found = optimise_policy(
            history,
            log,
            open_model(model, tracking_uri),
            rules,
            loss_budget=loss_budget,
            all_rows=all_rows,
            workers=workers,
            progress=stage,
        )
        stage("writing")
        write_optimum(found, out)
    payload = {"out": str(out), **optimum_dict(found)}
    write_json(finite(payload), out / "frontier.json")

    def summary(console: Console) -> None:
        _summarise(console, found, out)

    emit(payload, as_json=as_json, summary=summary)


def _summarise(console: Console, found: "Optimum", out: Path) -> None:
    named = Table("", box=None, pad_edge=False)
    for name in found.named:
        named.add_column(name, justify="right")
    sign = found.policy.wording.currency
    for row in ("loss_rate", "share", "mean_days", "restored_yuan", "margin_yuan", "net_yuan"):
        named.add_row(row, *(_figure(row, getattr(its, row), sign) for its in found.named.values()))
    console.print(named)
    console.print(f"of {found.rows:,} decisions, as taken at first and again on later nights")
    console.print(f"shadow price of the loss budget: {found.found.shadow_price:.2f}")
    for tier in found.policy.tiers:
        wait = f"after {tier.delay_days} days" if tier.delay_days else "at once"
        when = f" {wait}" if tier.share else ""
        console.print(f"loss / freed up to {tier.up_to:.2%}: {tier.share:.0%} back{when}")
    for text in found.warnings:
        console.print(text)
    console.print(f"policy {found.policy.version} in {out / 'policy.toml'}")


def _figure(name: str, value: float, currency: str) -> str:
    if not name.endswith("_yuan"):
        return figure(value)
    amount = f"{abs(value):,.0f}"
    return f"-{currency}{amount}" if value < 0 and amount != "0" else f"{currency}{amount}"
