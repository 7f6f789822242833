"""The promotion log: who gave which version which alias, when, in whose place, and why.

MLflow's aliases have no history, so each promotion is one run of an experiment of its own. relimit
only ever adds entries. MLflow lets others edit and delete them, so each holds the SHA-256 of the
one before it, and the registered model that of the last: reading the log finds any such change.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from relimit.data.errors import ModelError
from relimit.training.tracking import open_client, start_run, translated

if TYPE_CHECKING:
    from mlflow import MlflowClient

PROMOTIONS: Final = "relimit-promotions"
"""The experiment that is the promotion log: one run a promotion."""
ENTRY: Final = "entry"
LAST: Final = "relimit.last_promotion"
"""The registered model's tag with the SHA-256 of its latest entry."""


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
    evidence
        What it rests on: discrimination, calibration, and how it compares with the champion.
    objections
        What spoke against it; empty unless it was forced.
    force
        The reason that was given; None if none was.
    follows
        SHA-256 of the entry before it; None for the first of its name.
    """

    name: str
    version: str
    alias: str
    previous: str | None
    digest: str
    by: str
    at: str
    evidence: tuple[str, ...]
    objections: tuple[str, ...]
    force: str | None
    follows: str | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        lists = {"evidence": list(self.evidence), "objections": list(self.objections)}
        return {**asdict(self), **lists}

    def to_text(self) -> str:
        """Return the text that is recorded, and whose SHA-256 the next entry holds."""
        return json.dumps(self.to_dict(), ensure_ascii=False, sort_keys=True)

    @classmethod
    def from_text(cls, text: str) -> Self:
        """Read what `to_text` wrote."""
        read = json.loads(text)
        lists = {name: tuple(read[name]) for name in ("evidence", "objections")}
        return cls(**{**read, **lists})


def promotion_log(name: str, tracking_uri: str | None = None) -> list[Promotion]:
    """Return the promotions of a registered model, the latest first.

    Raises
    ------
    ModelError
        If there is no such model, or an entry was changed, deleted or slipped in.
    """
    last, client = last_entry(name, tracking_uri), open_client(tracking_uri)
    with translated(name):
        recorded = {_sha256(text): (text, status) for text, status in _entries(client, name)}
    found: list[Promotion] = []
    while last is not None:
        if last not in recorded:
            after = f"after the promotion of {found[-1].at}" if found else "at its end"
            raise _broken(
                name, f"the entry {last[:12]} is absent or was changed, {after} or before"
            )
        found.append(Promotion.from_text(recorded.pop(last)[0]))
        last = found[-1].follows
    # An entry that isn't finished and that nothing follows is a promotion that failed.
    strangers = [sha256[:12] for sha256, (_, status) in recorded.items() if status == "FINISHED"]
    if strangers:
        raise _broken(name, f"nothing leads to the entries {', '.join(strangers)}")
    return found


def unlogged_aliases(
    name: str, log: Sequence[Promotion], tracking_uri: str | None = None
) -> list[str]:
    """Return in words every alias that doesn't point to what the log's latest entry of it says.

    MLflow lets anybody move an alias past the log; `log` is what `promotion_log` returns.
    """
    client = open_client(tracking_uri)
    with translated(name):
        aliases: Mapping[str, Any] = client.get_registered_model(name).aliases
    points = {alias: str(version) for alias, version in aliases.items()}
    logged = {entry.alias: entry.version for entry in reversed(log)}
    return [
        f"{alias} points to version {points.get(alias, 'none')}, the log says "
        f"{logged.get(alias, 'none')}"
        for alias in sorted({*points, *logged})
        if points.get(alias) != logged.get(alias)
    ]


def last_entry(name: str, tracking_uri: str | None = None) -> str | None:
    """Return the SHA-256 of a registered model's latest entry; None before the first.

    Raises
    ------
    ModelError
        If there is no such model.
    """
    client = open_client(tracking_uri)
    with translated(name):
        tags: Mapping[str, str] = client.get_registered_model(name).tags
    return tags.get(LAST)


def append_entry(entry: Promotion, tracking_uri: str | None = None) -> None:
    """Record a promotion and set the alias, which the caller keeps others from meanwhile.

    The entry comes first: a process that dies in between leaves a promotion to be done again, and
    never an alias that nothing explains. If MLflow refuses the alias, the entry doesn't count.

    Raises
    ------
    ModelError
        If MLflow refuses something.
    """
    text = entry.to_text()
    shown = ("name", "version", "alias", "previous", "by", "at")
    tags = {key: str(getattr(entry, key)) for key in shown}
    title = f"{entry.name} {entry.version} to {entry.alias}"
    with start_run(PROMOTIONS, title, {**tags, ENTRY: text}, tracking_uri) as run:
        _set_last(run.client, entry.name, _sha256(text))
        try:
            run.client.set_registered_model_alias(entry.name, entry.alias, entry.version)
        except BaseException:
            _set_last(run.client, entry.name, entry.follows)
            raise


def _set_last(client: "MlflowClient", name: str, sha256: str | None) -> None:
    if sha256 is None:
        client.delete_registered_model_tag(name, LAST)
    else:
        client.set_registered_model_tag(name, LAST, sha256)


def _entries(client: "MlflowClient", name: str) -> Iterator[tuple[str, str]]:
    """Yield the text and the status of every entry of a name, in no order."""
    experiment = client.get_experiment_by_name(PROMOTIONS)
    page: str | None = None
    while experiment is not None:
        runs = client.search_runs(
            [experiment.experiment_id], f"tags.name = '{name}'", page_token=page
        )
        for run in runs:
            yield run.data.tags.get(ENTRY, ""), run.info.status
        page = runs.token
        if not page:
            return


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _broken(name: str, what: str) -> ModelError:
    return ModelError(
        what,
        where=f"promotion log of {name}",
        mend="Restore the MLflow store from a backup, and find out who changed it",
    )
