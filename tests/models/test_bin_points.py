import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import expit

from relimit.models.bin_points import Characteristic, fit_bin_points

ROWS = 4000


@pytest.fixture(scope="module")
def card() -> tuple[list[Characteristic], NDArray[np.bool_], NDArray[np.float64]]:
    """Two characteristics of three intervals and a bin of no order, one of them directed."""
    rng = np.random.default_rng(3)
    first = rng.integers(0, 4, ROWS)
    second = np.where(rng.random(ROWS) < 0.6, first, rng.integers(0, 4, ROWS))
    truth = np.array([0.0, 0.5, 1.5, 0.7])[first] + np.array([0.0, -0.4, 0.3, 0.2])[second] - 2.0
    bad = rng.random(ROWS) < expit(truth)
    priors = np.array([-0.3, 0.1, 0.9, 0.2]), np.array([-0.2, 0.0, 0.4, 0.1])
    directed, free = (
        Characteristic(index, 3, prior, direction)
        for index, prior, direction in zip((first, second), priors, (1, 0), strict=True)
    )
    return [directed, free], bad, rng.uniform(0.5, 1.5, ROWS)


def log_odds(
    characteristics: list[Characteristic], points: list[NDArray[np.float64]], intercept: float
) -> NDArray[np.float64]:
    total = np.full(ROWS, intercept)
    for one, mine in zip(characteristics, points, strict=True):
        total += mine[one.index]
    return total


def brute_force(
    characteristics: list[Characteristic],
    bad: NDArray[np.bool_],
    weight: NDArray[np.float64],
    penalty: float,
    bounds: list[tuple[float | None, float | None]],
) -> NDArray[np.float64]:
    """Return the log-odds of the least penalised loss as a general solver finds it."""
    priors = [one.prior - one.prior[0] for one in characteristics]

    def unpack(x: NDArray[np.float64]) -> list[NDArray[np.float64]]:
        return [np.array([0.0, *np.cumsum(part[:2]), part[2]]) for part in (x[:3], x[3:6])]

    def loss(x: NDArray[np.float64]) -> float:
        points = unpack(x)
        z = log_odds(characteristics, points, x[6])
        far = sum(
            np.square(np.diff(p[:3]) - np.diff(q[:3])).sum() + (p[3] - q[3]) ** 2
            for p, q in zip(points, priors, strict=True)
        )
        return float((weight * (np.logaddexp(0.0, z) - bad * z)).sum() + penalty * far / 2.0)

    found = minimize(loss, np.zeros(7), bounds=bounds, method="L-BFGS-B", tol=1e-14)
    return log_odds(characteristics, unpack(found.x), found.x[6])


def test_points_are_those_that_a_general_solver_finds(
    card: tuple[list[Characteristic], NDArray[np.bool_], NDArray[np.float64]],
) -> None:
    characteristics, bad, weight = card
    points, intercept = fit_bin_points(characteristics, -2.0, bad, weight, 5.0)
    found = log_odds(characteristics, points, intercept)
    bounds = [(0.0, None)] * 2 + [(None, None)] * 5
    expected = brute_force(characteristics, bad, weight, 5.0, bounds)
    np.testing.assert_allclose(found, expected, atol=2e-3)
    prior = log_odds(characteristics, [one.prior for one in characteristics], intercept)
    assert np.abs(found - prior).max() > 0.2


def test_a_direction_is_kept_where_outcomes_contradict_it(
    card: tuple[list[Characteristic], NDArray[np.bool_], NDArray[np.float64]],
) -> None:
    (_, free), bad, weight = card
    falling = Characteristic(free.index, 3, free.prior, -1)
    (points,), _ = fit_bin_points([falling], -2.0, bad, weight, 1.0)
    assert (np.diff(points[:3]) <= 0.0).all()
    (unbound,), _ = fit_bin_points([free], -2.0, bad, weight, 1.0)
    assert (np.diff(unbound[:3]) > 0.0).any()


def test_a_large_penalty_leaves_the_prior(
    card: tuple[list[Characteristic], NDArray[np.bool_], NDArray[np.float64]],
) -> None:
    characteristics, bad, weight = card
    points, _ = fit_bin_points(characteristics, -2.0, bad, weight, 1e12)
    for one, mine in zip(characteristics, points, strict=True):
        np.testing.assert_allclose(mine, one.prior - one.prior[0], atol=1e-8)


def test_weights_count_as_repetition(
    card: tuple[list[Characteristic], NDArray[np.bool_], NDArray[np.float64]],
) -> None:
    characteristics, bad, _ = card
    times = np.random.default_rng(4).integers(1, 4, ROWS)
    repeated = [
        Characteristic(np.repeat(one.index, times), one.intervals, one.prior, one.direction)
        for one in characteristics
    ]
    weighted = fit_bin_points(characteristics, -2.0, bad, times.astype(float), 5.0)
    longer = fit_bin_points(repeated, -2.0, np.repeat(bad, times), np.ones(times.sum()), 5.0)
    for mine, theirs in zip(weighted[0], longer[0], strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_a_bin_without_rows_stays_where_the_prior_has_it() -> None:
    index = np.repeat([0, 1], 500)
    bad = np.concatenate([np.arange(500) < 50, np.arange(500) < 200])
    empty = Characteristic(index, 2, np.array([-0.5, 0.5, 0.0]), 1)
    (points,), intercept = fit_bin_points([empty], -1.0, bad, np.ones(1000), 1e-6)
    np.testing.assert_allclose(expit(intercept + points[:2]), [0.1, 0.4], atol=1e-6)
    assert points[2] == pytest.approx(0.5)
