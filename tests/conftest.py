"""The order of the tests, and what those of several folders look at.

Files that take minutes are begun first: otherwise one worker would still be at them when all others
have nothing left to do. Of the first three only the second needs the demo, and makes it for all.
"""

import os
from pathlib import Path
from typing import Any, Final

import joblib
import numpy as np
import pytest
from numpy.typing import NDArray

from relimit.policy.resample import resampled_sums

LONG: Final = (
    "test_readme",
    "test_same_answers",
    "test_policy_value",
    "test_spark",
    "test_plugins",
    "test_fit",
    "test_logged_book",
    "test_tracking",
    "test_killed",
)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: many tests wait for processes that they began."""
    return int(joblib.cpu_count()) + 1


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


@pytest.fixture
def roughly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Few trees and resamples, where only the form of an answer is looked at and not its figures.

    A log is then read and valued in a fraction of the time.
    """

    def few(columns: NDArray[np.float64], account: NDArray[Any], **_: Any) -> NDArray[np.float64]:
        return resampled_sums(columns, account, draws=40)

    for module in ("policy.support", "policy.value", "training.figure_ranges"):
        monkeypatch.setattr(f"relimit.{module}.resampled_sums", few)
    monkeypatch.setattr("relimit.training.arm_chances.ROUNDS", 5)
    monkeypatch.setattr("relimit.training.arm_outcomes.MOST_TREES", 20)
