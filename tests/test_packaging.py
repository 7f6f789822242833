"""The wheel holds every module of the tree, under `relimit/` and nowhere else."""

import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ("data", "features", "models", "policy", "training", "serving")


def tree_files() -> set[str]:
    """Every file of the six folders that belongs in the wheel, as `relimit/...`."""
    kept = {".py", ".toml", ".typed"}
    return {
        f"relimit/{path.relative_to(ROOT).as_posix()}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*")
        if path.suffix in kept or path.name == "py.typed"
    }


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    out = tmp_path_factory.mktemp("wheel")
    source = out / "source"
    source.mkdir()
    for name in (*FOLDERS, "pyproject.toml", "README.md", "LICENSE"):
        (source / name).symlink_to(ROOT / name)
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), "."],
        cwd=source,
        check=True,
        capture_output=True,
    )
    (wheel,) = out.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


def test_the_wheel_holds_every_file_of_the_tree(wheel_files: set[str]) -> None:
    assert tree_files() - wheel_files == set()


def test_the_wheel_holds_nothing_outside_relimit(wheel_files: set[str]) -> None:
    outside = {name for name in wheel_files if not name.startswith(("relimit/", "relimit-"))}
    assert outside == set()


def test_relimit_itself_has_no_init_module(wheel_files: set[str]) -> None:
    assert "relimit/__init__.py" not in wheel_files


def test_every_folder_with_modules_is_listed_as_a_package() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]
    found = {
        "relimit." + ".".join(path.parent.relative_to(ROOT).parts)
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    assert found == set(settings["packages"]) == set(settings["package-dir"])
