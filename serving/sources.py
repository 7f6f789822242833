"""What a run is made from: fingerprints and versions, and whether the files stayed as they were."""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

from relimit.data.errors import DataError
from relimit.data.unknown_kinds import unknown_kinds
from relimit.serving.fingerprint import fingerprint
from relimit.serving.manifest import stamp
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer


@dataclass(frozen=True, slots=True)
class Sources:
    """The inputs of a run by name, and the state of the events when they were fingerprinted.

    Attributes
    ----------
    inputs
        Fingerprints and versions.
    unknown_kinds
        How many events are of each kind that features ignore.
    state
        Sizes and times of the files.
    """

    inputs: dict[str, Any]
    unknown_kinds: dict[str, int]
    state: Mapping[str, Any]

    @classmethod
    def of(cls, scorer: Scorer, events: Path, request: Request) -> Self:
        """Read every byte of the inputs, for their fingerprints.

        Raises
        ------
        DataError
            If there is nothing to read, a page of kinds is damaged, or a file changed meanwhile.
        """
        state = stamp(events)
        inputs = {
            "events": fingerprint(events),
            "model_version": scorer.model.version,
            "policy_version": scorer.policy.version,
            "relimit_version": version("relimit"),
            **request.inputs(),
        }
        try:
            strange = unknown_kinds(events)
        except DataError:
            _require_same(state, events)  # a file that is being written looks damaged
            raise
        return cls(inputs, strange, state)

    def require_unchanged(self, events: Path) -> None:
        """Raise DataError if the events are no longer the files that were fingerprinted."""
        _require_same(self.state, events)


def _require_same(state: Mapping[str, Any], events: Path) -> None:
    if stamp(events) != state:
        raise DataError(
            "changed while it was read",
            where=str(events),
            mend="Score again once nothing writes to it",
        )
