"""What the README says to type works, in the order in which it says it."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BIN = Path(sys.executable).parent
TARGETS = sorted(set(re.findall(r"(?m)(?:^|`)make ([a-z]+)", README)))


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, flags=re.MULTILINE | re.DOTALL)


def run(words: list[str], folder: Path, *first: Path) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([*map(str, first), str(BIN), os.environ["PATH"]])
    return subprocess.run(
        words,
        cwd=folder,
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def after_the_shell(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which every shell command of the README was run, each as a process."""
    folder, first = tmp_path_factory.mktemp("readme"), tmp_path_factory.mktemp("bin")
    relimit = first / "relimit"
    script = Path(__file__).with_name("_roughly.py")
    relimit.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
    relimit.chmod(0o755)
    for block in blocks("bash"):
        result = run(["bash", "-euc", block], folder, first)
        assert result.returncode == 0, result.stderr
    return folder


def test_the_shell_commands_work(after_the_shell: Path) -> None:
    assert (after_the_shell / "decisions" / "manifest.json").exists()


@pytest.mark.parametrize("number", range(len(blocks("python"))))
def test_the_python_examples_work(after_the_shell: Path, number: int) -> None:
    result = run([sys.executable, "-c", blocks("python")[number]], after_the_shell)
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("target", TARGETS)
def test_make_knows_the_targets(target: str) -> None:
    result = run(["make", "--dry-run", target], ROOT)
    assert result.returncode == 0, result.stderr


def test_make_help_lists_every_target_of_the_readme() -> None:
    listed = run(["make", "help"], ROOT).stdout
    missing = {target for target in TARGETS if target not in listed}
    assert missing == set()


def test_the_links_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)\)", README)
    assert [link for link in links if not (ROOT / link).exists()] == []
