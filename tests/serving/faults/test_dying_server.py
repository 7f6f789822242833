"""A tracking server that dies half-way through a command: one message, and no half result."""

import json
import sys
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from types import SimpleNamespace
from typing import Any

import pyarrow.parquet as pq
import pytest

from relimit.data.errors import ModelError
from relimit.training.tracking import start_run

MOST_SECONDS = 60
VERSION = {
    "name": "restoration-risk",
    "version": "1",
    "run_id": "r",
    "source": "mlflow-artifacts:/0/models/m-1/artifacts",
    "tags": [{"key": "relimit.artifact_digest", "value": "0" * 64}],
}
FINDS_THE_MODEL = {
    "experiments/search": {"experiments": []},
    "registered-models/alias": {"model_version": VERSION},
    "registered-models/get": {"registered_model": {"name": VERSION["name"]}},
    "model-versions/get-download-uri": {"artifact_uri": VERSION["source"]},
}
OPENS_A_RUN = {
    "experiments/search": {"experiments": []},
    "experiments/get-by-name": {"experiment": {"experiment_id": "3", "name": "e"}},
    "runs/create": {"run": {"info": {"run_id": "r", "experiment_id": "3"}, "data": {}}},
}


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A server that gives the answers it has been given, and else hangs up in the middle."""
    for name, value in {"TIMEOUT": "1", "MAX_RETRIES": "1", "BACKOFF_FACTOR": "0"}.items():
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{name}", value)
    told = SimpleNamespace(answers={}, asked=[])

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            path = self.path.split("?")[0]
            told.asked.append(path)
            answer = next((a for end, a in told.answers.items() if path.endswith(end)), None)
            text = json.dumps(answer or {"files": "cut"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text if answer else text[:7])
            self.close_connection = not answer

        do_POST = do_PATCH = do_PUT = do_GET  # noqa: N815

        def log_message(self, *_: Any) -> None:
            """Say nothing on stderr."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        Thread(target=listening.serve_forever, daemon=True).start()
        told.uri = f"http://127.0.0.1:{listening.server_address[1]}"
        yield told
        listening.shutdown()


def test_a_server_that_dies_between_the_alias_and_the_files_decides_nothing(
    server: Any, events: Path, night: Any, relimit: Any, tmp_path: Path
) -> None:
    server.answers.update(FINDS_THE_MODEL)
    pq.write_table(night.book(5, 4), events)
    words = ["--model", "models:/restoration-risk@champion", "--tracking-uri", server.uri]
    began = time.monotonic()
    result = relimit("score", *words, "--events", events, *night.words, "--out", tmp_path / "out")
    assert time.monotonic() - began < MOST_SECONDS
    assert "mlflow-artifacts" in server.asked[-1], server.asked
    assert result.exit_code == 1, result.output
    assert "MLflow refuses: " in result.output
    assert "Check the tracking URI" in result.output
    assert not (tmp_path / "out").exists()


def test_a_server_that_dies_during_a_training_is_the_error_that_is_told(server: Any) -> None:
    server.answers.update(OPENS_A_RUN)
    with (
        pytest.raises(ModelError, match=r"MLflow refuses: .*log-batch"),
        start_run("e", "lightgbm", {}, server.uri) as run,
    ):
        run.metrics({"auc": 0.7})
    assert server.asked[-1].endswith("runs/update")  # it was still told that the run failed


def test_a_run_that_cannot_be_ended_is_an_error(server: Any) -> None:
    server.answers.update(OPENS_A_RUN)
    with (
        pytest.raises(ModelError, match="MLflow refuses: "),
        start_run("e", "lightgbm", {}, server.uri),
    ):
        pass


def test_what_failed_of_a_run_is_told_though_its_server_has_died(server: Any) -> None:
    server.answers.update(OPENS_A_RUN)
    with pytest.raises(ValueError, match="ours"), start_run("e", "lightgbm", {}, server.uri):
        raise ValueError("ours")


def test_a_store_whose_driver_is_absent_is_a_message(
    relimit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for driver in ("psycopg", "psycopg2"):
        monkeypatch.setitem(sys.modules, driver, None)
    store = "postgresql://risk:hunter2@127.0.0.1:1/mlflow"
    result = relimit("promote", "models:/restoration-risk/1", "--tracking-uri", store)
    assert result.exit_code == 1
    assert "risk:***@127.0.0.1" in result.output
    assert "driver is absent. Install it: pip install psycopg" in result.output


def test_a_server_that_lives_makes_nobody_print_its_address(
    server: Any, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "false")  # as MLflow has it
    about = OPENS_A_RUN["runs/create"]["run"]["info"] | {"status": "FINISHED", "run_name": "n"}
    server.answers.update(OPENS_A_RUN)
    server.answers["runs/update"] = {"run_info": about}
    server.answers["runs/get"] = {"run": {"info": about, "data": {}}}
    with start_run("e", "lightgbm", {}, server.uri.replace("//", "//risk:hunter2@")):
        pass
    assert any(path.endswith("runs/update") for path in server.asked)
    assert capfd.readouterr().out == ""  # `--json` prints one object, and nothing else does
