"""One decision at a time, as the batch has it to the last bit: Python, JSON, threads, MLflow."""

import json
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result
from mlflow.exceptions import MlflowException

from relimit.data import Prepayments
from relimit.data.errors import DataError, ModelError
from relimit.data.events import EventBlock
from relimit.models import load_model
from relimit.policy import Decisions, load_policy
from relimit.serving.live import decide_histories, decide_history
from relimit.serving.scorer import Scorer

Run = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]

# It runs what the package brings; here the package is our own, made a moment ago.
load_pyfunc = mlflow.pyfunc.load_model  # noqa: TID251


def plain(row: Any) -> Any:
    """Return a row as JSON has it, by other means than the code under test."""
    return json.loads(json.dumps(row, default=lambda time: time.isoformat()))


@pytest.fixture(scope="module")
def since(book: Path) -> datetime:
    as_of = datetime.fromisoformat(json.loads((book / "book.json").read_text())["as_of"])
    return as_of.replace(year=as_of.year - 1)


@pytest.fixture(scope="module")
def batch(
    book: Path,
    model_folder: Path,
    since: datetime,
    tmp_path_factory: pytest.TempPathFactory,
    relimit_json: RunJson,
) -> list[dict[str, Any]]:
    """The decisions of a year's batch on 300 accounts, some of each status."""
    out = tmp_path_factory.mktemp("live")
    until = json.loads((book / "book.json").read_text())["as_of"]
    window = ["--since", since.isoformat(), "--as-of", until]
    words = ["--model", model_folder, "--events", book / "events.parquet", *window, "--out", out]
    relimit_json("score", *words)
    rows: list[dict[str, Any]] = pq.read_table(out / "decisions").to_pylist()
    last = list({row["account_id"]: row for row in rows}.values())
    chosen = last[::7][:300]
    assert {row["status"] for row in chosen} >= {"restored", "held", "declined"}
    return chosen


@pytest.fixture(scope="module")
def tables(book: Path, batch: list[dict[str, Any]]) -> list[pa.Table]:
    """The events of each decision's account."""
    ids = [row["account_id"] for row in batch]
    events = pq.read_table(book / "events.parquet", filters=[("account_id", "in", ids)])
    column = events["account_id"].to_numpy()
    return [events.filter(pa.array(column == account)) for account in ids]


@pytest.fixture(scope="module")
def histories(
    tables: list[pa.Table], batch: list[dict[str, Any]], since: datetime
) -> list[dict[str, Any]]:
    """The same as JSON objects."""
    return [
        {
            "account_id": row["account_id"],
            "as_of": row["as_of"].isoformat(),
            "since": since.isoformat(),
            "events": plain(events.drop_columns(["account_id"]).to_pylist()),
        }
        for row, events in zip(batch, tables, strict=True)
    ]


@pytest.fixture(scope="module")
def scorer(model_folder: Path) -> Scorer:
    return Scorer(load_model(model_folder), load_policy())


@pytest.fixture(scope="module")
def package(model_folder: Path, tmp_path_factory: pytest.TempPathFactory, relimit: Run) -> Path:
    out = tmp_path_factory.mktemp("package") / "decider"
    result = relimit("package", "--model", model_folder, "--out", out)
    assert result.exit_code == 0, result.output
    return out


@pytest.fixture(scope="module")
def served(package: Path) -> Any:
    return load_pyfunc(str(package))


def test_a_table_and_records_are_decided_as_in_the_batch(
    scorer: Scorer, tables: list[pa.Table], batch: list[dict[str, Any]], since: datetime
) -> None:
    for row, events in zip(batch, tables, strict=True):
        assert scorer.decide(events, row["as_of"], since=since) == row
    few = zip(batch[:20], tables[:20], strict=True)
    assert all(
        scorer.decide(events.to_pylist(), row["as_of"], since=since) == row for row, events in few
    )


def test_the_packaged_model_decides_as_the_batch(
    served: Any, histories: list[dict[str, Any]], batch: list[dict[str, Any]]
) -> None:
    assert served.predict(histories) == plain(batch)


def test_threads_that_share_a_scorer_decide_as_the_batch(
    scorer: Scorer, histories: list[dict[str, Any]], batch: list[dict[str, Any]]
) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda history: decide_history(scorer, history), histories))
    assert answers == plain(batch)


def test_a_bad_history_leaves_the_others_as_they_are(
    served: Any, histories: list[dict[str, Any]], batch: list[dict[str, Any]]
) -> None:
    bad = {**histories[0], "events": [{"ts": "yesterday", "kind": "draw"}]}
    first, error, last = served.predict([histories[0], bad, histories[1]])
    assert [first, last] == plain(batch[:2])
    assert list(error) == ["error"]
    assert "events[0].ts is 'yesterday'" in error["error"]


def told(answers: list[Any]) -> list[Any]:
    """Decisions as they are, errors as their text."""
    return [str(answer) if isinstance(answer, DataError) else answer for answer in answers]


def test_many_histories_are_each_answered_as_if_alone(
    scorer: Scorer, histories: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = histories[:2]
    asked = [
        second,
        {**first, "account_id": "7"},
        {**first, "events": []},
        first,
        {**first, "as_of": first["since"]},
        {**second, "account_id": 7},
        5,
        first,
        *histories[2:40],
    ]
    monkeypatch.setattr("relimit.serving.live.AT_ONCE", 9)
    alone: list[Any] = []
    for history in asked:
        try:
            alone.append(decide_history(scorer, history))
        except DataError as error:
            alone.append(str(error))
    assert told(decide_histories(scorer, asked)) == alone
    assert sum(isinstance(answer, str) for answer in alone) == 3
    assert decide_histories(scorer, []) == []


class Choosy(Scorer):
    """Refuses every block that holds a sum of events."""

    refused = 0

    def decide_block(self, block: EventBlock, prepayments: Prepayments) -> Decisions:
        if len(block.kind) == Choosy.refused or len(prepayments) > 1:
            raise DataError("no", mend="Give another")
        return super().decide_block(block, prepayments)


def test_a_history_that_the_policy_refuses_is_refused_alone(
    scorer: Scorer, histories: list[dict[str, Any]], batch: list[dict[str, Any]]
) -> None:
    Choosy.refused = len(histories[1]["events"])
    assert len(histories[0]["events"]) != Choosy.refused != len(histories[2]["events"])
    answers = decide_histories(Choosy(scorer.model, scorer.policy), histories[:3])
    assert told(answers) == [plain(batch[0]), "no. Give another", plain(batch[2])]


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ([{"account_id": 1}], "none of 1 histories can be decided.*not a list of objects"),
        ([{}], "not an object with account_id and events"),
        ([5], "int|dict|type"),
        ([], "no history"),
    ],
)
def test_a_request_in_which_nothing_can_be_decided_is_refused(
    served: Any, asked: list[Any], said: str
) -> None:
    with pytest.raises(MlflowException, match=said) as refused:
        served.predict(asked)
    assert refused.value.get_http_status_code() == 400


def test_the_package_holds_no_pickle(package: Path) -> None:
    names = {path.name for path in package.rglob("*") if path.is_file()}
    assert not [name for name in names if name.endswith((".pkl", ".pickle", ".joblib"))]
    assert {"decider.py", "policy.toml", "manifest.json"} <= names


def test_a_package_whose_model_was_exchanged_is_refused(
    package: Path, tmp_path: Path, relimit: Run, model_folder: Path
) -> None:
    out = tmp_path / "decider"
    assert relimit("package", "--model", model_folder, "--out", out).exit_code == 0
    manifest = out / "artifacts" / "model" / "manifest.json"
    manifest.write_text(manifest.read_text().replace('"family"', ' "family"', 1))
    with pytest.raises(ModelError, match="is not the manifest asked for"):
        load_pyfunc(str(out))


def test_packaging_says_nothing_of_what_mlflow_thinks_of_its_code(
    model_folder: Path, tmp_path: Path
) -> None:
    words = ["package", "--model", str(model_folder), "--out", str(tmp_path / "decider")]
    command = [sys.executable, "-c", "from relimit.serving.cli import main; main()", *words]
    told = subprocess.run(command, capture_output=True, text=True, check=True)
    assert told.stderr == ""


def test_a_package_never_replaces_what_is_there(
    package: Path, relimit: Run, model_folder: Path
) -> None:
    again = relimit("package", "--model", model_folder, "--out", package)
    assert again.exit_code == 1
    assert "is not empty" in again.output


def test_what_is_not_one_account_with_a_prepayment_is_refused(
    scorer: Scorer, tables: list[pa.Table], batch: list[dict[str, Any]]
) -> None:
    with pytest.raises(DataError, match="2 accounts where one is decided"):
        scorer.decide(pa.concat_tables(tables[:2]))
    with pytest.raises(DataError, match="has no zone"):
        scorer.decide(tables[0], batch[0]["as_of"].replace(tzinfo=None))
    with pytest.raises(DataError, match="no prepayment"):
        scorer.decide([{"account_id": 1, "ts": batch[0]["as_of"], "kind": "limit", "amount": 5}])
