"""`relimit policy card`: the published terms of a policy file, in Chinese and English."""

from dataclasses import asdict
from pathlib import Path

import click
from rich.console import Console

from relimit.data.atomic import refuse_unwritable
from relimit.serving.options import PATH, json_option, policy_option
from relimit.serving.terminal import emit

LANGUAGES = ("zh", "en")


@click.command("card", short_help="Publish the terms that a policy file makes.")
@policy_option
@click.option(
    "--language", type=click.Choice(LANGUAGES), multiple=True, help="Default: both languages."
)
@click.option("--out", type=PATH, help="Folder for card_zh and card_en, as .md and .html.")
@json_option
def command(
    *, policy: Path | None, language: tuple[str, ...], out: Path | None, as_json: bool
) -> None:
    """Write the published terms: conditions, timetable, gates, examples, what does not hurt."""
    if out is not None:
        refuse_unwritable(out)
    from relimit.policy import load_policy, published_terms
    from relimit.serving.terms import page_of, write_card
    from relimit.training.document import to_markdown

    rules = load_policy(policy)
    terms = {
        name: written
        for name, written in published_terms(rules).items()
        if name in (language or LANGUAGES)
    }
    if out is not None:
        write_card(terms, out)
    payload = {
        "policy_version": rules.version,
        "terms": {name: asdict(written) for name, written in terms.items()},
    }

    def show(console: Console) -> None:
        for written in terms.values():
            console.print(to_markdown(page_of(written)))

    emit(payload, as_json=as_json, summary=show)
