"""A target's shares with its delays spread: probabilities stay, and go where the log goes."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from relimit.policy.pooling import spread_delays

seeds = st.integers(0, 10_000)


@given(seeds, seeds, st.floats(0, 1))
def test_every_share_keeps_its_probability(seed, other, known):
    target = np.random.default_rng(seed).dirichlet(np.full(25, 0.2), size=4)
    chance = known * np.random.default_rng(other).dirichlet(np.full(25, 0.2), size=4)
    found = spread_delays(target, chance)
    assert (found >= 0).all()
    for place in range(5):
        share = slice(5 * place, 5 * place + 5)
        assert np.allclose(found[:, share].sum(axis=1), target[:, share].sum(axis=1))


@given(seeds)
def test_a_share_that_the_log_always_takes_is_waited_for_as_the_log_waits(seed):
    chance = np.zeros((1, 25))
    chance[0, 10:15] = np.random.default_rng(seed).dirichlet(np.ones(5))
    found = spread_delays(np.eye(25)[[14]], chance)
    assert np.allclose(found, chance)
