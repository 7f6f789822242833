"""Imports go one way, and the guard that says so works."""

import ast
import itertools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("data", "features", "models", "policy", "training", "serving")
BLIND = ("features", "models", "policy", "training")
"""Folders that may not know what a simulated lender could not."""


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


@pytest.mark.parametrize("folder", BLIND)
@pytest.mark.parametrize("module", ["simulator", "simulator.oracle", "simulator.writer"])
def test_the_simulator_is_closed_to_what_learns_and_decides(
    copied_tree: Path, folder: str, module: str
) -> None:
    planted = copied_tree / "relimit" / folder / "planted.py"
    planted.write_text(f"import relimit.data.{module}\n")
    result = lint_imports(copied_tree)
    assert result.returncode != 0
    assert f"relimit.{folder}.planted -> relimit.data.{module}" in result.stdout


def words(source: str) -> set[str]:
    """Return every name, attribute and string of a module, imports and docstrings too."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        named = (getattr(node, field, None) for field in ("id", "attr", "name", "arg", "value"))
        found |= {word for word in named if isinstance(word, str)}
        found |= {node.module or ""} if isinstance(node, ast.ImportFrom) else set()
    return found


@pytest.mark.parametrize("folder", BLIND)
def test_nothing_that_learns_or_decides_names_the_oracle(folder: str) -> None:
    for file in sorted((ROOT / folder).rglob("*.py")):
        naming = {word for word in words(file.read_text()) if "oracle" in word.lower()}
        assert not naming, f"{file} names {naming}"


@pytest.mark.parametrize(
    "source",
    [
        "from relimit.data.simulator.oracle import read_latent_types",
        "import relimit.data.simulator.oracle",
        "from relimit.data.schema import oracle_schema as schema",
        "find_table(book, 'oracle')",
        "pq.read_table(f'{book}/oracle_accounts.parquet')",
        "Book.open(path).oracle",
        "simulate(out, oracle=5)",
    ],
)
def test_the_scan_for_the_oracle_sees_every_way_to_name_it(source: str) -> None:
    assert any("oracle" in word for word in words(source))


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
