import numpy as np

from relimit.data.vocabulary import ARMS, FULL_ARM
from relimit.models import ARM_COLUMNS, ARM_DIRECTIONS, arm_grid, at_arm, expand_by_arms


def test_the_grid_is_the_25_arms_in_the_order_of_the_vocabulary() -> None:
    assert [tuple(row) for row in arm_grid()] == [(float(s), float(d)) for s, d in ARMS]
    assert list(ARM_DIRECTIONS) == list(ARM_COLUMNS)


def test_expanding_keeps_the_arms_of_a_row_together() -> None:
    X = np.array([[1.0, np.nan], [3.0, 4.0]])
    expanded = expand_by_arms(X)
    assert expanded.shape == (50, 4)
    for place, arm in enumerate(ARMS):
        np.testing.assert_array_equal(expanded[place::25], at_arm(X, arm))


def test_the_full_arm_restores_everything_at_once() -> None:
    np.testing.assert_array_equal(at_arm(np.array([[7.0]]), FULL_ARM), [[7.0, 1.0, 0.0]])
