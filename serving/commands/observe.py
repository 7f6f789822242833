"""`relimit observe`: label past decisions with what came after."""

from pathlib import Path

import click
from rich.console import Console

from relimit.data.atomic import refuse_unwritable
from relimit.data.vocabulary import BAD_DAYS_PAST_DUE, BAD_HORIZON_DAYS
from relimit.serving.options import (
    PATH,
    book_or_events,
    book_or_files,
    json_option,
    refuse_to_overwrite,
)
from relimit.serving.terminal import emit, pairs


@click.command("observe", short_help="Label past decisions by what came after.")
@book_or_events("decisions", "The lender's decision log, in place of BOOK.")
@click.option(
    "--horizon",
    type=click.IntRange(min=1),
    default=BAD_HORIZON_DAYS,
    show_default=True,
    help="Days after a decision in which its account is watched.",
)
@click.option(
    "--dpd",
    type=click.IntRange(min=1),
    default=BAD_DAYS_PAST_DUE,
    show_default=True,
    help="Days past due from which an account is bad.",
)
@click.option("--out", type=PATH, required=True, help="Where to write the observations.")
@json_option
def command(
    *,
    book: Path | None,
    events: Path | None,
    decisions: Path | None,
    horizon: int,
    dpd: int,
    out: Path,
    as_json: bool,
) -> None:
    """Label logged decisions: bad if the account fell --dpd days past due within --horizon days.

    A decision whose horizon has not passed yet gets no label.
    """
    from relimit.data import write_parquet
    from relimit.serving.inputs import files_of, observe_files, say_label

    source = book_or_files(book, events, decisions, "decisions")
    refuse_to_overwrite(out, *files_of(source))
    refuse_unwritable(out, folder=False)
    table = observe_files(source, horizon_days=horizon, days_past_due=dpd)
    write_parquet(say_label(table, horizon, dpd), out)
    bad = table.column("bad")
    payload = {
        "days_past_due": dpd,
        "horizon_days": horizon,
        "observations": table.num_rows,
        "matured": table.num_rows - bad.null_count,
        "bad": int(bad.drop_null().to_numpy(zero_copy_only=False).sum()),
        "out": str(out),
    }

    def show(console: Console) -> None:
        pairs(console, "Observations", payload)

    emit(payload, as_json=as_json, summary=show)
