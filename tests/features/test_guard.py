"""A user's own feature that fails, or answers with no column, is named wherever it is computed."""

from collections.abc import Callable

import numpy as np
import pytest

from relimit.data.errors import DataError
from relimit.data.vocabulary import DRAW
from relimit.features import History, Window, feature, feature_matrix, feature_names
from relimit.features.matrix import empty_block
from relimit.features.select import Windows
from relimit.features.usual import FEW


def raises(h: History) -> np.ndarray:
    """Divide an int."""
    return np.array(1 // 0)


def says_one_number(h: History) -> np.ndarray:
    """Say one number for all."""
    return np.array([h.count(DRAW).sum()])


def says_a_number(h: History) -> float:
    """Say a number that is no array."""
    return 1.0


def says_words(h: History) -> np.ndarray:
    """Say words."""
    return np.full(h.size, "7")


def says_objects(h: History) -> np.ndarray:
    """Say Python's own numbers."""
    return np.full(h.size, None, dtype=object)


@pytest.mark.parametrize("snapshots", [2, FEW + 1], ids=["few", "many"])
@pytest.mark.parametrize(
    ("function", "fault"),
    [
        (raises, "fails: ZeroDivisionError: integer"),
        (says_one_number, "does not return one number per snapshot"),
        (says_a_number, "does not return one number per snapshot"),
        (says_words, "returns <U1, not numbers"),
        (says_objects, "returns object, not numbers"),
    ],
)
def test_a_faulty_feature_of_a_users_own_is_named(
    function: Callable[..., np.ndarray], fault: str, snapshots: int
) -> None:
    feature("ours", unit="count", risk=0)(function)
    history = History(empty_block(), np.full(snapshots, -1), np.arange(snapshots))
    with pytest.raises(DataError, match=f"feature ours: {fault}.*check_features"):
        feature_matrix(history, ["ours"])


@pytest.mark.parametrize("snapshots", [2, FEW + 1])
def test_windows_asked_for_together_need_a_column_each(snapshots: int) -> None:
    @feature("ours_{w}d", windows=(7, 30), together=True, unit="count", risk=0)
    def ours(h: History, w: Window | Windows) -> np.ndarray:
        """Forget that there are several windows."""
        return np.zeros(h.size)

    history = History(empty_block(), np.full(snapshots, -1), np.arange(snapshots))
    with pytest.raises(DataError, match=r"feature ours_\{w\}d: does not return one number per win"):
        feature_matrix(history, ["ours_7d", "ours_30d"])
    assert feature_matrix(history, ["ours_7d"]).shape == (snapshots, 1)


def test_numbers_of_any_type_are_welcome() -> None:
    for place, dtype in enumerate((np.bool_, np.uint8, np.int32, np.float32)):

        def ours(h: History, dtype: type = dtype) -> np.ndarray:
            """Say ones."""
            return np.ones(h.size, dtype)

        feature(f"ours_{place}", unit="count", risk=0)(ours)
    history = History(empty_block(), np.array([-1]), np.array([5]))
    assert feature_matrix(history, feature_names()[-4:]).tolist() == [[1.0] * 4]
