"""The packaged model behind MLflow's own scoring server: a request answered, others refused."""

import asyncio
import json
import logging
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pytest
from mlflow.pyfunc import scoring_server

from relimit.models import load_model
from relimit.policy import load_policy
from relimit.serving.live import decide_history
from relimit.serving.scorer import Scorer

# It runs what the package brings; here the package is our own, made a moment ago.
load_pyfunc = mlflow.pyfunc.load_model  # noqa: TID251

START = datetime(2026, 1, 1, tzinfo=UTC)
SECRET_ID, SECRET_AMOUNT = "borrower-77", 7_391_113


def history(**changes: Any) -> dict[str, Any]:
    """A line of whom no id or amount can be met by chance."""
    events: list[dict[str, Any]] = [
        {"ts": (START + timedelta(days=day)).isoformat(), "kind": kind, "amount": amount}
        for day, kind, amount in (
            (0, "limit", 2 * SECRET_AMOUNT),
            (1, "draw", SECRET_AMOUNT),
            (40, "prepayment", SECRET_AMOUNT),
        )
    ]
    events[1] |= changes
    return {"account_id": SECRET_ID, "events": events}


@pytest.fixture(scope="module")
def server(model_folder: Path, tmp_path_factory: pytest.TempPathFactory, relimit: Any) -> Any:
    out = tmp_path_factory.mktemp("package") / "decider"
    result = relimit("package", "--model", model_folder, "--out", out)
    assert result.exit_code == 0, result.output
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_MLFLOW_IS_IN_SERVING_ENVIRONMENT", "true")  # so that it is taken back
        yield scoring_server.init(load_pyfunc(str(out)))


@pytest.fixture
def post(server: Any) -> Any:
    """Post a body to the endpoint as a web server would; return the status and the answer."""

    def post(body: bytes) -> tuple[int, Any]:
        given = [{"type": "http.request", "body": body, "more_body": False}]
        sent: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return given.pop() if given else await asyncio.Future()

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "scheme": "http",
            "path": "/invocations",
            "raw_path": b"/invocations",
            "query_string": b"",
            "headers": [(b"content-type", b"application/json")],
        }
        asyncio.run(server(scope, receive, send))
        text = b"".join(message.get("body", b"") for message in sent)
        return sent[0]["status"], json.loads(text)

    return post


def test_a_request_is_answered_as_in_process(post: Any, model_folder: Path) -> None:
    body = json.dumps({"inputs": [history()]}).encode()
    status, answer = post(body)
    scorer = Scorer(load_model(model_folder), load_policy())
    assert (status, answer) == (200, {"predictions": [decide_history(scorer, history())]})


REFUSED = {
    "no JSON": (b'{"inputs": [', ""),
    "no histories": (b'{"inputs": [5]}', ""),
    "of two accounts": (
        json.dumps({"inputs": [history(account_id="somebody")]}).encode(),
        "events[1] is of account somebody",
    ),
    "a strange amount": (
        json.dumps({"inputs": [history(amount=SECRET_AMOUNT + 0.5)]}).encode(),
        "events[1].amount is 7391113.5",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_malformed_request_is_told_to_who_asked_and_to_no_log(
    post: Any, case: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    body, said = REFUSED[case]
    caplog.set_level(logging.DEBUG)
    status, answer = post(body)
    assert status == 400
    assert said in answer["message"]
    logged = [record.getMessage() for record in caplog.records if record.levelno > logging.DEBUG]
    told = "\n".join([*logged, *capfd.readouterr()])
    assert SECRET_ID not in told
    assert str(SECRET_AMOUNT) not in told.replace(",", "")
