"""One tracking store for each module, since making its tables takes two seconds."""

import pytest

from relimit.training.store import SQLITE


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory) -> str:
    return f"{SQLITE}{tmp_path_factory.mktemp('store') / 'made' / 'mlflow.db'}"


@pytest.fixture(autouse=True)
def _no_mlflow_settings(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)
