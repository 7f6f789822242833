"""Imports go one way, and the guard that says so works."""

import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("data", "features", "models", "policy", "training", "serving")


@pytest.fixture
def copied_tree(tmp_path: Path) -> Path:
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tmp_path / "relimit" / folder)
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_layers_hold(copied_tree: Path) -> None:
    result = lint_imports(copied_tree)
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("lower", "upper"), list(itertools.pairwise(FOLDERS)))
def test_a_planted_upward_import_is_refused(copied_tree: Path, lower: str, upper: str) -> None:
    planted = copied_tree / "relimit" / lower / "planted.py"
    planted.write_text(f"import relimit.{upper}\n")
    result = lint_imports(copied_tree)
    assert result.returncode != 0
    assert f"relimit.{lower}.planted" in result.stdout


def test_the_oracle_is_closed_to_models(copied_tree: Path) -> None:
    planted = copied_tree / "relimit" / "models" / "planted.py"
    planted.write_text("import relimit.data.simulator.oracle\n")
    assert lint_imports(copied_tree).returncode != 0


def test_a_bare_folder_import_is_refused(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    (tmp_path / "planted.py").write_text('"""Planted."""\n\nimport features\n\nprint(features)\n')
    result = subprocess.run(
        [Path(sys.executable).with_name("ruff"), "check", "--no-cache", "planted.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "TID251" in result.stdout
