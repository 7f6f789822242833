"""The H-measure against its own integral, taken numerically over every threshold and cost."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import trapezoid
from scipy.stats import beta

from relimit.training.h_measure import h_measure


def by_integration(bad, risk, weight):
    """Equations 5 to 7 of the paper: the best threshold at each of many costs."""
    weight = weight / weight.sum()
    cost = np.linspace(0, 1, 20_001)
    losses = []
    for threshold in [-np.inf, *np.unique(risk)]:
        refused = risk > threshold
        good_refused, bad_accepted = weight[refused & ~bad].sum(), weight[~refused & bad].sum()
        losses.append(cost * good_refused + (1 - cost) * bad_accepted)
    density = beta.pdf(cost, 2, 2)
    ignorant = np.minimum(cost * weight[~bad].sum(), (1 - cost) * weight[bad].sum())
    return 1 - trapezoid(np.min(losses, axis=0) * density, cost) / trapezoid(
        ignorant * density, cost
    )


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), levels=st.sampled_from([3, 20, 1000]))
def test_it_agrees_with_its_integral(seed, levels):
    rng = np.random.default_rng(seed)
    bad = rng.random(120) < 0.3
    bad[:2] = [True, False]
    risk = np.round(np.clip(0.5 * rng.random(120) + 0.2 * bad, 0, 1) * levels) / levels
    for weight in (None, rng.exponential(size=120)):
        expected = by_integration(bad, risk, np.ones(120) if weight is None else weight)
        assert h_measure(bad, risk, weight) == pytest.approx(expected, abs=1e-6)


def test_it_depends_on_the_order_alone_and_ends_at_0_and_1():
    rng = np.random.default_rng(0)
    bad = rng.random(500) < 0.2
    risk = rng.random(500) + 0.5 * bad
    assert h_measure(bad, risk) == pytest.approx(h_measure(bad, np.exp(3 * risk)))
    assert h_measure(bad, bad.astype(float)) == pytest.approx(1.0)
    assert h_measure(bad, np.zeros(500)) == pytest.approx(0.0)
    assert h_measure(bad, -risk) < h_measure(bad, risk)
    assert np.isnan(h_measure(np.zeros(3, bool), np.array([0.1, 0.2, 0.3])))
