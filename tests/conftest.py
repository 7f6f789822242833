"""The order of the tests: files that take minutes are begun first.

Otherwise one worker would still be at them when all others have nothing left to do.
"""

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
