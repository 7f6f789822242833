"""The order of the tests, and what those of several folders look at.

Files that take minutes are begun first: otherwise one worker would still be at them when all others
have nothing left to do.
"""

import os
from pathlib import Path
from typing import Final

import pytest

LONG: Final = (
    "test_same_answers",
    "test_spark",
    "test_readme",
    "test_policy_value",
    "test_policy_evaluate",
    "test_plugins",
    "test_killed",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the long files in front, each file's tests together."""
    items.sort(key=lambda item: LONG.index(item.path.stem) if item.path.stem in LONG else len(LONG))


@pytest.fixture
def synced(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What was forced to the disk, one after another; it goes on being."""
    found: list[Path] = []
    real = os.fsync

    def spy(handle: int) -> None:
        found.append(Path(f"/proc/self/fd/{handle}").resolve())
        real(handle)

    monkeypatch.setattr(os, "fsync", spy)
    return found
