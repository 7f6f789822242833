"""Outcomes under arms that were not taken: close to a known truth, from other accounts alone."""

import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from relimit.data import DataError
from relimit.data.vocabulary import ARMS
from relimit.training.arm_outcomes import LoggedOutcomes, deal_accounts, fit_arm_outcomes

GRID = np.array(ARMS)


@pytest.fixture(scope="module")
def world():
    """Arms that follow x, a margin of 2% of what is back and when, a loss of half of it."""
    rng = np.random.default_rng(0)
    account = np.repeat(np.arange(800), 4)
    x = np.repeat(rng.normal(size=800), 4)
    arm = np.clip(14 - 3 * x + rng.normal(scale=8, size=3200), 0, 24).astype(int)
    limit = 1e6 * np.exp(np.repeat(rng.normal(size=800), 4) / 3)
    freed = limit * rng.uniform(0.1, 0.6, 3200)
    share, delay = GRID[arm].T

    def margin(share, delay):
        return limit * (0.02 - 0.005 * x) + 0.02 * freed * share * (1 - delay / 180)

    def risk(share):
        return 1 / (1 + np.exp(2.2 - x - 0.5 * share))

    bad = rng.random(3200) < risk(share)
    return {
        "X": pd.DataFrame({"x": x}),
        "share": share,
        "delay_days": delay,
        "outcomes": LoggedOutcomes(
            bad=bad.astype(float),
            loss=np.where(bad, 0.5 * freed * share, 0.0),
            margin=margin(share, delay) + limit * rng.normal(scale=0.002, size=3200),
            freed=freed,
            limit=limit,
        ),
        "account": account,
    }, {
        "margin": np.column_stack([margin(*one) for one in ARMS]),
        "loss": np.column_stack([risk(s) * 0.5 * freed * s for s, _ in ARMS]),
        "bad": np.column_stack([risk(s) for s, _ in ARMS]),
    }


@pytest.fixture(scope="module")
def found(world):
    return fit_arm_outcomes(**world[0])


@pytest.mark.parametrize("name", ["bad", "loss", "margin"])
def test_every_arms_outcome_is_near_the_truth(world, found, name):
    truth, estimate = world[1][name], getattr(found, name)
    assert estimate.shape == (3200, 25)
    assert np.abs(estimate - truth).mean() < 0.5 * np.abs(truth - truth.mean()).mean()


def test_what_restoring_everything_adds_to_the_margin_is_found(world, found):
    gains = [m[:, 20].mean() - m[:, 0].mean() for m in (found.margin, world[1]["margin"])]
    assert gains[0] == pytest.approx(gains[1], rel=0.15)


def test_what_a_delay_costs_is_reckoned_over_the_horizon_that_was_told(world):
    """Of 40 days a delay of 30 leaves a quarter to earn on."""
    given, _ = world
    outcomes = given["outcomes"]
    earned = 0.02 * outcomes.freed * given["share"] * (1 - given["delay_days"] / 40)
    noise = np.random.default_rng(1).normal(scale=0.005, size=len(earned))  # trees alone would err
    told = dataclasses.replace(outcomes, margin=(0.02 + noise) * outcomes.limit + earned)
    margin = fit_arm_outcomes(**{**given, "outcomes": told}, horizon_days=40).margin.mean(axis=0)
    nothing, at_once, late = (margin[ARMS.index(arm)] for arm in ((0, 0), (1, 0), (1, 30)))
    assert (late - nothing) / (at_once - nothing) == pytest.approx(0.25, abs=0.05)


def test_risk_and_loss_never_fall_as_more_is_restored(found):
    for part in (found.bad, found.loss):
        by_share = part.reshape(-1, 5, 5)
        assert (np.diff(by_share, axis=1) >= 0).all()
        assert (np.diff(by_share, axis=2) <= 0).all()


def test_no_answer_depends_on_the_accounts_own_outcomes(world, found):
    given, _ = world
    other = dataclasses.replace(
        given["outcomes"],
        margin=np.where(given["account"] == 7, 1e9, given["outcomes"].margin),
        loss=np.where(given["account"] == 7, 0.0, given["outcomes"].loss),
    )
    again = fit_arm_outcomes(**{**given, "outcomes": other})
    mine = given["account"] == 7
    for name in ("bad", "loss", "margin"):
        np.testing.assert_array_equal(getattr(again, name)[mine], getattr(found, name)[mine])
    assert (again.margin[~mine] != found.margin[~mine]).any()


def test_rows_without_arm_or_outcome_are_answered_but_not_learnt_from(world):
    given, truth = world
    share = given["share"].copy()
    share[::10] = np.nan
    margin = given["outcomes"].margin.copy()
    margin[::10] = 1e12  # would show
    outcomes = dataclasses.replace(given["outcomes"], margin=margin)
    found = fit_arm_outcomes(**{**given, "share": share, "outcomes": outcomes})
    assert found.left_out == 320
    error = np.abs(found.margin - truth["margin"])[::10].mean()
    assert error < 0.3 * np.abs(truth["margin"] - truth["margin"].mean()).mean()


def test_accounts_are_dealt_whole_and_bad_ones_evenly():
    account = np.repeat(np.array([f"a{i}" for i in range(100)], object), 3)
    bad = np.repeat(np.arange(100) % 5 == 0, 3)
    fold = deal_accounts(account, bad)
    assert (fold.reshape(-1, 3) == fold[::3, None]).all()
    assert np.bincount(fold[bad]).tolist() == [12] * 5
    with pytest.raises(DataError, match="9 of 100 accounts went bad"):
        deal_accounts(account, bad & (np.arange(300) < 135))
    with pytest.raises(ValueError, match="three folds"):
        deal_accounts(account, bad, folds=2)


def test_outcomes_are_read_from_what_was_realised():
    table = pa.table(
        {"bad": [True, None], "loss": [5, None], "margin": [-1, None], "freed": [9, 9],
         "limit": pa.array([None, None], pa.int64())}
    )  # fmt: skip
    read = LoggedOutcomes.of(table)
    assert read.known.tolist() == [True, False]
    assert (read.bad[0], read.margin[0], np.isnan(read.limit[0])) == (1.0, -1.0, True)
