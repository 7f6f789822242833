"""An output that can't be written is refused before the work, and nothing is left of the try."""

from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Run = Callable[..., Result]

LOG = ("--events", "nowhere", "--decisions", "nowhere")
LABELLED = ("--events", "nowhere", "--observations", "nowhere")
INTO_A_FOLDER = {
    "train": ("train", *LABELLED, "--family", "lightgbm"),
    "compare": ("compare", "nowhere/a", "nowhere/b", *LABELLED),
    "policy evaluate": ("policy", "evaluate", *LOG, "--model", "nowhere"),
    "policy optimise": ("policy", "optimise", *LOG, "--model", "nowhere"),
    "policy card": ("policy", "card", "--policy", "nowhere"),
}
INTO_A_FILE = {
    "observe": ("observe", *LOG),
    "features": ("features", "--events", "nowhere", "--snapshots", "nowhere"),
    "predict": ("predict", "--model", "nowhere", "--events", "nowhere", "--snapshots", "nowhere"),
}
ALL = {**INTO_A_FOLDER, **INTO_A_FILE}


@pytest.fixture(autouse=True)
def _inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_text("kept")


@pytest.mark.parametrize("words", ALL.values(), ids=ALL)
@pytest.mark.parametrize("out", ["file/below/out", "/proc/below/out", "x" * 300 + "/out"])
def test_an_output_that_cannot_be_written_is_refused_before_anything_is_read(
    words: tuple[str, ...], out: str, relimit: Run
) -> None:
    result = relimit(*words, "--out", out)
    assert result.exit_code == 1
    assert f"{out}: can't be written: " in result.output
    assert "choose a folder that can be written" in result.output
    assert [path.name for path in Path().iterdir()] == ["file"]


@pytest.mark.parametrize("words", INTO_A_FOLDER.values(), ids=INTO_A_FOLDER)
def test_a_file_is_no_folder_to_write_into(words: tuple[str, ...], relimit: Run) -> None:
    assert "file: can't be written: File exists" in relimit(*words, "--out", "file").output
    assert Path("file").read_text() == "kept"


@pytest.mark.parametrize("words", INTO_A_FILE.values(), ids=INTO_A_FILE)
def test_a_folder_is_no_file_to_write(words: tuple[str, ...], relimit: Run) -> None:
    Path("folder").mkdir()
    told = relimit(*words, "--out", "folder").output
    assert "folder: can't be written: Is a directory" in told


@pytest.mark.parametrize("words", ALL.values(), ids=ALL)
def test_work_that_fails_leaves_nothing_of_its_output(words: tuple[str, ...], relimit: Run) -> None:
    Path("there").mkdir()
    for out in ("new/er/out", "there/out"):
        result = relimit(*words, "--out", out)
        assert result.exit_code == 1
        assert "can't be written" not in result.output
        assert "nowhere" in result.output
    assert sorted(str(path) for path in Path().rglob("*")) == ["file", "there"]
