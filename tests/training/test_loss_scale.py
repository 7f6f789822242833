"""Losses made by a known law are told from estimates that have level, spread and arms wrong."""

import numpy as np
import pytest

from relimit.data.vocabulary import ARMS
from relimit.training.loss_scale import scale_losses

SHARE = np.array(ARMS)[:, 0]
USED = [ARMS.index(arm) for arm in ((1.0, 0), (1.0, 3), (0.75, 7), (0.5, 14), (0.0, 30))]


def made(n=60_000, power=2):
    """Losses whose rate goes with a power of the share."""
    rng = np.random.default_rng(3)
    risk = rng.lognormal(-4.0, 0.8, n)
    freed = rng.integers(50, 150, n) * 10_000
    arm = rng.choice(USED, n)
    law = risk[:, None] * SHARE**power
    bad = rng.uniform(size=n) < law[np.arange(n), arm] / 0.5
    # Shrunk, at half the level, and in proportion to the share.
    estimated = 0.5 * np.sqrt(risk * risk.mean())[:, None] * SHARE * freed[:, None]
    return estimated, np.where(bad, 0.5 * freed, 0.0), freed, arm, law


def test_level_spread_and_arms_are_those_of_the_law():
    estimated, loss, freed, arm, law = made()
    scaled = scale_losses(estimated, loss, freed, arm)
    rate = scaled.sum(axis=0) / freed.sum()
    truth = (law * freed[:, None]).sum(axis=0) / freed.sum()
    kept = USED[:4]
    assert rate[kept] == pytest.approx(truth[kept], rel=0.15)
    risky = law[:, -5] > np.quantile(law[:, -5], 0.9)
    full = ARMS.index((1.0, 0))
    assert scaled[risky, full].sum() == pytest.approx(
        (law[risky, full] * freed[risky]).sum(), rel=0.15
    )
    assert scaled[np.arange(len(arm)), arm].sum() == pytest.approx(loss.sum())


def test_a_part_never_loses_more_than_its_part_and_a_wait_avoids_nothing():
    estimated, loss, freed, arm, _ = made(power=0.3)
    grid = scale_losses(estimated, loss, freed, arm).reshape(-1, 5, 5)
    parts = np.array([0.0, 0.25, 0.5, 0.75, 1.0])[:, None]
    assert (grid <= parts * grid[:, -1:] + 1e-9).all()
    assert (np.ptp(grid, axis=2) == 0).all()
    assert (grid[:, 0] == 0).all()


def test_with_few_losses_the_estimates_stay():
    estimated, loss, freed, arm, _ = made(n=500)
    assert scale_losses(estimated, loss * 0, freed, arm) is estimated
