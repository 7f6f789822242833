"""The risks of a version's test slice, kept with its run, so that versions can be paired later."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.tables import read_parquet
from relimit.training.dataset import TrainingData

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME: Final = "test_scores"
FINGERPRINT: Final = "test_sha256"
"""The run's parameter that two versions tested on the same rows share."""
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


def tested_table(data: TrainingData, risk: NDArray[np.float64]) -> pa.Table:
    """Return the table to record: no borrower's id leaves the book."""
    test = data.labelled.take(data.split.test)
    account = pd.factorize(test.account_id)[0].astype(np.int64)
    return pa.table([account, test.bad, risk], schema=SCHEMA)


def read_tested(client: "MlflowClient", run_id: str) -> SliceRisks:
    """Return what `tested_table` recorded with a run."""
    path = Path(client.download_artifacts(run_id, f"{NAME}.parquet"))
    table = read_parquet(path, SCHEMA, table=NAME)
    return SliceRisks(
        account=table["account"].to_numpy(),
        bad=table["bad"].to_numpy(),
        risk=table["risk"].to_numpy(),
    )
