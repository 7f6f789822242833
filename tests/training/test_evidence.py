"""Verdicts on risks whose order of merit is known."""

import numpy as np
import pytest
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from relimit.training.evidence import (
    A_BETTER,
    B_BETTER,
    NO_DIFFERENCE,
    TOO_FEW,
    weigh_evidence,
)


def book(rows: int = 4000, seed: int = 0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rows)
    truth = expit(x - 1)
    noisy = expit(x - 1 + rng.normal(size=rows))
    return rng.random(rows) < truth, truth, noisy, np.arange(rows) // 2


def test_the_better_risk_wins_from_either_side_and_never_against_itself():
    bad, truth, noisy, account = book()
    assert weigh_evidence(bad, noisy, truth, account).verdict == B_BETTER
    assert weigh_evidence(bad, truth, noisy, account).verdict == A_BETTER
    assert weigh_evidence(bad, truth, truth, account).verdict == NO_DIFFERENCE


def test_differences_agree_with_scikit_learn():
    bad, truth, noisy, account = book()
    found = weigh_evidence(bad, noisy, truth, account)
    assert found.log_loss.value == pytest.approx(log_loss(bad, truth) - log_loss(bad, noisy))
    assert found.auc.value == pytest.approx(roc_auc_score(bad, truth) - roc_auc_score(bad, noisy))


def test_few_rows_prove_nothing():
    bad, truth, noisy, account = book(rows=40)
    assert weigh_evidence(bad, 0.9 * truth + 0.1 * noisy, truth, account).leaning == 0


def test_fewer_than_500_bads_claim_no_ranking_but_show_their_intervals():
    bad, truth, noisy, account = book()
    first = np.flatnonzero(np.cumsum(bad) == 500)[0]
    for rows, verdict in ((first + 1, B_BETTER), (first, TOO_FEW)):
        found = weigh_evidence(bad[:rows], noisy[:rows], truth[:rows], account[:rows])
        assert found.verdict == verdict
        assert found.leaning == 1
        assert found.log_loss.high < 0
    assert "no ranking is claimed" in found.reasons[-1]


def test_equal_ranking_but_bad_calibration_is_worse():
    bad, truth, _, account = book()
    found = weigh_evidence(bad, truth, truth / 3, account)
    assert found.auc.value == 0
    assert found.verdict == A_BETTER
    assert "beyond noise" in found.reasons[0]


def test_equal_rows_make_false_alarms_about_as_often_as_they_say():
    alarms = 0
    for seed in range(100):
        rng = np.random.default_rng(seed)
        truth = rng.uniform(0.05, 0.6, 500)
        bad = rng.random(500) < truth
        a, b = (expit(np.log(truth / (1 - truth)) + 0.3 * rng.normal(size=500)) for _ in "ab")
        found = weigh_evidence(bad, a, b, np.arange(500)).log_loss
        alarms += found.low > 0 or found.high < 0
    assert alarms / 100 < 0.12
