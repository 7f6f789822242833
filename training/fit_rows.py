"""Observations as an estimator takes them: features with arms, what is learnt, and weights."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.models import ARM_COLUMNS
from relimit.models.arms import with_arms
from relimit.training.discrimination import Floats
from relimit.training.labelled import Labelled
from relimit.training.splits import Split
from relimit.training.tune import Slice


@dataclass(frozen=True, slots=True)
class FitRows:
    """What slices are taken from.

    `weight` `[n]` is of the decisions, None if arms don't vary; `target` `[n]` what is learnt in
    place of the outcomes, None if these are.
    """

    X: Floats
    names: Sequence[str]
    labelled: Labelled
    split: Split
    weight: Floats | None
    target: Floats | None = None

    def take(self, rows: NDArray[np.int64], by_arm: Floats | None) -> Slice:
        """Return some rows with their arms, outcomes and weights; no other row is copied.

        Trees that are given the arm's effect (`by_arm`) have nothing to learn from weights, which
        halve what the rows are worth (Winship & Radbill 1994): their rows come without.
        """
        columns = list(self.names)
        if self.weight is None:
            matrix = self.X[rows]
        else:
            matrix = with_arms(self.X, self.labelled.arms, rows)
            columns += ARM_COLUMNS
        frame = pd.DataFrame(matrix, columns=columns, copy=False)
        learnt = self.labelled.bad if self.target is None else self.target
        return frame, learnt[rows], self.weights(rows) if by_arm is None else None

    def weights(self, rows: NDArray[np.int64]) -> Floats | None:
        """Return the weights of some rows."""
        return None if self.weight is None else self.weight[rows]
