"""Loss observed over expected: sums by hand, limits against resampled accounts."""

import numpy as np
import pytest
from scipy import stats

from relimit.training.labelled import Labelled
from relimit.training.loss_check import (
    LossRows,
    loss_groups,
    loss_metrics,
    loss_overall,
    loss_rows,
    loss_tenths,
)


class Head:
    """Loses a tenth of what is restored per unit of the first feature, half that of a small sum."""

    def severity(self, X, restored):
        return X[:, 0] / np.where(restored < 600.0, 20.0, 10.0)


class Model:
    loss = Head()


def labelled(**known):
    rows = len(known["loss"])
    nothing = np.full(rows, np.nan)
    columns = {"share": nothing, "delay_days": nothing, "propensity": nothing, "freed": nothing}
    return Labelled(
        account_id=np.arange(rows), as_of=np.zeros(rows, np.int64), bad=np.zeros(rows, bool),
        **columns | known,
    )  # fmt: skip


def test_what_is_expected_is_risk_times_severity_times_what_was_restored():
    test = labelled(
        loss=np.array([5.0, np.nan, 7.0, 0.0, 0.0]),
        share=np.array([0.5, 1.0, np.nan, 0.0, 1.0]),
        freed=np.array([1_000.0, 1_000.0, 300.0, 1_000.0, 50.0]),
    )
    X = np.array([[2.0], [2.0], [4.0], [4.0], [1.0]])
    found = loss_rows(Model(), X, test, np.array([0.1, 0.1, 0.2, 0.2, 0.5]))
    assert found.place.tolist() == [0, 2, 4]
    assert found.expected == pytest.approx([0.1 * 0.1 * 500, 0.2 * 0.2 * 300, 0.5 * 0.05 * 50])
    assert loss_metrics(found)["loss_observed_expected"] == pytest.approx(12.0 / 18.25)
    first = loss_groups(found, np.array(["b", "a", "b"]), np.array([2.0, 1.0, 4.0]))
    assert [(g.group, g.rows, g.observed_yuan) for g in first] == [("a", 1, 0.07), ("b", 2, 0.10)]
    assert first[1].ratio.value == pytest.approx(10.0 / (2 * 5.0 + 4 * 1.25))


def test_nothing_is_told_where_no_loss_is_known():
    unknown = labelled(loss=np.full(3, np.nan), freed=np.full(3, 100.0))
    assert loss_rows(Model(), np.ones((3, 1)), unknown, np.full(3, 0.1)) is None
    assert loss_metrics(None) == {}


def test_limits_agree_with_scipys_bootstrap_over_accounts():
    rng = np.random.default_rng(0)
    account = np.repeat(np.arange(400), 3)
    size = np.repeat(rng.exponential(size=400), 3)
    expected = size * rng.random(1_200)
    observed = expected * rng.binomial(1, 0.3, 400)[account] / 0.3
    weight = np.repeat(rng.exponential(size=400), 3)
    rows = LossRows(np.arange(1_200), observed, expected, account)
    found = loss_groups(rows, np.zeros(1_200), weight)[0].ratio
    sums = [(weight * part).reshape(400, 3).sum(axis=1) for part in (observed, expected)]
    error = stats.bootstrap(
        sums, lambda a, b: a.sum() / b.sum(), paired=True, vectorized=False, n_resamples=500,
        method="percentile", rng=1,
    ).standard_error  # fmt: skip
    assert found.high - found.low == pytest.approx(2 * 1.96 * error, rel=0.12)


def test_a_group_that_lost_nothing_claims_no_certainty():
    account = np.arange(40)
    observed = np.where(account < 20, 0.0, 10.0 * (account % 2))
    rows = LossRows(account, observed, np.full(40, 5.0), account)
    lucky, other = (group.ratio for group in loss_groups(rows, account >= 20))
    assert lucky.value == 0.0
    assert np.isnan([lucky.low, lucky.high]).all()
    assert 0.0 < other.low < other.value < other.high


def test_all_rows_of_a_view_that_lost_nothing_claim_no_certainty_either():
    account = np.arange(40)
    rows = LossRows(account, np.zeros(40), np.full(40, 5.0), account)
    (found,) = loss_overall(rows, np.zeros(40))
    assert found.ratio.value == 0.0
    assert np.isnan([found.ratio.low, found.ratio.high]).all()


def test_all_rows_weigh_as_much_as_their_views_rows_do():
    account = np.repeat(np.arange(30), 2)
    weight = np.where(np.arange(60) < 30, 2.0, 1.0)
    observed, expected = np.arange(60.0), np.full(60, 20.0)
    (found,) = loss_overall(LossRows(account, observed, expected, account), np.zeros(60), weight)
    twice = np.repeat(np.arange(60), weight.astype(int))
    rows = LossRows(twice, observed[twice], expected[twice], account[twice])
    (repeated,) = loss_overall(rows, np.zeros(90))
    assert found.ratio == pytest.approx(repeated.ratio)
    assert found.ratio.low > 0.0


def test_tenths_rise_and_equal_losses_share_one():
    tenths = loss_tenths(np.arange(100.0))
    assert [(tenths == name).sum() for name in np.unique(tenths)] == [10] * 10
    assert tenths[0] == "01"
    assert tenths[-1] == "10"
    assert len(set(loss_tenths(np.full(20, 3.0)))) == 1
