"""Stability indices against scipy's relative entropy, and their noise against resampling."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, entropy

from relimit.models import Distribution, Reference
from relimit.training.stability import (
    Shift,
    feature_shifts,
    index_noise,
    risk_shift,
    shifts_by_weight,
    stability_index,
)


def test_the_index_is_the_symmetric_relative_entropy():
    rng = np.random.default_rng(0)
    before, now = rng.integers(5_000, 50_000, (2, 8)).astype(float)
    p, q = before / before.sum(), now / now.sum()
    expected = entropy(p, q) + entropy(q, p)
    assert stability_index(before, now) == pytest.approx(expected, rel=1e-3)
    assert stability_index(now, before) == pytest.approx(stability_index(before, now))


def test_a_worked_example_and_bins_that_are_empty():
    # 10% against 20% in one bin of two: (0.2 - 0.1) ln 2 + (0.8 - 0.9) ln(8 / 9)
    before, now = np.array([1e8, 9e8]), np.array([2e8, 8e8])
    assert stability_index(before, now) == pytest.approx(0.1 * np.log(2) - 0.1 * np.log(8 / 9))
    assert stability_index(np.append(before, 0), np.append(now, 0)) == pytest.approx(
        stability_index(before, now)
    )
    vanished = stability_index(np.array([500.0, 500.0]), np.array([0.0, 1000.0]))
    assert np.isfinite(vanished)
    assert vanished > 2


def test_noise_is_exceeded_as_often_as_it_says():
    rng = np.random.default_rng(1)
    shares = np.full(10, 0.1)
    drawn = [
        stability_index(rng.multinomial(2_000, shares) * 1.0, rng.multinomial(800, shares) * 1.0)
        for _ in range(2_000)
    ]
    assert np.mean(np.array(drawn) > index_noise(10, 2_000, 800, level=0.9)) == pytest.approx(
        0.1, abs=0.025
    )


class Model:
    """What the index reads of a model."""

    def __init__(self, X, risk):
        self.feature_names = ("steady", "drifting", "vanishing")
        self.reference = Reference.of(X, self.feature_names, risk)


def test_shifts_are_found_named_and_ordered():
    rng = np.random.default_rng(2)
    before, now = rng.normal(size=(4_000, 3)), rng.normal(size=(3_000, 3))
    risk = rng.random(4_000)
    now[:, 1] += 0.8
    now[:1_500, 2] = np.nan
    model = Model(before, risk)
    found = feature_shifts(model, now)
    assert [shift.name for shift in found] == ["vanishing", "drifting", "steady"]
    assert [shift.verdict for shift in found] == ["shifted", "shifted", "stable"]
    assert (found[0].missing_before, found[0].missing_now) == (0.0, 0.5)
    cuts = [-np.inf, *np.quantile(before[:, 1], np.arange(1, 10) / 10), np.inf]
    p, q = (
        pd.Series(pd.cut(x[:, 1], cuts)).value_counts(sort=False, normalize=True).to_numpy()
        for x in (before, now)
    )
    assert found[1].index == pytest.approx(entropy(p, q) + entropy(q, p), rel=0.02)
    assert risk_shift(model, rng.random(3_000)).verdict == "stable"
    assert risk_shift(model, rng.random(3_000) ** 2).verdict == "shifted"


def test_weighted_rows_are_held_against_rows_weighted_alike():
    rng = np.random.default_rng(3)
    before, now = rng.normal(size=5_000), rng.normal(size=3_000) + 0.3
    reference = Distribution.of(before)
    weights = [rng.exponential(size=x.size) * (1 + (x > 1)) for x in (before, now)]
    few = [(rng.random(x.size) < 0.1) * 1.0 for x in (before, now)]
    found = shifts_by_weight(
        "x", reference, (before, {"w": weights[0], "few": few[0]}),
        (now, {"w": weights[1], "few": few[1]}),
    )  # fmt: skip
    cuts = [-np.inf, *np.quantile(before, np.arange(1, 10) / 10), np.inf]
    for name, sides in {"w": weights, "few": few}.items():
        p, q = (
            pd.Series(w).groupby(pd.cut(x, cuts)).sum().to_numpy() / w.sum()
            for x, w in zip((before, now), sides, strict=True)
        )
        assert found[name].index == pytest.approx(entropy(p, q) + entropy(q, p), rel=0.05)
        effective = [w.sum() ** 2 / (w**2).sum() for w in sides]
        assert found[name].noise == pytest.approx(chi2.ppf(0.99, 9) * sum(1 / n for n in effective))
    assert found["few"].noise > found["w"].noise


def test_the_noise_of_weighted_rows_is_exceeded_as_often_as_it_says():
    rng = np.random.default_rng(4)
    reference, over = Distribution.of(np.linspace(0, 1, 1_001)), 0
    for _ in range(400):
        sides = [(rng.random(n), {"w": rng.choice([1.0, 5.0], n)}) for n in (900, 600)]
        shift = shifts_by_weight("x", reference, *sides)["w"]
        over += shift.index > shift.noise
    assert over <= 12


def test_what_noise_explains_is_stable():
    assert Shift("x", 0.3, 0.4, 0.0, 0.0).verdict == "stable"
    assert Shift("x", 0.2, 0.01, 0.0, 0.0).verdict == "watch"
    assert Distribution.of(np.full(5, np.nan)).shares == (0.0, 1.0)
