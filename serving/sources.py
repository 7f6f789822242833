"""What a run is made from: fingerprints and versions, and whether the files stayed as they were."""

from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Self

import pyarrow as pa

from relimit.data.errors import DataError
from relimit.data.unknown_kinds import unknown_kinds
from relimit.serving.fingerprint import State, fingerprint, require_state
from relimit.serving.requests import Request
from relimit.serving.scorer import Scorer
from relimit.serving.unusable import nameless


@dataclass(frozen=True, slots=True)
class Sources:
    """The inputs of a run by name, and the state of the events before anything of them was read.

    Attributes
    ----------
    inputs
        Fingerprints and versions.
    unknown_kinds
        How many events are of each kind that features ignore.
    nameless
        The events of nobody, `quarantine_schema`.
    state
        Sizes and times of the files.
    """

    inputs: dict[str, Any]
    unknown_kinds: dict[str, int]
    nameless: pa.Table
    state: State

    @classmethod
    def of(cls, scorer: Scorer, events: Path, request: Request, state: State) -> Self:
        """Read every byte of the events, for their fingerprints.

        Raises
        ------
        DataError
            If there is nothing to read, a page is damaged, or a file changed meanwhile.
        """
        inputs = {
            "events": fingerprint(events),
            "model_version": scorer.model.version,
            "policy_version": scorer.policy.version,
            "relimit_version": version("relimit"),
            **request.inputs(),
        }
        try:
            strange, nobodys = unknown_kinds(events), nameless(events, request.wanted)
        except DataError:
            require_state(state, events)  # a file that is being written looks damaged
            raise
        return cls(inputs, strange, nobodys, state)

    def require_unchanged(self, events: Path) -> None:
        """Raise DataError if the events are no longer the files that they were at first."""
        require_state(self.state, events)
