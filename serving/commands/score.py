"""`relimit score`: decide a night's prepayments, Parquet to Parquet."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import click
from rich.console import Console

from relimit.serving.limits import MOST_QUARANTINED
from relimit.serving.options import (
    PATH,
    Instant,
    json_option,
    model_option,
    plugin_option,
    policy_option,
    predictor_option,
    refuse_to_overwrite,
    tracking_option,
    workers_option,
)
from relimit.serving.terminal import emit, pairs, progress_to, yuan

if TYPE_CHECKING:
    from relimit.models import Artifact, Predictor
    from relimit.policy import Policy
    from relimit.serving.batch import MakeEngine
    from relimit.serving.requests import Request


@click.command("score", short_help="Decide every prepayment of a night.")
@model_option
@policy_option
@click.option("--events", type=PATH, required=True, help="events.parquet or a folder of parts.")
@click.option("--since", type=Instant(), help="Decide prepayments known after this time.")
@click.option("--as-of", type=Instant(), help="Decide prepayments known up to this time.")
@click.option(
    "--earlier",
    type=PATH,
    metavar="OUT",
    help="Folder of the night before: what it left open is decided again, and this night begins "
    "where that one ended.",
)
@click.option("--prepayments", type=PATH, help="Decide these instead: account_id, as_of, prepaid.")
@click.option("--out", type=PATH, required=True, help="Folder for decisions and the manifest.")
@click.option(
    "--max-quarantine",
    type=click.FloatRange(0, 1),
    default=MOST_QUARANTINED,
    show_default=True,
    metavar="SHARE",
    help="Fail if more than this share of the prepayments, rounded up to a whole one, can't be "
    "decided; 0 allows none. They are then listed in OUT/_refused.",
)
@click.option(
    "--engine",
    type=click.Choice(["local", "spark"]),
    default="local",
    show_default=True,
    help="Threads of this process, or Spark: the configured cluster, else a local one. The files "
    "are the same.",
)
@tracking_option
@plugin_option
@workers_option
@predictor_option
@json_option
def command(
    *,
    model: str,
    policy: Path | None,
    events: Path,
    since: datetime | None,
    as_of: datetime | None,
    earlier: Path | None,
    prepayments: Path | None,
    out: Path,
    max_quarantine: float,
    engine: str,
    tracking_uri: str | None,
    workers: int,
    predictor: "Predictor",
    as_json: bool,
) -> None:
    """Decide every prepayment of a night and write decisions, quarantine and a manifest.

    TIME is ISO 8601, such as 2026-03-01T08:00+08:00, and UTC if it names no zone.

    Give --since and --as-of for the first night, --earlier and --as-of for the next ones, or
    --prepayments for a list of your own.
    """
    refuse_to_overwrite(out, events, prepayments)
    from relimit.policy import load_policy
    from relimit.serving.answers import Answering
    from relimit.serving.batch import score
    from relimit.serving.models import open_artifact
    from relimit.serving.scorer import Scorer

    request = _request(since, as_of, earlier, prepayments)
    artifact = open_artifact(model, tracking_uri)
    scorer = Scorer(artifact.load(predictor=predictor), load_policy(policy))
    with progress_to("scoring events") as advance:
        manifest = score(
            scorer,
            events,
            request,
            out,
            workers=workers,
            max_quarantine=max_quarantine,
            progress=advance,
            engine=Answering if engine == "local" else _spark(artifact, predictor, out),
        )
    _warn(events, manifest, scorer.policy)
    _warn_of_passed(out, manifest, scorer.policy)
    payload = {**manifest, "caution": scorer.model.caution}
    sign = scorer.policy.wording.currency
    emit(payload, as_json=as_json, summary=lambda console: _show(console, out, payload, sign))


def _warn(events: Path, manifest: Mapping[str, Any], policy: "Policy") -> None:
    """Say on stderr what a nightly job should look at though the run is whole."""
    from relimit.data.unknown_kinds import names_of
    from relimit.policy.gates import cap_caution
    from relimit.policy.reasons import REGULATORY_CAP

    if unknown := manifest["unknown_kinds"]:
        ignored = f"features ignore events of unknown kinds: {names_of(unknown)}"
        click.echo(f"warning: {events}: {ignored}", err=True)
    capped, decided = manifest["binding"].get(REGULATORY_CAP, 0), manifest["counts"]["decided"]
    if caution := cap_caution(policy, capped, decided):
        click.echo(f"warning: {caution}", err=True)
    if not manifest["counts"]["prepayments"]:
        nothing = "nothing was to be decided: see whether the export reaches to this night"
        click.echo(f"warning: {events}: {nothing}", err=True)


def _warn_of_passed(out: Path, manifest: Mapping[str, Any], policy: "Policy") -> None:
    """Say on stderr how many promises of a night that reaches far back are due already."""
    from relimit.serving.left_open import passed_promises

    if not manifest["inputs"].get("as_of"):
        return
    end = datetime.fromisoformat(manifest["inputs"]["as_of"])
    today = end.astimezone(ZoneInfo(policy.timetable.calendar)).date()
    if passed := passed_promises(out, today):
        count = "1 decision promises" if len(passed) == 1 else f"{len(passed):,} decisions promise"
        click.echo(
            f"warning: {out}: {count} a date that has passed by the end of this night, {passed[0]} "
            "the earliest, since each is decided as of its prepayment; the next night (--earlier) "
            "gives back what is due: decide it before borrowers are told",
            err=True,
        )


def _show(console: Console, out: Path, payload: Mapping[str, Any], currency: str) -> None:
    inputs, counts = payload["inputs"], dict(payload["counts"])
    versions = f"model {inputs['model_version']}, policy {inputs['policy_version']}"
    total, decided, quarantined = (
        counts.pop(name) for name in ("prepayments", "decided", "quarantined")
    )
    if inputs.get("as_of"):
        console.print(f"Night after {inputs['since']} up to {inputs['as_of']}")
    sum_ = f"{total:,} = decided {decided:,} + quarantined {quarantined:,}"
    rows = {"prepayments": sum_, **counts, **payload["quarantined"]}
    pairs(console, f"Decisions in {out} ({versions})", rows)
    if payload["binding"]:
        pairs(console, "First reason of what waits or is withheld", payload["binding"])
    pairs(console, "Money", {name: yuan(fen, currency) for name, fen in payload["money"].items()})
    if payload["caution"] is not None:
        console.print(f"caution: {payload['caution']}")


def _request(
    since: datetime | None, as_of: datetime | None, earlier: Path | None, prepayments: Path | None
) -> "Request":
    from relimit.serving.earlier import OpenDecisions
    from relimit.serving.requests import NamedPrepayments, Night

    if prepayments is not None and since is None and as_of is None and earlier is None:
        return NamedPrepayments.read(prepayments)
    if prepayments is None and as_of is not None and (since is not None or earlier is not None):
        left = None if earlier is None else OpenDecisions.read(earlier)
        begins = left.as_of if since is None and left is not None else since
        if begins is not None and begins < as_of:
            return Night(begins, as_of, left)
        raise click.UsageError("the night must begin (--since) before it ends (--as-of)")
    raise click.UsageError("give --as-of with --since or --earlier, or --prepayments alone")


def _spark(model: "Artifact", predictor: "Predictor", out: Path) -> "MakeEngine":
    from relimit.serving.cluster import OnSpark
    from relimit.serving.spark import ShippedModel

    return partial(OnSpark, ShippedModel.of(model, predictor), out)
