"""Limits of metrics against scipy's bootstrap of clusters with other libraries' figures."""

import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logit
from sklearn.calibration import calibration_curve
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score, roc_curve

from relimit.training import metric_limits
from relimit.training.discrimination import average_precision_at, weight_by_threshold
from relimit.training.h_measure import h_measure as own_h_measure
from relimit.training.metric_limits import RESAMPLED
from relimit.training.metrics import METRICS, evaluate

ACCOUNTS, EACH = 250, 3
COSTS = np.linspace(0.0, 1.0, 401)


@pytest.fixture(scope="module")
def rows():
    """Rows of an account are alike, and weighted alike."""
    rng = np.random.default_rng(0)
    odds = np.repeat(rng.normal(-1, 1, ACCOUNTS), EACH) + 0.2 * rng.normal(size=ACCOUNTS * EACH)
    hidden = np.repeat(rng.normal(size=ACCOUNTS), EACH)
    bad = rng.random(ACCOUNTS * EACH) < expit(0.7 * odds + hidden)
    risk = np.round(expit(odds), 2)
    weight = np.repeat(rng.exponential(size=ACCOUNTS) + 0.2, EACH)
    return bad, np.clip(risk, 0.01, 0.99), weight, np.repeat(np.arange(ACCOUNTS), EACH)


def ks(bad, risk, weight):
    false, true, _ = roc_curve(bad, risk, sample_weight=weight)
    return np.abs(true - false).max()


def h_measure(bad, risk, weight):
    """Equations 5 to 7 of Hand (2009), over a grid of costs."""
    weight = weight / weight.sum()
    refused = risk[None, :] > np.append(-1.0, np.unique(risk))[:, None]
    good_refused = refused @ (weight * ~bad)
    bad_accepted = ~refused @ (weight * bad)
    losses = COSTS * good_refused[:, None] + (1.0 - COSTS) * bad_accepted[:, None]
    density = stats.beta.pdf(COSTS, 2, 2)
    alone = np.minimum(COSTS * weight[~bad].sum(), (1.0 - COSTS) * weight[bad].sum())
    return 1.0 - (losses.min(axis=0) * density).sum() / (alone * density).sum()


def slope(bad, risk, weight):
    model = LogisticRegression(C=np.inf, solver="newton-cholesky").fit(
        logit(risk)[:, None], bad, weight
    )
    return model.coef_[0, 0]


ORACLES = {
    "ks": ks,
    "h_measure": h_measure,
    "pr_auc": lambda bad, risk, w: average_precision_score(bad, risk, sample_weight=w),
    "auc": lambda bad, risk, w: roc_auc_score(bad, risk, sample_weight=w),
    "gini": lambda bad, risk, w: 2.0 * roc_auc_score(bad, risk, sample_weight=w) - 1.0,
    "brier": lambda bad, risk, w: np.average((risk - bad) ** 2, weights=w),
    "log_loss": lambda bad, risk, w: log_loss(bad, risk, sample_weight=w),
    "calibration_slope": slope,
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", ORACLES)
def test_limits_are_as_wide_as_scipys_bootstrap_over_accounts_says(rows, name, weighted):
    bad, risk, weight, account = rows
    weight = weight if weighted else np.ones(len(bad))
    figure = ORACLES[name]

    def of_accounts(drawn):
        some = (drawn.astype(int)[:, None] * EACH + np.arange(EACH)).ravel()
        return figure(bad[some], risk[some], weight[some])

    found = evaluate(bad, risk, weight if weighted else None, account)
    assert found[name] == pytest.approx(figure(bad, risk, weight), abs=2e-3)
    expected = stats.bootstrap(
        (np.arange(ACCOUNTS),), of_accounts, vectorized=False, n_resamples=200,
        method="percentile", rng=1,
    ).standard_error  # fmt: skip
    width = found[f"{name}_high"] - found[f"{name}_low"]
    assert width == pytest.approx(2 * 1.96 * expected, rel=0.2)
    assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]


def test_the_calibration_errors_limits_are_those_of_its_bins_resampled(rows):
    bad, risk, _, account = rows
    risk = risk / (1.0 + 0.5 * risk)
    found = evaluate(bad, risk, None, account)
    rate, mean = calibration_curve(bad, risk, n_bins=10, strategy="quantile")
    share = np.histogram(risk, np.quantile(risk, np.linspace(0, 1, 11)))[0] / len(risk)
    assert found["ece"] == pytest.approx((share * np.abs(rate - mean)).sum(), rel=0.05)
    cuts = np.unique(np.quantile(risk, np.arange(1, 10) / 10))
    bins = [
        np.flatnonzero(part) for part in (np.searchsorted(cuts, risk) == np.arange(10)[:, None])
    ]
    rng, drawn = np.random.default_rng(2), []
    for _ in range(300):
        times = np.bincount(rng.integers(0, ACCOUNTS, ACCOUNTS), minlength=ACCOUNTS)[account]
        gaps = [abs((times[rows] * (risk[rows] - bad[rows])).sum()) for rows in bins]
        drawn.append(sum(gaps) / times.sum())
    width = found["ece_high"] - found["ece_low"]
    assert width == pytest.approx(2 * 1.96 * np.std(drawn), rel=0.2)


def test_a_sample_of_the_accounts_gives_limits_as_narrow_as_all_of_them(rows, monkeypatch):
    bad, risk, weight, account = (np.tile(part, 8) for part in rows)
    account = account + ACCOUNTS * np.repeat(np.arange(8), ACCOUNTS * EACH)
    whole = evaluate(bad, risk, weight, account)
    monkeypatch.setattr(metric_limits, "MOST_ROWS", 2 * ACCOUNTS * EACH)
    part = evaluate(bad, risk, weight, account)
    for name in RESAMPLED:
        assert part[name] == whole[name]
        widths = [found[f"{name}_high"] - found[f"{name}_low"] for found in (part, whole)]
        assert widths[0] == pytest.approx(widths[1], rel=0.25)


def test_thresholds_that_only_good_rows_lie_between_change_no_figure(rows):
    bad, risk, weight, account = rows
    figures = metric_limits._Figures(bad, risk, weight, 10)
    assert figures._levels < len(np.unique(risk))
    times = np.random.default_rng(0).poisson(1.0, ACCOUNTS)[account].astype(float)
    drawn = bad, risk, weight * times
    alone = (ks(*drawn), average_precision_at(*weight_by_threshold(*drawn)), own_h_measure(*drawn))
    assert figures(times)[:3] == pytest.approx(alone, rel=1e-12)


def test_every_metric_but_the_z_has_limits_and_few_bads_raise_nothing():
    rng = np.random.default_rng(4)
    risk = rng.random(60)
    found = evaluate(np.arange(60) == 7, risk)
    assert set(METRICS) < set(found)
    names = {name for name in METRICS if not name.endswith(("_low", "_high"))}
    assert {name for name in names if f"{name}_low" not in found} == {"spiegelhalter_z"}
    assert 0.0 <= found["ks_low"] <= found["ks_high"] <= 1.0
