"""Give a version the alias that scoring uses, unless something speaks against it."""

import getpass
from datetime import UTC, datetime
from typing import Final

from relimit.data.errors import ModelError, RelimitError
from relimit.training.objections import CHAMPION, judge_candidate
from relimit.training.promotions import Promotion, append_entry, last_entry
from relimit.training.registry import find_version, version_at_alias
from relimit.training.store import default_uri, require_store, store_lock

MOST_CHARACTERS: Final = 2_000
"""Of a reason: MLflow cuts a longer entry, silently."""


def promote(
    model_uri: str,
    alias: str = CHAMPION,
    force: str | None = None,
    tracking_uri: str | None = None,
) -> Promotion:
    """Promote a registered version to an alias and record it in the promotion log.

    It is refused if its features aren't those installed, its restoration risk is extrapolated, its
    recorded calibration is bad, or it is worse than the champion beyond noise: on the same test
    rows if both were tested on the same, otherwise by their AUC intervals. On a SQLite store one
    promotion at a time is judged and carried out; a server's store has no such lock.

    Parameters
    ----------
    model_uri
        `models:/name/version`, `models:/name@alias` or `runs:/id/model`.
    alias
        For instance `champion` or `challenger`.
    force
        A reason to promote it whatever speaks against it; it is recorded with that in any case.
    tracking_uri
        None: `MLFLOW_TRACKING_URI`, or the SQLite file in the working directory.

    Raises
    ------
    RelimitError
        If something speaks against it and `force` is None; the message names everything.
    ModelError
        If there is no such version, or `force` is empty or longer than 2,000 characters.
    """
    _check_reason(force)
    uri = tracking_uri or default_uri()
    require_store(uri)
    with store_lock(uri, "promotion"):
        candidate = find_version(model_uri, tracking_uri)
        judged = judge_candidate(candidate, tracking_uri)
        if judged.objections and force is None:
            raise RelimitError(
                f"not promoted to {alias}: {'; '.join(judged.objections).rstrip('.')}",
                where=candidate.uri,
                mend="Train a better version, or give a reason with --force REASON",
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
            evidence=judged.evidence,
            objections=judged.objections,
            force=force,
            follows=last_entry(candidate.name, tracking_uri),
        )
        append_entry(entry, tracking_uri)
    return entry


def _check_reason(force: str | None) -> None:
    if force is None:
        return
    if not force.strip():
        raise ModelError("the reason is empty", where="force", mend="Say why it is promoted")
    if len(force) > MOST_CHARACTERS:
        raise ModelError(
            f"a reason of {len(force):,} characters",
            where="force",
            mend=f"Say it in {MOST_CHARACTERS:,} at most",
        )


def _who() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container's user may have no name
        return "unknown"
