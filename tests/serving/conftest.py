"""A small run of the demo, made once: its book and models serve all serving tests."""

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from relimit.serving.cli import main
from relimit.serving.demo import demo
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


@dataclass(frozen=True)
class Demonstration:
    """What a small run of the demo left, and what it printed."""

    folder: Path
    printed: str


@pytest.fixture(scope="session")
def demonstration(tmp_path_factory: pytest.TempPathFactory) -> Demonstration:
    folder = tmp_path_factory.mktemp("demo")
    size = ["--accounts", "2500", "--months", "24", "--seed", "7"]
    result = CliRunner().invoke(demo, ["--out", str(folder), *size])
    assert result.exit_code == 0, result.output
    return Demonstration(folder, result.stdout)


@pytest.fixture(scope="session")
def book(demonstration: Demonstration) -> Path:
    return demonstration.folder / "book"


@pytest.fixture(scope="session")
def observations(demonstration: Demonstration) -> Path:
    return demonstration.folder / "observations.parquet"


@pytest.fixture(scope="session")
def store(demonstration: Demonstration) -> str:
    return f"sqlite:///{demonstration.folder / 'mlflow.db'}"


@pytest.fixture(scope="session")
def model_folder(store: str) -> Path:
    """The lightgbm model's artifact as a local folder, which needs no MLflow."""
    folder, _ = resolve_model("models:/restoration-risk/2", store)
    return folder


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """A cluster of two executors, each a process of its own with one core."""
    sql = pytest.importorskip("pyspark.sql", reason="the extra `spark` is not installed")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        if "CI" in os.environ:
            pytest.fail("Java is not installed: continuous integration must try Spark")
        pytest.skip("Java is not installed")

    os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    builder = sql.SparkSession.builder.master("local-cluster[2,1,1024]").appName("relimit-tests")
    for name, value in {
        "spark.sql.session.timeZone": "UTC",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.task.maxFailures": "8",
        "spark.sql.adaptive.enabled": "false",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
