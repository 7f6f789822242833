"""Random numbers depend on their key alone, and look random."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from relimit.data.simulator.streams import Purpose, account_keys, normal, rekey, uniform

KEYS = account_keys(1, np.arange(20_000))


@given(seed=st.integers(0, 2**40), day=st.integers(-1, 3_000), first=st.integers(0, 900))
def test_a_number_does_not_depend_on_its_neighbours(seed, day, first):
    keys = account_keys(seed, np.arange(1_000))
    together = uniform(keys, day, Purpose.DRAW)
    alone = uniform(keys[first : first + 1], day, Purpose.DRAW)
    assert together[first] == alone[0]
    assert 0.0 < alone[0] < 1.0


def test_days_purposes_items_and_seeds_give_unrelated_numbers():
    base = uniform(KEYS, 10, Purpose.DRAW)
    others = [
        uniform(KEYS, 11, Purpose.DRAW),
        uniform(KEYS, 10, Purpose.PLAN),
        uniform(KEYS, 10, Purpose.DRAW, np.ones(len(KEYS), dtype=np.int64)),
        uniform(account_keys(2, np.arange(20_000)), 10, Purpose.DRAW),
        uniform(rekey(KEYS, np.ones(len(KEYS), dtype=np.int64)), 10, Purpose.DRAW),
        np.roll(base, 1),
    ]
    for other in others:
        assert abs(np.corrcoef(base, other)[0, 1]) < 0.03


def test_uniforms_fill_the_interval_evenly():
    counts = np.histogram(uniform(KEYS, 3, Purpose.MISS), bins=20, range=(0, 1))[0]
    expected = len(KEYS) / 20
    assert ((counts - expected) ** 2 / expected).sum() < 45  # chi-squared, 19 degrees: p 0.0007


def test_normals_have_unit_spread():
    drawn = normal(KEYS, 3, Purpose.STRESS)
    assert abs(drawn.mean()) < 0.03
    assert abs(drawn.std() - 1) < 0.02


def test_replicate_zero_keeps_its_stream():
    np.testing.assert_array_equal(rekey(KEYS, np.zeros(len(KEYS), dtype=np.int64)), KEYS)
