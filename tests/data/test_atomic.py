import json
import os
from pathlib import Path

import pytest

from relimit.data.atomic import make_folder, staged, write_json
from relimit.data.errors import DataError


def test_a_finished_body_leaves_the_file_and_nothing_else(tmp_path: Path) -> None:
    with staged(tmp_path / "deep" / "er" / "a.txt") as staging:
        staging.write_text("whole")
        assert staging.name.startswith("_")
        assert staging.parent == tmp_path / "deep" / "er"
    assert (tmp_path / "deep" / "er" / "a.txt").read_text() == "whole"
    assert [file.name for file in (tmp_path / "deep" / "er").iterdir()] == ["a.txt"]


def test_a_failed_body_leaves_the_earlier_file_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("earlier")

    def fail() -> None:
        with staged(target) as staging:
            staging.write_text("half")
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert target.read_text() == "earlier"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_failed_body_removes_the_folders_made_for_it(tmp_path: Path) -> None:
    def fail() -> None:
        with staged(tmp_path / "new" / "er" / "a.txt") as staging:
            staging.write_text("half")
            raise KeyError("stop")

    with pytest.raises(KeyError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_the_bytes_are_synced_before_the_rename_and_the_folder_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.txt"
    seen: list[tuple[bool, bool]] = []
    real = os.fsync

    def spy(handle: int) -> None:
        seen.append((Path(f"/proc/self/fd/{handle}").resolve().is_dir(), target.exists()))
        real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    with staged(target) as staging:
        staging.write_text("whole")
    assert seen == [(False, False), (True, True)]


def test_the_folders_that_are_made_are_synced_where_they_are_entered(
    tmp_path: Path, synced: list[Path]
) -> None:
    assert make_folder(tmp_path / "a" / "b") == [tmp_path / "a" / "b", tmp_path / "a"]
    assert set(synced) == {tmp_path, tmp_path / "a"}
    synced.clear()
    write_json({}, tmp_path / "c" / "d" / "e.json")
    assert {tmp_path, tmp_path / "c", tmp_path / "c" / "d"} < set(synced)
    synced.clear()
    assert make_folder(tmp_path / "a") == synced == []


def test_a_folder_in_the_way_is_told_with_its_path(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with pytest.raises(DataError, match=r"a\.txt: can't be written: Is a directory"):
        write_json({}, tmp_path / "a.txt")
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_file_where_a_folder_should_be_is_told(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(DataError, match=r"can't be written: (File exists|Not a directory)"):
        write_json({}, tmp_path / "a" / "b.json")


def test_json_is_utf8_and_strict(tmp_path: Path) -> None:
    write_json({"原因": "利息", "n": 1}, tmp_path / "a.json")
    text = (tmp_path / "a.json").read_text(encoding="utf-8")
    assert "利息" in text
    assert text.endswith("}\n")
    assert json.loads(text) == {"原因": "利息", "n": 1}
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json({"x": float("nan")}, tmp_path / "b.json")
    assert not (tmp_path / "b.json").exists()


def test_a_name_that_the_system_does_not_take_is_refused_in_words(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match=r"can't be written: File name too long\. Make room"),
        staged(tmp_path / ("x" * 300) / "a.txt"),
    ):
        pass
