"""`relimit check`: say whether a book or one of its tables is fit to be used."""

from pathlib import Path
from typing import Final

import click
from rich.console import Console

from relimit.serving.options import PATH, json_option
from relimit.serving.terminal import emit

ROW_OF: Final = {
    "events": "event",
    "decisions": "decision",
    "observations": "observation",
    "accounts": "account",
}


@click.command("check", short_help="Say whether a book or a table of one is fit to use.")
@click.argument("path", type=PATH, metavar="BOOK_OR_TABLE")
@click.option(
    "--quarantine",
    type=PATH,
    help="Folder for the faulty rows, with their reason, and for the clean rest.",
)
@json_option
def command(path: Path, quarantine: Path | None, as_json: bool) -> None:
    """Check every row of a book or of one table; exit 1 if something is wrong.

    A BOOK is a folder with events.parquet. A table alone is events, decisions, observations or
    accounts, which its columns tell; give the BOOK to hold them against each other too.
    """
    from relimit.data import check

    report = check(path, quarantine=quarantine)

    def show(console: Console) -> None:
        one, table = ROW_OF[report.table], report.table
        counts = f"{report.rows:,} {table}"
        counts += "" if table == "accounts" else f" of {report.accounts:,} accounts"
        console.print(f"{path}: {counts if report.rows else f'no {one} could be read'}")
        for finding in report.findings:
            console.print(f"{finding.level:>9}  {finding.message}")
            console.print(f"{'':>9}  {finding.mend}")
        console.print("fit to use" if report.ok else "not fit to use")

    emit(report.to_dict(), as_json=as_json, summary=show)
    click.get_current_context().exit(0 if report.ok else 1)
