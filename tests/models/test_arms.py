import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.vocabulary import ARMS, FULL_ARM
from relimit.models import (
    ARM_COLUMNS,
    ARM_DIRECTIONS,
    arm_grid,
    arms_tried,
    at_arm,
    bound_by_tried,
)


def test_the_grid_is_the_25_arms_in_the_order_of_the_vocabulary() -> None:
    assert [tuple(row) for row in arm_grid()] == [(float(s), float(d)) for s, d in ARMS]
    assert list(ARM_DIRECTIONS) == list(ARM_COLUMNS)


def test_the_full_arm_restores_everything_at_once() -> None:
    np.testing.assert_array_equal(at_arm(np.array([[7.0]]), FULL_ARM), [[7.0, 1.0, 0.0]])


def monotone_risks(seed: int, rows: int = 3) -> np.ndarray:
    """Risks that rise with the share and fall with the delay, [rows, 25]."""
    steps = np.random.default_rng(seed).exponential(size=(rows, 5, 5))
    steps[steps < 0.3] = 0.0
    risen = steps.cumsum(axis=1)[:, :, ::-1].cumsum(axis=2)[:, :, ::-1]
    return (risen / (risen.max() + 1.0)).reshape(rows, 25)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), tried=st.sets(st.sampled_from(ARMS)))
def test_bounds_hold_whatever_the_untried_risks_are_and_are_the_tightest(seed, tried) -> None:
    risk = monotone_risks(seed)
    low, high = bound_by_tried(risk, tried)
    known = np.array([arm in tried for arm in ARMS])
    np.testing.assert_array_equal(low[:, known], risk[:, known])
    np.testing.assert_array_equal(high[:, known], risk[:, known])
    assert ((low <= risk) & (risk <= high)).all()
    # Both bounds are themselves risks in the right order: nothing tighter could be promised.
    for bound in (low, high):
        grid = bound.reshape(-1, 5, 5)
        assert (np.diff(grid, axis=1) >= 0).all()
        assert (np.diff(grid, axis=2) <= 0).all()
    other = np.where(known, risk, 0.5)  # what the model says of untried arms plays no part
    for mine, again in zip((low, high), bound_by_tried(other, tried), strict=True):
        np.testing.assert_array_equal(mine, again)


def test_bounds_by_hand() -> None:
    risk = np.tile(np.arange(25) / 25, (1, 1))
    low, high = bound_by_tried(risk, {(0.5, 7), (1.0, 0)})
    half, full = risk[0, ARMS.index((0.5, 7))], risk[0, ARMS.index((1.0, 0))]
    expected = {
        (0.5, 14): (0.0, half),
        (0.75, 7): (half, full),
        (0.25, 0): (0.0, full),
        (1.0, 3): (half, full),
        (0.75, 14): (0.0, full),
    }
    found = {arm: (low[0, ARMS.index(arm)], high[0, ARMS.index(arm)]) for arm in expected}
    assert found == expected


def test_with_nothing_tried_nothing_is_known() -> None:
    low, high = bound_by_tried(np.full((2, 25), 0.3), ())
    assert (low == 0.0).all()
    assert (high == 1.0).all()


def test_arms_off_the_grid_count_as_none() -> None:
    taken = np.array([[0.3, 0.0], [0.25, 5.0], [0.0, 30.0]])
    assert arms_tried(taken) == ((0.0, 30),)
