"""A small run of the demo, made once: its book and models serve all serving tests."""

import fcntl
import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow.compute as pc
import pyarrow.parquet as pq
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
    """The first worker to ask makes it, and all others wait for it: it takes most of a minute."""
    base = tmp_path_factory.getbasetemp()
    base = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    folder, printed = base / "demo", base / "demo.printed"
    with (base / "demo.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not printed.exists():
            size = ["--accounts", "2500", "--months", "24", "--seed", "7"]
            result = CliRunner().invoke(demo, ["--out", str(folder), *size])
            assert result.exit_code == 0, result.output
            printed.write_text(result.stdout, "utf-8")
    return Demonstration(folder, printed.read_text("utf-8"))


@pytest.fixture(scope="session")
def book(demonstration: Demonstration) -> Path:
    return demonstration.folder / "book"


@pytest.fixture(scope="session")
def small_book(book: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The book's first 400 accounts, for what is dear and is only looked at for its form."""
    folder = tmp_path_factory.mktemp("small")
    shutil.copy(book / "book.json", folder)
    for name in ("events.parquet", "decisions.parquet", "accounts.parquet"):
        some = pq.read_table(book / name, filters=pc.field("account_id") <= 400)
        pq.write_table(some, folder / name)
    return folder


@pytest.fixture(scope="session")
def observations(demonstration: Demonstration) -> Path:
    return demonstration.folder / "observations.parquet"


@pytest.fixture(scope="session")
def store(demonstration: Demonstration, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The demo's store, copied: what one worker records the others don't see."""
    copy = shutil.copy(demonstration.folder / "mlflow.db", tmp_path_factory.mktemp("store"))
    return f"sqlite:///{copy}"


@pytest.fixture(scope="session")
def model_folder(store: str) -> Path:
    """The lightgbm model's artifact as a local folder, which needs no MLflow."""
    folder, _ = resolve_model("models:/restoration-risk/2", store)
    return folder


@pytest.fixture(scope="session")
def quick_jvm() -> str:
    """Options for Java that runs a minute: its second compiler costs more than it brings."""
    return "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"


@pytest.fixture(scope="session")
def spark(quick_jvm: str) -> Iterator[Any]:
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
        "spark.driver.extraJavaOptions": quick_jvm,
        "spark.executor.extraJavaOptions": quick_jvm,
        "spark.task.maxFailures": "4",
        "spark.sql.adaptive.enabled": "false",
    }.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    yield session
    session.stop()
