"""Severity: the share of a restored amount that is lost if the borrower goes bad.

It is loss given default times the part of the restored limit that is drawn by then (credit
conversion). It does not depend on the risk, so a higher risk never means a lower expected loss, all
else equal.
"""

from dataclasses import asdict, dataclass
from typing import ClassVar, Final, Protocol

import numpy as np
from numpy.typing import NDArray

from relimit.models.prediction import TreeScores

LOSS_TREES_FILE: Final = "loss.txt"

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class LossSettings:
    """What is assumed where losses were not observed, and when they count as observed.

    `credit_conversion` 0.75 is the Basel II foundation approach's factor for commitments. The
    assumption weighs `prior_bads`; a curve needs `curve_bads`, trees need `min_bads`.
    """

    loss_given_default: float = 0.8
    credit_conversion: float = 0.75
    min_bads: int = 200
    prior_bads: int = 50
    curve_bads: int = 50

    @property
    def severity(self) -> float:
        """The assumed share of a restored amount that is lost when bad."""
        return self.loss_given_default * self.credit_conversion


class LossHead(Protocol):
    """How much of a restored amount is lost if the borrower goes bad."""

    kind: ClassVar[str]

    @property
    def columns(self) -> tuple[str, ...] | None:
        """Names of the columns that `severity` is given, in their order; None if any will do."""

    @property
    def reads(self) -> frozenset[str]:
        """The columns that a severity depends on."""

    def severity(self, X: Float, restored: Float) -> Float:
        """Share of the restored amount lost when bad, float64 [n] in [0, 1].

        `X` is [n, F] with `columns`; `restored` [n] is the fen of which it is a share.
        """

    def to_json(self) -> dict[str, object]:
        """Plain values that `loss_from_json` reads."""

    def files(self) -> dict[str, bytes]:
        """Further files that hold it."""


@dataclass(frozen=True, slots=True)
class ConstantSeverity:
    """One severity for all: assumed if `bads` is 0, else shrunk towards the assumption."""

    kind: ClassVar[str] = "constant"
    value: float
    bads: int
    settings: LossSettings

    @property
    def columns(self) -> None:
        """It reads no column."""
        return

    @property
    def reads(self) -> frozenset[str]:
        """It reads no column."""
        return frozenset()

    def severity(self, X: Float, restored: Float) -> Float:  # noqa: ARG002
        """Share of the restored amount lost when bad, float64 [n]."""
        return np.full(len(X), self.value)

    def to_json(self) -> dict[str, object]:
        """Plain values that `loss_from_json` reads."""
        settings = asdict(self.settings)
        return {"kind": self.kind, "value": self.value, "bads": self.bads, "settings": settings}

    def files(self) -> dict[str, bytes]:
        """No further file."""
        return {}


@dataclass(frozen=True, slots=True)
class TreeSeverity:
    """Severity by small regression trees fitted on the bads, clipped to [0, 1]."""

    kind: ClassVar[str] = "trees"
    scores: TreeScores
    bads: int
    settings: LossSettings

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns it is given, in their order."""
        return tuple(self.scores.booster.feature_name())

    @property
    def reads(self) -> frozenset[str]:
        """The columns that some tree splits on."""
        return self.scores.reads

    def severity(self, X: Float, restored: Float) -> Float:  # noqa: ARG002
        """Share of the restored amount lost when bad, float64 [n]."""
        if not len(X):
            return np.empty(0)
        return np.clip(self.scores.raw(X), 0.0, 1.0)

    def to_json(self) -> dict[str, object]:
        """Plain values that `loss_from_json` reads."""
        trees = int(self.scores.booster.num_trees())
        settings = asdict(self.settings)
        return {"kind": self.kind, "trees": trees, "bads": self.bads, "settings": settings}

    def files(self) -> dict[str, bytes]:
        """Return the trees as LightGBM text."""
        return {LOSS_TREES_FILE: self.scores.booster.model_to_string().encode()}
