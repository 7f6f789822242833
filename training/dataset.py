"""What a model is trained on: features, outcomes, slices, and how to tell one set from another."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data import observe
from relimit.data.vocabulary import BAD_HORIZON_DAYS
from relimit.features import iter_features, model_feature_names
from relimit.training.fit import Progress
from relimit.training.labelled import Labelled, read_labelled
from relimit.training.splits import SLICES, HoldOut, Split, split_observations

TENURE: Final = "tenure_days"
"""The feature that is null exactly where no event is known."""


@dataclass(frozen=True, slots=True)
class TrainingData:
    """What a model is trained on, and what is recorded about it.

    Attributes
    ----------
    X, names
        `[n, F]` features and their names.
    labelled, split
        `[n]` outcomes, and the slices.
    late
        `[n]` whether any arrears, however short, came within the horizon, as far as events tell.
    not_matured, without_arm
        Observations left out: `bad` is null, or the arm is where others have one.
    without_events
        Rows of accounts that have no event.
    without_history
        Matured rows before which no event of the account was known.
    horizon_days
        Length of the outcome window.
    """

    X: NDArray[np.float64]
    names: tuple[str, ...]
    labelled: Labelled
    split: Split
    late: NDArray[np.bool_]
    not_matured: int
    without_arm: int
    without_events: int
    without_history: int
    horizon_days: int

    def row_counts(self) -> dict[str, int]:
        """Return how many observations each slice has, and why the others are in none."""
        return {
            **{name: len(getattr(self.split, name)) for name in SLICES},
            "in_no_slice": self.split.left_out,
            "not_matured": self.not_matured,
            "without_arm": self.without_arm,
        }

    def describe(self) -> dict[str, Any]:
        """Return the data's fingerprint, window and split as JSON values."""
        as_of = self.labelled.as_of
        return {
            "rows": len(self.labelled),
            "bads": int(self.labelled.bad.sum()),
            "accounts": len(pd.unique(self.labelled.account_id)),
            "not_matured": self.not_matured,
            "without_arm": self.without_arm,
            "without_events": self.without_events,
            "without_history": self.without_history,
            "horizon_days": self.horizon_days,
            "first_as_of": _iso(as_of.min()),
            "last_as_of": _iso(as_of.max()),
            "observations_sha256": self.labelled.fingerprint(),
            "matrix_sha256": hashlib.sha256(np.ascontiguousarray(self.X).data).hexdigest(),
            "slices": {
                name: _slice(self.labelled.take(getattr(self.split, name))) for name in SLICES
            },
        }


def read_training_data(
    events: Path,
    observations: pa.Table,
    *,
    horizon_days: int = BAD_HORIZON_DAYS,
    hold_out: HoldOut = "time",
    workers: int = 2,
    progress: Progress,
) -> TrainingData:
    """Return the matured observations with their features and slices.

    Raises
    ------
    DataError
        If the tables break their contract, or have too few rows of one outcome.
    """
    labelled, matured = read_labelled(observations)
    split = split_observations(
        labelled.account_id,
        labelled.as_of,
        labelled.bad,
        horizon_days=horizon_days,
        hold_out=hold_out,
    )
    progress(f"computing features of {len(labelled):,} observations")
    names = model_feature_names()
    snapshots = matured.select(["account_id", "as_of"])
    blocks = iter_features(events, snapshots, workers=workers, names=names)
    X = blocks.gather()
    without_events = blocks.count_without_events(where="observations")
    not_matured = observations["bad"].null_count
    return TrainingData(
        X=X,
        names=names,
        labelled=labelled,
        split=split,
        late=_late(events, snapshots, horizon_days),
        not_matured=not_matured,
        without_arm=observations.num_rows - not_matured - len(labelled),
        without_events=without_events,
        without_history=_unknown(X, names),
        horizon_days=horizon_days,
    )


def _unknown(X: NDArray[np.float64], names: tuple[str, ...]) -> int:
    """Return how many rows no event is known of; 0 where no feature tells."""
    return int(np.isnan(X[:, names.index(TENURE)]).sum()) if TENURE in names else 0


def _late(events: Path, points: pa.Table, horizon_days: int) -> NDArray[np.bool_]:
    came = observe(events, points, horizon_days=horizon_days, days_past_due=1)["bad"]
    return np.asarray(pc.fill_null(came, False).to_numpy(), dtype=np.bool_)


def _slice(rows: Labelled) -> dict[str, object]:
    return {"rows": len(rows), "bads": int(rows.bad.sum())}


def _iso(microseconds: np.int64) -> str:
    return f"{np.datetime64(int(microseconds), 'us')}Z"
