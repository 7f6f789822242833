"""A real revolving-credit book goes through as it is: check, train, predict."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn.metrics import roc_auc_score

RunJson = Callable[..., dict[str, Any]]
BOOKS = Path(os.environ.get("RELIMIT_REAL_BOOKS", Path(__file__).parents[3] / "shared" / "real"))
TAIWAN = BOOKS / "taiwan"

pytestmark = pytest.mark.skipif(
    not TAIWAN.exists(), reason=f"the real book is not at {TAIWAN}; RELIMIT_REAL_BOOKS says where"
)


def test_the_real_book_is_fit_to_use(relimit_json: RunJson) -> None:
    report = relimit_json("check", TAIWAN)
    assert report["ok"] is True
    assert report["rows"] == 516_349


def test_a_model_of_the_real_book_tells_bad_from_good_and_not_too_well(
    tmp_path: Path, relimit_json: RunJson
) -> None:
    files = ["--events", TAIWAN / "events.parquet"]
    store = ["--tracking-uri", f"sqlite:///{tmp_path / 'mlflow.db'}"]
    observed = ["--observations", TAIWAN / "observations.parquet"]
    trained = relimit_json("train", *files, *observed, "--family", "lightgbm", *store)
    assert 0.76 < trained["metrics"]["auc"] < 0.80
    snapshots, out = TAIWAN / "observations.parquet", tmp_path / "risk.parquet"
    model = ["--model", trained["model_uri"], *store]
    relimit_json("predict", *model, *files, "--snapshots", snapshots, "--out", out)
    risk = pq.read_table(out)["risk"].to_numpy()
    bad = pq.read_table(snapshots)["bad"].to_numpy()
    assert roc_auc_score(bad, risk) > 0.78
    assert np.isclose(risk.mean(), bad.mean(), atol=0.01)
