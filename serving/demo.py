"""The main job from nothing: a simulated book, two models, a night's decisions, explained."""

import contextlib
import io
import json
import shutil
import time
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

import click
import pyarrow as pa
from rich.console import Console
from rich.table import Table

from relimit.data.errors import DataError
from relimit.serving.cli import main
from relimit.serving.streams import speak_every_language
from relimit.serving.terminal import pairs, wide_console, yuan

MARKER: Final = ".relimit-demo"
MODEL: Final = "models:/restoration-risk"
SHOWN: Final = 10


@click.command()
@click.option("--out", type=click.Path(path_type=Path), default=Path("demo"), show_default=True)
@click.option("--accounts", type=click.IntRange(min=100), default=20_000, show_default=True)
@click.option("--months", type=click.IntRange(min=16), default=30, show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=7, show_default=True)
def demo(*, out: Path, accounts: int, months: int, seed: int) -> None:
    """Run the whole line on a simulated book and print ten decisions with their reasons."""
    speak_every_language()
    console = wide_console()
    started = time.monotonic()
    run_demo(out, accounts=accounts, months=months, seed=seed, console=console)
    console.print(f"\ndone in {time.monotonic() - started:.0f} s")


def run_demo(out: Path, *, accounts: int, months: int, seed: int, console: Console) -> None:
    """Simulate, check, observe, train both families, compare, promote, score; then show."""
    _fresh_folder(out)
    book, store = out / "book", f"sqlite:///{(out / 'mlflow.db').as_posix()}"
    tracking = ["--tracking-uri", store]
    size = ["--accounts", accounts, "--months", months, "--seed", seed]
    _relimit(console, "simulate", book, *size)
    checked = _relimit(console, "check", book)
    console.print(f"  {checked['rows']:,} events of {checked['accounts']:,} accounts, fit to use")
    observations = out / "observations.parquet"
    seen = _relimit(console, "observe", book, "--out", observations)
    console.print(f"  {seen['matured']:,} matured decisions, {seen['bad']:,} of them bad")
    labelled = ["--events", book / "events.parquet", "--observations", observations]
    for family in ("scorecard", "lightgbm"):
        trained = _relimit(console, "train", *labelled, "--family", family, *tracking)
        console.print(f"  {trained['model_uri']}: AUC {trained['metrics']['auc']:.3f}")
    pair = [f"{MODEL}/1", f"{MODEL}/2"]
    comparison = _relimit(console, "compare", *pair, *labelled, *tracking, "--out", out / "compare")
    console.print(f"  verdict: {comparison['verdict']}")
    better = pair[0] if comparison["delta"]["log_loss"] > 0 else pair[1]
    _promote(console, better, tracking)
    night = _last_night(book)
    scored = _relimit(
        console, "score", "--model", f"{MODEL}@champion", *tracking,
        "--events", book / "events.parquet", *night, "--out", out / "night",
    )  # fmt: skip
    _show(console, out, scored)
    console.print("\nLook at the models, their metrics and plots with")
    console.print(f"  .venv/bin/mlflow ui --backend-store-uri {store}")


def _promote(console: Console, model: str, tracking: Sequence[str]) -> None:
    """Promote a model; a small book's may be refused, and the demo then says so and goes on."""
    try:
        _relimit(console, "promote", model, *tracking)
    except click.exceptions.Exit:
        _relimit(console, "promote", model, *tracking, "--force", "the demo goes on all the same")


def _fresh_folder(out: Path) -> None:
    """Make an empty folder; only one that an earlier demo made is emptied."""
    if out.exists() and any(out.iterdir()):
        if not (out / MARKER).exists():
            raise DataError("is not empty", where=str(out), mend="Give another folder with --out")
        shutil.rmtree(out)
    out.mkdir(parents=True, exist_ok=True)
    (out / MARKER).touch()


def _relimit(console: Console, *words: object) -> dict[str, Any]:
    """Run a command as a shell would, and return its JSON."""
    arguments = [str(word) for word in words]
    console.print(f"$ relimit {' '.join(arguments)}", style="bold")
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        code = main.main([*arguments, "--json"], prog_name="relimit", standalone_mode=False)
    if code:
        raise click.exceptions.Exit(code)
    result: dict[str, Any] = json.loads(printed.getvalue())
    return result


def _last_night(book: Path) -> Sequence[str]:
    """Return the window of the book's last 24 hours."""
    settings = json.loads((book / "book.json").read_text(encoding="utf-8"))
    as_of = datetime.fromisoformat(settings["as_of"])
    since = as_of - timedelta(days=1)
    return ["--since", since.isoformat(), "--as-of", as_of.isoformat()]


def _show(console: Console, out: Path, manifest: dict[str, Any]) -> None:
    rows = _varied(read_decisions(out / "night"))
    table = Table("account", "status", box=None, pad_edge=False)
    for name in ("freed", "now", "later", "withheld"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("reasons", overflow="fold")
    for row in rows:
        later = sum(promise["amount"] for promise in row["restore_later"])
        money = (row["freed"], row["restore_now"], later, row["withheld"])
        reasons = ", ".join(row["reasons"]) or "–"
        table.add_row(str(row["account_id"]), row["status"], *map(yuan, money), reasons)
    console.print(table)
    for row in _one_of_each_status(rows):
        console.print(f"\naccount {row['account_id']}, {row['status']}, risk {row['risk']:.1%}:")
        console.print(f"  {row['text_en']}\n  {row['text_zh']}")
    totals = {name: yuan(fen) for name, fen in manifest["money"].items()}
    console.print()
    pairs(console, "Decisions", manifest["counts"])
    pairs(console, "Money", totals)
    pairs(console, "Files", {name: out / name for name in ("book", "compare", "night")})


def read_decisions(run: Path) -> pa.Table:
    """Return the decisions of a finished scoring run."""
    import pyarrow.parquet as pq

    return pq.read_table(run / "decisions")


def _one_of_each_status(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the first row of each status, in the order of the rows."""
    return list({row["status"]: row for row in reversed(rows)}.values())[::-1]


def _varied(decisions: pa.Table) -> list[dict[str, Any]]:
    """Return ten decisions, as many statuses among them as the night has."""
    rows = decisions.sort_by("decision_id").to_pylist()
    ranks: dict[str, int] = {}
    ordered = []
    for row in rows:
        ranks[row["status"]] = ranks.get(row["status"], 0) + 1
        ordered.append((ranks[row["status"]], row["status"], row["decision_id"], row))
    chosen = sorted(ordered, key=lambda entry: entry[:3])[:SHOWN]
    return [row for *_, row in sorted(chosen, key=lambda entry: entry[1:3])]


if __name__ == "__main__":
    demo()
