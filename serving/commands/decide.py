"""`relimit decide`: one account in, one decision out."""

from pathlib import Path

import click

from relimit.serving.options import model_option, plugin_option, policy_option, tracking_option


@click.command("decide", short_help="Decide one account's prepayment, as JSON.")
@model_option
@policy_option
@tracking_option
@plugin_option
@click.option(
    "--analyst",
    is_flag=True,
    help="Add text_analyst_zh and text_analyst_en: the decision with its figures and bounds.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON on one line.")
def command(
    *, model: str, policy: Path | None, tracking_uri: str | None, analyst: bool, as_json: bool
) -> None:
    """Read one account's history (JSON) on stdin and print the decision as one JSON object.

    The history is {"account_id": ..., "events": [{"ts", "kind", "amount", ...}, ...]} with the
    columns of the events table, times in ISO 8601 with a zone, money in fen. The answer is the
    decision on the last prepayment, together with those in the 24 hours that go with it.
    Optional: "as_of", when it is decided, and "since", after which prepayments count.
    """
    import sys

    from relimit.policy import load_policy
    from relimit.serving.live import decide_json
    from relimit.serving.models import open_model
    from relimit.serving.scorer import Scorer
    from relimit.serving.streams import json_text

    scorer = Scorer(open_model(model, tracking_uri), load_policy(policy))
    decision = decide_json(scorer, sys.stdin.buffer.read(), analyst=analyst)
    click.echo(json_text(decision, indent=None if as_json else 2))
