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


CLOSED = ("simulator", "simulator.oracle", "simulator.writer")


def lint_imports(tree: Path, planted: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Check a copy of the six folders, with some lines planted in modules named by their path."""
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, tree / "relimit" / folder)
    shutil.copy(ROOT / "pyproject.toml", tree)
    for module, line in planted.items():
        (tree / "relimit" / f"{module}.py").write_text(f"{line}\n")
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": str(tree)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> str:
    """What is said of one tree with every import that may not be, each in a module of its own."""
    upward = {
        f"{lower}/planted": f"import relimit.{upper}"
        for lower, upper in itertools.pairwise(FOLDERS)
    }
    seeing = {
        f"{folder}/planted_{module.replace('.', '_')}": f"import relimit.data.{module}"
        for folder in BLIND
        for module in CLOSED
    }
    result = lint_imports(tmp_path_factory.mktemp("planted"), upward | seeing)
    assert result.returncode != 0
    return " ".join(result.stdout.split())


def test_the_layers_hold(tmp_path: Path) -> None:
    result = lint_imports(tmp_path, {})
    assert result.returncode == 0, result.stdout


@pytest.mark.parametrize(("lower", "upper"), list(itertools.pairwise(FOLDERS)))
def test_a_planted_upward_import_is_refused(refused: str, lower: str, upper: str) -> None:
    assert f"relimit.{lower}.planted -> relimit.{upper} (l.1)" in refused


@pytest.mark.parametrize("folder", BLIND)
@pytest.mark.parametrize("module", CLOSED)
def test_the_simulator_is_closed_to_what_learns_and_decides(
    refused: str, folder: str, module: str
) -> None:
    planted = f"relimit.{folder}.planted_{module.replace('.', '_')}"
    assert f"{planted} -> relimit.data.{module} (l.1)" in refused


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
