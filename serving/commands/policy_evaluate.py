"""`relimit policy evaluate`: what a candidate policy is worth before launch."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
    from relimit.training import Evaluation


@click.command("evaluate", short_help="Estimate a policy's value from the log.")
@book_or_events("decisions", "The decision log, in place of BOOK.")
@model_option
@policy_option
@click.option(
    "--all-rows", is_flag=True, help="Use all decisions: the model was trained on another book."
)
@click.option("--out", type=PATH, help="Folder for policy_value.html and .json.")
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
    all_rows: bool,
    out: Path | None,
    tracking_uri: str | None,
    workers: int,
    as_json: bool,
) -> None:
    """Estimate from a log of decisions what another policy would have brought.

    Outcomes are those that the model was trained for: its horizon and its days past due. Prints
    off-policy estimates with 95% intervals, beside what was done. Where the log has not tried what
    the policy does, there are bounds and the reason instead.
    """
    source = book_or_files(book, events, decisions, "decisions")
    if out is not None:
        refuse_unwritable(out)
    from relimit.data import write_json
    from relimit.policy import load_policy
    from relimit.serving.inputs import read_log
    from relimit.serving.models import open_model
    from relimit.training import Assumptions, evaluate_policy, read_log_rows, write_evaluation

    rules = load_policy(policy)
    with stages("evaluating") as stage:
        history, log = read_log(source)
        risk_model = open_model(model, tracking_uri)
        rows = read_log_rows(
            history,
            log,
            assumptions=Assumptions(
                horizon_days=risk_model.horizon_days, days_past_due=risk_model.days_past_due
            ),
            features=risk_model.feature_names,
            workers=workers,
            progress=stage,
        )
        stage("valuing policies")
        found = evaluate_policy(rows, risk_model, rules, all_rows=all_rows)
    payload = found.to_dict()
    if out is not None:
        write_evaluation(found, out)
        write_json(finite(payload), out / "policy_value.json")

    def summary(console: Console) -> None:
        _summarise(console, found, payload)

    emit(payload, as_json=as_json, summary=summary)


def _summarise(console: Console, found: "Evaluation", payload: dict[str, Any]) -> None:
    from relimit.training import headline, show

    table = Table("", box=None, pad_edge=False)
    for valued in found.policies:
        table.add_column(valued.name, justify="right")
    for name in payload["outcomes"]:
        for estimator in (payload["headline"], payload["beside"]):
            cells = [show(headline(v, name, estimator)) for v in found.policies]
            table.add_row(f"{name}, {estimator}", *cells)
    for name in found.policies[0].schedule:
        table.add_row(name, *(figure(v.schedule[name]) for v in found.policies))
    table.add_row("effective decisions", *(f"{v.support.effective:,.0f}" for v in found.policies))
    table.add_row("promises kept", *(_kept(v.promise_kept) for v in found.policies))
    console.print(table)
    console.print(
        f"{found.decisions:,} decisions, {found.bad_accounts:,} borrowers fell "
        f"{found.days_past_due} days past due within {found.horizon_days} days. Loss, margin and "
        "net are a decision's, freed and restored are sums, all as the first night decides: what "
        "later nights add is not in it. Promises kept: "
        "measured for the incumbent; for the others as if carried out as the incumbent's were."
    )
    for text in (*found.warnings, *(f"{v.name}: {v.refusal}" for v in found.policies)):
        if not text.endswith(": "):
            console.print(text)


def _kept(part: float | None) -> str:
    return "not known" if part is None else f"{part:.1%}"
