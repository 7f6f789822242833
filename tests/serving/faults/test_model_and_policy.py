"""A model or policy that can't be trusted decides nothing; a dying server is not waited for."""

import hashlib
import json
import shutil
import socket
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import relimit.policy as relimit_policy
from relimit.data.errors import ModelError
from relimit.models import Artifact, load_model, save_model
from relimit.models.serial import encode
from relimit.serving.batch import score
from relimit.serving.cluster import OnSpark
from relimit.serving.models import open_artifact
from relimit.serving.scorer import Scorer
from relimit.serving.spark import ShippedModel

MOST_SECONDS = 30


@pytest.fixture(autouse=True)
def _a_book(events: Path, night: Any) -> None:
    pq.write_table(night.book(5, 4), events)


@pytest.fixture
def model(small_model: Path, tmp_path: Path) -> Path:
    """A copy of the model, to be spoilt."""
    return Path(shutil.copytree(small_model, tmp_path / "model"))


def edit(path: Path, change: Any) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def cut_trees(model: Path) -> None:
    text = (model / "model.txt").read_text()
    (model / "model.txt").write_text(text[: len(text) // 2])


def bend_a_threshold(model: Path) -> None:
    text = (model / "model.txt").read_text()
    (model / "model.txt").write_text(text.replace("threshold=", "threshold=9", 1)[: len(text)])


def redefine(name: str) -> Any:
    """Give a feature another definition, or add it, in a manifest that fits its own hash."""

    def change(manifest: Any) -> None:
        definitions = manifest["feature_definitions"]
        if name not in definitions:
            manifest["features"].append(name)
        definitions[name] = "another meaning"
        told = encode([manifest["features"], definitions])
        manifest["features_sha256"] = hashlib.sha256(told).hexdigest()

    return lambda model: edit(model / "manifest.json", change)


SPOILT = {
    "cut short": (cut_trees, "model.txt"),
    "tampered with": (bend_a_threshold, "model.txt"),
    "without its manifest": (lambda model: (model / "manifest.json").unlink(), "manifest.json"),
    "of another catalogue": (redefine("outstanding"), "outstanding"),
    "over a feature that is not installed": (redefine("moon_phase"), "moon_phase"),
    "whose features don't fit their hash": (
        lambda model: edit(
            model / "manifest.json", lambda manifest: manifest["features"].append("moon_phase")
        ),
        "the feature list doesn't fit its hash",
    ),
}


@pytest.mark.parametrize("fault", SPOILT)
def test_a_model_that_fails_a_check_decides_nothing(
    model: Path, events: Path, tmp_path: Path, night: Any, relimit: Any, fault: str
) -> None:
    spoil, said = SPOILT[fault]
    spoil(model)
    files = ["--model", model, "--events", events, "--out", tmp_path / "out"]
    result = relimit("score", *files, *night.words)
    assert result.exit_code == 1, result.output
    assert said in result.output
    assert "Traceback" not in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("size", [10**15, 10**40])
def test_a_size_that_no_machine_has_room_for_is_a_message(
    model: Path, relimit: Any, size: int
) -> None:
    edit(model / "manifest.json", lambda told: told["files"]["model.txt"].update(bytes=size))
    result = relimit("decide", "--model", model, stdin="{}")
    assert result.exit_code == 1
    assert "is not the file that was saved" in result.output
    assert "Fetch or save the model again" in result.output


def another_making(model: Path, folder: Path) -> Path:
    """The same model saved with something more in its manifest."""
    save_model(load_model(model), folder, manifest={"note": "another making"})
    return folder


def test_a_package_holds_the_models_own_files_and_nothing_that_lies_beside_them(
    model: Path, tmp_path: Path, relimit: Any
) -> None:
    (tmp_path / "secret").write_text("hunter2")
    (model / "more.txt").symlink_to(tmp_path / "secret")
    listed = {*json.loads((model / "manifest.json").read_text())["files"], "manifest.json"}
    result = relimit("package", "--model", model, "--out", tmp_path / "package")
    assert result.exit_code == 0, result.output
    packed = tmp_path / "package" / "artifacts" / "model"
    assert {path.name for path in packed.iterdir()} == listed


def test_a_model_that_is_exchanged_as_it_is_packaged_is_packaged_as_it_was_checked(
    model: Path, tmp_path: Path, relimit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def exchanged(*words: Any) -> Artifact:
        found = open_artifact(*words)
        model.rename(tmp_path / "before")
        another_making(tmp_path / "before", model)
        return found

    monkeypatch.setattr("relimit.serving.models.open_artifact", exchanged)
    result = relimit("package", "--model", model, "--out", tmp_path / "package")
    assert result.exit_code == 0, result.output
    packed = tmp_path / "package" / "artifacts" / "model"
    for file in packed.iterdir():
        assert file.read_bytes() == (tmp_path / "before" / file.name).read_bytes()
    assert (packed / "manifest.json").read_bytes() != (model / "manifest.json").read_bytes()


@pytest.mark.parametrize("name", ["model.txt", "golden.json", "manifest.json"])
def test_a_model_whose_bytes_changed_on_their_way_is_refused(model: Path, name: str) -> None:
    sent = Artifact.read(model)
    bytes_of = {**sent.files, name: sent.files[name].replace(b"1", b"2", 1)}
    with pytest.raises(ModelError, match=r"is not the (file that was saved|manifest asked for)"):
        Artifact.of(bytes_of, sent.digest, "what arrived")
    del bytes_of[name]
    with pytest.raises(ModelError, match="what arrived"):
        Artifact.of(bytes_of, sent.digest, "what arrived")
    assert Artifact.of(sent.files, sent.digest, "what arrived").load().version == sent.digest[:12]


def test_a_cluster_is_not_sent_another_model_than_the_one_that_was_loaded(
    model: Path, events: Path, scorer: Scorer, night: Any, tmp_path: Path
) -> None:
    shipped = ShippedModel.of(Artifact.read(another_making(model, tmp_path / "another")))
    engine = partial(OnSpark, shipped, tmp_path)
    with pytest.raises(ModelError, match="was loaded, and another one to be sent"):
        score(scorer, events, night.request, tmp_path / "out", engine=engine)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[gates]", "[gates", "policy.toml"),
        ("[gates]", "[gtes]", "gtes"),
        ("window_days", "windows_days", "windows_days"),
    ],
)
def test_a_broken_policy_decides_nothing(
    run: Any, tmp_path: Path, old: str, new: str, said: str
) -> None:
    text = Path(relimit_policy.__file__).with_name("default.toml").read_text()
    (tmp_path / "policy.toml").write_text(text.replace(old, new, 1))
    result = run("--policy", tmp_path / "policy.toml")
    assert result.exit_code == 1, result.output
    assert said in result.output
    assert not (tmp_path / "out").exists()


ANSWERS = {
    "at once": b"",
    "in the middle of its answer": b'HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{"mod',
    "without letting go": None,
}


@pytest.fixture
def dying_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The address of a server that dies as one of `ANSWERS` says."""
    answer, held = ANSWERS[request.param], []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                connection.recv(65_536)
                if answer is None:
                    held.append(connection)
                    continue
                connection.sendall(answer)
                connection.close()

        threading.Thread(target=serve, daemon=True).start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
    for connection in held:
        connection.close()


@pytest.mark.parametrize("dying_server", ANSWERS, indirect=True)
def test_a_tracking_server_that_dies_is_not_waited_for(
    dying_server: str,
    events: Path,
    tmp_path: Path,
    night: Any,
    relimit: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "1")
    for name in ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR"):
        monkeypatch.setenv(name, "1")  # so that what is set below is taken back
        monkeypatch.delenv(name)
    words = ["--model", "models:/restoration-risk@champion", "--tracking-uri", dying_server]
    started = time.monotonic()
    result = relimit("score", *words, "--events", events, *night.words, "--out", tmp_path / "out")
    assert time.monotonic() - started < MOST_SECONDS
    assert result.exit_code == 1, result.output
    assert "MLflow refuses: " in result.output
    assert "Check the tracking URI" in result.output
    assert not (tmp_path / "out").exists()
