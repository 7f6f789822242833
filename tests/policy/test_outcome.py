import numpy as np
import pytest

from relimit.policy.outcome import Outcome


def outcome(amount, days):
    return Outcome(np.array([amount]), np.array([days]))


@pytest.mark.parametrize(
    ("one", "other", "better"),
    [
        ((200, 9), (100, 0), True),
        ((100, 3), (100, 5), True),
        ((100, 5), (100, 5), False),
        ((100, 6), (100, 5), False),
        ((99, 0), (100, 5), False),
        ((0, 0), (0, 0), False),
    ],
)
def test_more_is_better_and_the_same_sooner_is_better(one, other, better):
    assert outcome(*one).better_than(outcome(*other)).tolist() == [better]
