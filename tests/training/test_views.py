"""One risk three ways: a log that chose safe accounts flatters, weights and exploration don't."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from relimit.training.labelled import Labelled
from relimit.training.metrics import evaluate
from relimit.training.views import explored, least_preferred, three_views


def log(n=40_000, seed=0):
    """An older policy restores what it deems safe, and draws one arm in ten at random."""
    rng = np.random.default_rng(seed)
    hidden, seen = rng.normal(size=(2, n))
    wanted = seen < 0
    drawn = rng.random(n) < 0.2
    full = np.where(drawn, rng.random(n) < 0.5, wanted)
    propensity = np.where(full == wanted, 0.9, 0.1)
    truth = expit(hidden + seen + 0.5 * full - 2)
    rows = Labelled(
        account_id=np.arange(n),
        as_of=np.zeros(n, np.int64),
        bad=rng.random(n) < truth,
        share=full.astype(float),
        delay_days=np.zeros(n),
        propensity=propensity,
        freed=np.full(n, np.nan),
        loss=np.full(n, np.nan),
    )
    return rows, truth, expit(hidden - 2), 0.5 / propensity


def test_each_view_is_the_metric_of_its_rows():
    rows, truth, _, weight = log()
    views = three_views(rows, truth, weight)
    assert list(views) == ["naive", "weighted", "explored"]
    some = rows.propensity < 0.5
    np.testing.assert_array_equal(explored(rows), some)
    assert views["naive"]["log_loss"] == evaluate(rows.bad, truth)["log_loss"]
    assert views["weighted"]["log_loss"] == evaluate(rows.bad, truth, weight)["log_loss"]
    assert views["explored"]["log_loss"] == evaluate(rows.bad[some], truth[some])["log_loss"]


def test_restored_rows_look_safer_than_they_are_until_weighted_or_explored():
    rows, _, blind, weight = log()
    restored = rows.share == 1.0
    views = three_views(rows.take(restored), blind[restored], weight[restored])
    naive, weighted, drawn = (views[name]["calibration_intercept"] for name in views)
    assert naive < weighted < drawn
    everyone = expit(np.random.default_rng(1).normal(size=(2, 200_000)).sum(axis=0) - 1.5).mean()
    rates = np.average(rows.bad[restored], weights=weight[restored])
    assert rates == pytest.approx(everyone, abs=0.02)


def test_under_a_soft_policy_only_what_is_surely_not_preferred_is_explored():
    """Three arms drawn in proportion to what accounts look like; seldom has one half."""
    rng = np.random.default_rng(5)
    chances = rng.dirichlet([8.0, 8.0, 8.0], size=3_000)
    arm = (rng.random(3_000)[:, None] > np.cumsum(chances, axis=1)).sum(axis=1)
    rows, *_ = log(3_000)
    propensity = chances[np.arange(3_000), arm]
    assert (propensity >= 0.5).mean() < 0.5
    soft = replace(rows, share=arm / 2.0, propensity=propensity)
    found = explored(soft)
    assert least_preferred(soft) == pytest.approx(1 / 3)
    assert 0.1 < found.mean() < 0.9
    assert (arm != chances.argmax(axis=1))[found].all()
    assert least_preferred(rows) == 0.5


def test_views_that_the_rows_cannot_give_are_absent():
    rows, truth, _, weight = log(200)
    assert list(three_views(rows, truth, None)) == ["naive"]
    unlogged = type(rows)(
        **{n: getattr(rows, n) for n in rows.__slots__ if n != "propensity"},
        propensity=np.full(200, np.nan),
    )
    assert list(three_views(unlogged, truth, weight)) == ["naive", "weighted"]
