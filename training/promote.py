"""Give a version the alias that scoring uses, unless something speaks against it."""

import getpass
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

from relimit.data.errors import ModelError, RelimitError
from relimit.training.objections import CHAMPION, objections_to
from relimit.training.registry import find_version, version_at_alias
from relimit.training.tracking import open_client, start_run

PROMOTIONS: Final = "relimit-promotions"
"""The experiment that is the promotion log: one run a promotion, nothing is ever changed."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One entry of the promotion log.

    Attributes
    ----------
    name, version, alias
        What was promoted to what.
    previous
        The version that had the alias before; None if none had.
    digest
        SHA-256 of the promoted artifact's manifest.
    by, at
        Who promoted it, and when (ISO 8601, UTC).
    objections
        What spoke against it; empty unless it was forced.
    force
        Why it was promoted all the same; None if nothing spoke against it.
    """

    name: str
    version: str
    alias: str
    previous: str | None
    digest: str
    by: str
    at: str
    objections: tuple[str, ...]
    force: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {**asdict(self), "objections": list(self.objections)}


def promote(
    model_uri: str,
    alias: str = CHAMPION,
    force: str | None = None,
    tracking_uri: str | None = None,
) -> Promotion:
    """Promote a registered version to an alias and record it in the promotion log.

    It is refused if its features aren't those installed, its recorded calibration is bad, or it is
    worse than the champion beyond noise: on the same test rows if both were tested on the same,
    otherwise by their AUC intervals.

    Parameters
    ----------
    model_uri
        `models:/name/version`, `models:/name@alias` or `runs:/id/model`.
    alias
        For instance `champion` or `challenger`.
    force
        A reason to promote it all the same; it is recorded with what spoke against it.
    tracking_uri
        None: `MLFLOW_TRACKING_URI`, or the SQLite file in the working directory.

    Raises
    ------
    RelimitError
        If something speaks against it and `force` is None; the message names everything.
    ModelError
        If there is no such version, or `force` is empty.
    """
    if force is not None and not force.strip():
        raise ModelError("an empty reason", where="force", mend="Say why it is promoted")
    candidate = find_version(model_uri, tracking_uri)
    objections = tuple(objections_to(candidate, tracking_uri))
    if objections and force is None:
        raise RelimitError(
            f"not promoted to {alias}: {'; '.join(objections)}",
            where=candidate.uri,
            mend="Train a better version, or give a reason with --force",
        )
    previous = version_at_alias(candidate.name, alias, tracking_uri)
    entry = Promotion(
        name=candidate.name,
        version=candidate.version,
        alias=alias,
        previous=None if previous is None else previous.version,
        digest=candidate.digest,
        by=_who(),
        at=datetime.now(UTC).isoformat(timespec="seconds"),
        objections=objections,
        force=force if objections else None,
    )
    _carry_out(entry, tracking_uri)
    return entry


def promotion_log(name: str, tracking_uri: str | None = None) -> list[Promotion]:
    """Return the promotions of a registered model, the latest first."""
    client = open_client(tracking_uri)
    experiment = client.get_experiment_by_name(PROMOTIONS)
    if experiment is None:
        return []
    runs = client.search_runs(
        [experiment.experiment_id],
        f"tags.name = '{name}' and attributes.status = 'FINISHED'",
        order_by=["attributes.start_time DESC"],
    )
    return [_from_tags(run.data.tags) for run in runs]


def _carry_out(entry: Promotion, tracking_uri: str | None) -> None:
    """Set the alias inside the run that records it: a run that isn't finished did nothing."""
    tags = {key: str(value) for key, value in asdict(entry).items() if value is not None}
    tags["objections"] = "\n".join(entry.objections)
    title = f"{entry.name} {entry.version} to {entry.alias}"
    with start_run(PROMOTIONS, title, tags, tracking_uri) as run:
        run.client.set_registered_model_alias(entry.name, entry.alias, entry.version)


def _from_tags(tags: Mapping[str, str]) -> Promotion:
    return Promotion(
        name=tags["name"],
        version=tags["version"],
        alias=tags["alias"],
        previous=tags.get("previous"),
        digest=tags["digest"],
        by=tags["by"],
        at=tags["at"],
        objections=tuple(tags["objections"].splitlines()),
        force=tags.get("force"),
    )


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"
