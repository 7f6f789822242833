"""Which code a version says that it was made by."""

import platform
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

from relimit.models import load_model
from relimit.training.record import code_revision
from relimit.training.registry import resolve_model


def git(folder: Path, *words: str) -> str:
    who = ["-c", "user.name=test", "-c", "user.email=test@example.com"]
    command = ["git", *who, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def module(tmp_path, monkeypatch) -> Path:
    """A repository with a committed file and, untracked, a copy of the module that asks."""
    git(tmp_path, "init", "-q")
    (tmp_path / "own.py").write_text("")
    git(tmp_path, "add", "own.py")
    git(tmp_path, "commit", "-q", "-m", "first")
    module = tmp_path / "installed" / "record.py"
    module.parent.mkdir()
    module.write_text("")
    monkeypatch.setattr("relimit.training.record.__file__", str(module))
    return module


def test_a_copy_inside_someone_elses_repository_has_no_revision(module):
    assert code_revision() is None


def test_tracked_code_has_the_revision_and_says_if_it_was_changed(module):
    git(module.parent, "add", "record.py")
    git(module.parent, "commit", "-q", "-m", "second")
    head = git(module.parent, "rev-parse", "HEAD").strip()
    assert code_revision() == head
    module.write_text("changed")
    assert code_revision() == f"{head}-dirty"


def test_outside_a_repository_or_without_git_there_is_none(tmp_path, monkeypatch, module):
    shutil.rmtree(tmp_path / ".git")
    assert code_revision() is None
    monkeypatch.setattr("shutil.which", lambda _: None)
    assert code_revision() is None


def test_a_version_says_by_which_relimit_and_from_which_rows_it_was_made(versions, versions_uri):
    manifest = load_model(resolve_model(versions[0].model_uri, versions_uri)[0]).manifest
    assert manifest["libraries"]["relimit"] == version("relimit")
    assert manifest["code_revision"] == code_revision()
    assert manifest["trained_with"]["python"] == platform.python_version()
    assert manifest["trained_with"]["optbinning"] == version("optbinning")
    assert "features_sha256" not in manifest["data"]
    assert len(manifest["data"]["matrix_sha256"]) == len(manifest["features_sha256"]) == 64
