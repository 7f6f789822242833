"""Accounts drawn anew: the draws of one question after another against those of each alone."""

import numpy as np
import pytest

from relimit.policy.resample import MOST_GROUPS, resampled_sums


def plain_sums(columns, account, draws, seed):
    """Sums over accounts, or random groups of them, drawn a hundred times at once."""
    rng = np.random.default_rng(seed)
    _, place = np.unique(account, return_inverse=True)
    groups = place.max() + 1
    if groups > MOST_GROUPS:
        place, groups = (rng.permutation(groups) % MOST_GROUPS)[place], MOST_GROUPS
    sums = np.column_stack([np.bincount(place, column) for column in columns.T])
    sizes = [min(100, draws - first) for first in range(0, draws, 100)]
    times = [rng.multinomial(groups, np.full(groups, 1.0 / groups), size=n) for n in sizes]
    return np.concatenate([each @ sums for each in times])


@pytest.mark.parametrize("seed", range(3))
def test_draws_do_not_depend_on_what_was_asked_before(seed):
    rng = np.random.default_rng(seed)
    for accounts, columns, draws in ((1, 1, 2), (30, 1, 250), (30, 4, 250), (30, 4, 40)) * 2 + (
        (3 * MOST_GROUPS, 3, 130),
    ):
        account = rng.integers(0, accounts, 4 * accounts)
        values = rng.normal(size=(len(account), columns))
        found = resampled_sums(values, account, draws=draws, seed=seed)
        assert found.tobytes() == plain_sums(values, account, draws, seed).tobytes()
