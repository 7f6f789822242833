"""`relimit simulate`: write a simulated book."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console

from relimit.serving.options import PATH, json_option, tracking_option, workers_option
from relimit.serving.terminal import emit, pairs, progress

if TYPE_CHECKING:
    from relimit.data.simulator import LenderPolicy

CHAMPION = "models:/restoration-risk@champion"


class Nights(click.ParamType[tuple[int, ...]]):
    """Days after a decision, such as 3,7,14,30; `none` for no later night.

    Examples
    --------
    >>> Nights().convert("3,7", None, None), Nights().convert("none", None, None)
    ((3, 7), ())
    """

    name = "days"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, ...]:
        """Return the days, or fail as wrong usage."""
        if isinstance(value, tuple):
            return value
        if value == "none":
            return ()
        try:
            days = tuple(int(day) for day in value.split(","))
        except ValueError:
            days = ()
        if not days or min(days) < 1 or list(days) != sorted(set(days)):
            self.fail(f"{value!r} is neither rising days such as 3,7,14,30 nor none", param, ctx)
        return days


def _candidate(
    policy: Path, model: str, tracking_uri: str | None, nights: tuple[int, ...]
) -> LenderPolicy:
    from relimit.policy import load_policy
    from relimit.serving.candidate import CandidatePolicy
    from relimit.serving.models import open_model
    from relimit.serving.scorer import Scorer

    scorer = Scorer(open_model(model, tracking_uri), load_policy(policy))
    return CandidatePolicy(scorer, nights)


@click.command("simulate", short_help="Write a simulated book.")
@click.argument("out", type=PATH)
@click.option("--accounts", type=click.IntRange(min=1), required=True, help="How many accounts.")
@click.option("--months", type=click.IntRange(min=1), required=True, help="How many months.")
@click.option("--seed", type=click.IntRange(min=0), required=True, help="Same seed, same book.")
@click.option(
    "--scenario",
    default="base",
    show_default=True,
    metavar="NAME",
    help="Which world: base; shock (arrears double for three months); drift (newcomers, behaviour "
    "and scores move); outage (faults and late postings); mnar (the lender saw what its log "
    "lacks); no-exploration (it never tried another arm); farmers (a wave of coupon farmers).",
)
@click.option(
    "--policy", type=PATH, help="Let this relimit policy decide in place of the older rule."
)
@click.option(
    "--model", default=CHAMPION, show_default=True, help="Model whose risk --policy reads."
)
@click.option(
    "--nights",
    type=Nights(),
    default="3,7,14,30",
    show_default=True,
    metavar="DAYS",
    help="With --policy: decide again, this many days later, what was withheld, as score --earlier "
    "does every night; none: it waits for the half-yearly review.",
)
@tracking_option
@click.option(
    "--oracle",
    type=click.IntRange(min=0),
    default=0,
    metavar="K",
    help="Play out K decisions under all 25 arms: what comes of each goes to oracle.parquet, the "
    "borrowers' latent types to oracle_accounts.parquet. Not together with --policy.",
)
@click.option(
    "--redelivered",
    type=click.FloatRange(min=0, max=1),
    default=0.0,
    metavar="SHARE",
    help="Deliver this share of the events twice, and all events out of order.",
)
@workers_option
@json_option
def command(
    *,
    out: Path,
    accounts: int,
    months: int,
    seed: int,
    scenario: str,
    policy: Path | None,
    model: str,
    nights: tuple[int, ...],
    tracking_uri: str | None,
    oracle: int,
    redelivered: float,
    workers: int,
    as_json: bool,
) -> None:
    """Write a simulated book to OUT: events, the lender's decisions, accounts, book.json."""
    from relimit.data.errors import DataError
    from relimit.data.simulator import simulate

    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        mend = "Give a new folder; a book is never overwritten"
        raise DataError("is there already", where=str(out), mend=mend)
    lender = None if policy is None else _candidate(policy, model, tracking_uri, nights)
    with progress("simulating accounts", accounts) as advance:
        summary = simulate(
            out,
            accounts=accounts,
            months=months,
            seed=seed,
            scenario=scenario,
            policy=lender,
            oracle=oracle,
            redelivered=redelivered,
            workers=workers,
            progress=advance,
        ).to_dict()

    def show(console: Console) -> None:
        pairs(console, f"Simulated book in {out}", summary)

    emit({"book": str(out), **summary}, as_json=as_json, summary=show)
