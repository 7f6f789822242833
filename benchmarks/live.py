"""One live decision: in process at 50 and 2,000 events, and through REST under 32 clients.

    python benchmarks/live.py [--requests N] [--accounts N]

A book is simulated and a model trained on it first: the more accounts, the more trees it has and
the more features it reads, and the longer a decision takes. Every answer is compared with the
batch's before a time is printed: in process with the same history, through REST with rows of a
scored window. REST is `mlflow models serve` on what `relimit package` writes, in a process of its
own on the same machine, so that clients and server share the cores.
"""

import argparse
import http.client
import itertools
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from relimit.models import load_model
from relimit.policy import load_policy
from relimit.serving.live import decide_history
from relimit.serving.scorer import Scorer
from relimit.training import resolve_model

CLIENTS = 32
HISTORIES = 600
"""Accounts whose histories are asked with."""

TARGET_MS = 3.0
"""The 99th percentile of a decision in process, for an account with 50 events."""


def main() -> int:
    """Measure; return 1 if an answer was wrong, a request failed or the target was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=2000)
    parser.add_argument("--accounts", type=int, default=6000)
    given = parser.parse_args()
    requests = given.requests
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = make_model(folder, given.accounts)
        batch, histories = scored_window(folder, model)
        scorer = Scorer(load_model(model), load_policy())
        reads = len(scorer.model.reads)
        print(f"a model that reads {reads} features, learnt on {given.accounts:,} accounts")
        met = in_process(scorer, batch, histories, requests)
        relimit(folder, "package", "--model", model, "--out", folder / "decider")
        good = through_rest(folder / "decider", batch, histories, requests)
    return 0 if met and good else 1


def relimit(folder: Path, *words: object) -> None:
    """Run a command of relimit in the folder."""
    code = "from relimit.serving.cli import main; main()"
    command = [sys.executable, "-c", code, *map(str, words)]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)


def make_model(folder: Path, accounts: int) -> Path:
    """Simulate a book, train on it and return the artifact's folder."""
    size = ["--accounts", accounts, "--months", 24, "--seed", 1]
    relimit(folder, "simulate", folder / "book", *size)
    store = f"sqlite:///{folder / 'mlflow.db'}"
    relimit(folder, "train", folder / "book", "--family", "lightgbm", "--tracking-uri", store)
    return resolve_model("models:/restoration-risk/1", store)[0]


def scored_window(folder: Path, model: Path) -> tuple[list[Any], list[dict[str, Any]]]:
    """Return the batch's last decisions of accounts in a year, and the histories asked with."""
    events = folder / "book" / "events.parquet"
    until = datetime.fromisoformat(json.loads((folder / "book" / "book.json").read_text())["as_of"])
    since = until - timedelta(days=365)
    window = ["--since", since.isoformat(), "--as-of", until.isoformat()]
    relimit(folder, "score", "--model", model, "--events", events, *window, "--out", folder / "s")
    rows = pq.read_table(folder / "s" / "decisions").to_pylist()
    last = dict(itertools.islice({row["account_id"]: row for row in rows}.items(), HISTORIES))
    table = pq.read_table(events)
    column = table["account_id"].to_numpy()
    return plain(list(last.values())), [
        {
            "account_id": account,
            "as_of": row["as_of"].isoformat(),
            "since": since.isoformat(),
            "events": records(table.filter(pa.array(column == account))),
        }
        for account, row in last.items()
    ]


def records(events: pa.Table) -> list[dict[str, Any]]:
    """Return events as JSON has them, without the fields that are null."""
    rows = events.drop_columns(["account_id"]).to_pylist()
    kept = [{name: value for name, value in row.items() if value is not None} for row in rows]
    found: list[dict[str, Any]] = plain(kept)
    return found


def plain(rows: Any) -> Any:
    """Return rows as JSON has them."""
    return json.loads(json.dumps(rows, default=lambda time: time.isoformat()))


def with_events(history: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the history cut or padded with log-ins long ago to so many events."""
    events = history["events"][-size:]
    first = datetime.fromisoformat(events[0]["ts"])
    padding = [
        {
            "ts": (first - timedelta(hours=hour + 1)).isoformat(),
            "kind": "operation",
            "detail": "limit_check",
        }
        for hour in range(size - len(events))
    ]
    return {**history, "events": padding + events}


def in_process(
    scorer: Scorer, batch: list[Any], histories: list[dict[str, Any]], requests: int
) -> bool:
    """Print the times of single decisions; return whether the answers and the target are met."""
    if [decide_history(scorer, history) for history in histories] != batch:
        print(f"in process: an answer of {len(batch)} differs from the batch's: WRONG")
        return False
    print(f"in process: {len(batch):,} answers, each the batch's to the last bit")
    met = True
    for size in (50, 2000):
        asked = [with_events(history, size) for history in histories[:200]]
        asked = [history for history in asked if has_prepayment(history)]
        for history in asked[:50]:
            decide_history(scorer, history)
        took = []
        for turn in range(requests):
            start = time.perf_counter()
            decide_history(scorer, asked[turn % len(asked)])
            took.append(time.perf_counter() - start)
        p50, p99 = percentiles(took)
        told = ""
        if size == 50:
            met = p99 <= TARGET_MS
            told = f"; target p99 {TARGET_MS} ms: {'met' if met else 'MISSED'}"
        print(f"  {size:>5,} events: p50 {p50:.2f} ms, p99 {p99:.2f} ms{told}")
    return met


def has_prepayment(history: dict[str, Any]) -> bool:
    """Return whether something is left to decide after events were cut off."""
    return any(event["kind"] == "prepayment" for event in history["events"])


def percentiles(took: list[float]) -> tuple[float, float]:
    """Return p50 and p99 in milliseconds."""
    return tuple(np.percentile(np.array(took) * 1e3, [50, 99]))


def through_rest(
    package: Path, batch: list[Any], histories: list[dict[str, Any]], requests: int
) -> bool:
    """Print the times under many clients; return whether every answer is the batch's."""
    bodies = [json.dumps({"inputs": [history]}) for history in histories]
    with server(package) as port:

        def client(number: int) -> tuple[list[float], int, int]:
            took, wrong, failed = [], 0, 0
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
            for turn in range(number, requests, CLIENTS):
                place = turn % len(bodies)
                start = time.perf_counter()
                status, content = post(connection, bodies[place])
                took.append(time.perf_counter() - start)
                if status != 200:
                    failed += 1
                elif json.loads(content)["predictions"] != [batch[place]]:
                    wrong += 1
            return took, wrong, failed

        client(0)
        alone = client(0)[0]
        with ThreadPoolExecutor(CLIENTS) as pool:
            start = time.perf_counter()
            results = list(pool.map(client, range(CLIENTS)))
            elapsed = time.perf_counter() - start
        rate, right = in_one_request(port, histories, batch)
    wrong, failed = sum(result[1] for result in results), sum(result[2] for result in results)
    p50, p99 = percentiles(alone)
    print(f"REST, one client: p50 {p50:.1f} ms, p99 {p99:.1f} ms")
    p50, p99 = percentiles([one for result in results for one in result[0]])
    print(
        f"REST, {CLIENTS} clients, {requests:,} requests: p50 {p50:.0f} ms, p99 {p99:.0f} ms, "
        f"{requests / elapsed:.0f} a second; {failed} errors, {wrong} wrong answers: "
        f"{'met' if not wrong + failed else 'MISSED'}"
    )
    print(
        f"REST, {len(batch)} histories in one request: {rate:.0f} a second; "
        f"{'each right' if right else 'WRONG'}"
    )
    return right and not wrong + failed


def in_one_request(
    port: int, histories: list[dict[str, Any]], batch: list[Any]
) -> tuple[float, bool]:
    """Return how many histories a second are answered at once, and whether all are right."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=300)
    body, took = json.dumps({"inputs": histories}), []
    for _ in range(5):
        start = time.perf_counter()
        _, content = post(connection, body)
        took.append(time.perf_counter() - start)
    return len(batch) / float(np.median(took)), json.loads(content).get("predictions") == batch


def post(connection: http.client.HTTPConnection, body: str) -> tuple[int, bytes]:
    """Ask the endpoint; return the status and what it answers."""
    connection.request("POST", "/invocations", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, answer.read()


@contextmanager
def server(package: Path) -> Iterator[int]:
    """Serve the package with MLflow on a free port until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    mlflow = Path(sys.executable).with_name("mlflow")
    command = [mlflow, "models", "serve", "-m", package, "-p", str(port), "--env-manager", "local"]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    process = subprocess.Popen(
        [str(word) for word in command],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "PATH": path, "MLFLOW_DISABLE_TELEMETRY": "true"},
        start_new_session=True,
    )
    try:
        wait_for(port, process)
        yield port
    finally:
        os.killpg(process.pid, 15)
        process.wait(30)


def wait_for(port: int, process: "subprocess.Popen[bytes]") -> None:
    """Return once the server answers."""
    for _ in range(240):
        if process.poll() is not None:
            raise RuntimeError(f"the server ended with {process.returncode}")
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ping", timeout=5):
                return
        except OSError:
            time.sleep(0.5)
    raise RuntimeError("the server did not start in two minutes")


if __name__ == "__main__":
    sys.exit(main())
