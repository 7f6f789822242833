"""A small simulated book and the models trained on it, made once for all serving tests."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relimit.serving.cli import main
from relimit.training import resolve_model

Run = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]


def _relimit(*words: object, stdin: str | None = None) -> Result:
    """Run the command line in this process, as a shell would."""
    return CliRunner().invoke(main, [str(word) for word in words], input=stdin)


def _relimit_json(*words: object, stdin: str | None = None) -> dict[str, Any]:
    """Run a command that must succeed, and return the one JSON object it prints."""
    result = _relimit(*words, "--json", stdin=stdin)
    assert result.exit_code == 0, result.output
    parsed: dict[str, Any] = json.loads(result.stdout)
    return parsed


@pytest.fixture(scope="session")
def relimit() -> Run:
    return _relimit


@pytest.fixture(scope="session")
def relimit_json() -> RunJson:
    return _relimit_json


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("workshop")


@pytest.fixture(scope="session")
def book(workshop: Path) -> Path:
    path = workshop / "book"
    _relimit_json("simulate", path, "--accounts", 1500, "--months", 24, "--seed", 3)
    return path


@pytest.fixture(scope="session")
def store(workshop: Path) -> str:
    return f"sqlite:///{workshop / 'mlflow.db'}"


@pytest.fixture(scope="session")
def observations(workshop: Path, book: Path) -> Path:
    path = workshop / "observations.parquet"
    _relimit_json("observe", book, "--out", path)
    return path


@pytest.fixture(scope="session")
def trained(book: Path, observations: Path, store: str) -> dict[str, dict[str, Any]]:
    """Both families, trained on the same observations, by family."""
    return {
        family: _relimit_json(
            "train", "--events", book / "events.parquet", "--observations", observations,
            "--family", family, "--tracking-uri", store,
        )
        for family in ("scorecard", "lightgbm")
    }  # fmt: skip


@pytest.fixture(scope="session")
def model_folder(trained: dict[str, dict[str, Any]], store: str) -> Path:
    """The lightgbm model's artifact as a local folder, which needs no MLflow."""
    folder, _ = resolve_model(trained["lightgbm"]["model_uri"], store)
    return folder
