"""The risks of a version's test slice, kept with its run, so that versions can be paired later.

Whoever may write to the run can exchange them: their digest is in the version's own manifest.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.errors import ModelError
from relimit.data.tables import read_parquet
from relimit.training.dataset import TrainingData

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME: Final = "test_scores"
FINGERPRINT: Final = "test_sha256"
"""What two versions tested on the same rows share: in the manifest, and as the run's parameter."""
SCORES: Final = "scores_sha256"
"""In the manifest, the digest of the recorded risks."""
SCHEMA: Final = pa.schema(
    [
        pa.field("account", pa.int64(), nullable=False),
        pa.field("bad", pa.bool_(), nullable=False),
        pa.field("risk", pa.float64(), nullable=False),
    ]
)


@dataclass(frozen=True, slots=True)
class SliceRisks:
    """Outcomes and risks of a test slice, `[n]`; accounts are numbered, not named."""

    account: NDArray[np.int64]
    bad: NDArray[np.bool_]
    risk: NDArray[np.float64]

    @classmethod
    def of(cls, table: pa.Table) -> Self:
        """Return the columns of `SCHEMA` as arrays."""
        return cls(*(table[name].to_numpy() for name in SCHEMA.names))

    @property
    def digest(self) -> str:
        """SHA-256 of all of them."""
        parts = (self.account.astype("<i8"), self.bad, self.risk.astype("<f8"))
        return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


def tested_table(data: TrainingData, risk: NDArray[np.float64]) -> pa.Table:
    """Return the table to record: no borrower's id leaves the book."""
    test = data.labelled.take(data.split.test)
    account = pd.factorize(test.account_id)[0].astype(np.int64)
    return pa.table([account, test.bad, risk], schema=SCHEMA)


def read_tested(client: "MlflowClient", run_id: str, digest: str) -> SliceRisks:
    """Return what `tested_table` recorded with a run.

    Raises
    ------
    ModelError
        If it is no longer what the version's manifest has the digest of.
    """
    path = Path(client.download_artifacts(run_id, f"{NAME}.parquet"))
    found = SliceRisks.of(read_parquet(path, SCHEMA, table=NAME))
    if found.digest != digest:
        raise ModelError(
            f"{NAME}.parquet has the digest {found.digest[:12]}, the manifest says {digest[:12]}",
            where=f"run {run_id}",
            mend="It was changed after its training: find out who changed it",
        )
    return found
