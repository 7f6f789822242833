import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expit, log_expit, logit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss as sklearn_log_loss

from relimit.data.errors import ModelError
from relimit.models import (
    Beta,
    Isotonic,
    Level,
    NoCalibration,
    Platt,
    choose_calibration,
    fit_beta,
    fit_isotonic,
    fit_level,
    fit_platt,
)
from relimit.models.calibration import (
    SMALLEST,
    _interpolate,
    calibration_from_json,
    row_log_loss,
)
from relimit.models.serial import decode, encode


def sample(rows: int, seed: int, truth: str = "line") -> tuple[np.ndarray, np.ndarray]:
    """Log-odds of a head, and outcomes whose true risk is another function of them."""
    rng = np.random.default_rng(seed)
    z = rng.normal(-2, 1.5, rows)
    p = expit(0.6 * z + 0.8) if truth == "line" else np.where(z < -2, 0.05, 0.45)
    if truth == "same":
        p = expit(z)
    return z, rng.random(rows) < p


class ByLogOdds(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose decision function is its one column."""

    classes_ = np.array([0, 1])

    def fit(self, X: np.ndarray, y: np.ndarray) -> "ByLogOdds":
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        return np.asarray(X)[:, 0]

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def predict(self, X: np.ndarray) -> np.ndarray:
        return (self.decision_function(X) > 0).astype(int)

    def predict_proba(self, X: np.ndarray) -> np.ndarray:
        p = expit(np.asarray(X)[:, 0])
        return np.column_stack([1 - p, p])


def test_platt_is_scikit_learns_sigmoid() -> None:
    z, bad = sample(3000, 0)
    oracle = CalibratedClassifierCV(FrozenEstimator(ByLogOdds()), method="sigmoid", cv=3)
    theirs = [
        calibrated.calibrators[0]
        for calibrated in oracle.fit(z[:, None], bad).calibrated_classifiers_
    ]
    # A frozen estimator is calibrated on all rows at once.
    assert len(theirs) == 1
    ours = fit_platt(z, bad)
    assert ours.slope == pytest.approx(-theirs[0].a_, abs=1e-4)
    assert ours.intercept == pytest.approx(-theirs[0].b_, abs=1e-4)


def test_isotonic_is_scikit_learns() -> None:
    z, bad = sample(2000, 1)
    weight = np.random.default_rng(5).random(2000)
    oracle = IsotonicRegression(out_of_bounds="clip").fit(expit(z), bad, sample_weight=weight)
    new = np.linspace(-9, 6, 500)
    theirs = np.clip(oracle.predict(expit(new)), SMALLEST, 1 - SMALLEST)
    np.testing.assert_allclose(fit_isotonic(z, bad, weight).apply(new), theirs, atol=1e-15)


def test_beta_is_a_logistic_regression_on_two_logarithms() -> None:
    z, bad = sample(20_000, 2)
    X = np.column_stack([log_expit(z), -log_expit(-z)])
    oracle = LogisticRegression(C=np.inf, tol=1e-10, max_iter=5000).fit(X, bad)
    assert (oracle.coef_ > 0).all()
    ours = fit_beta(z, bad)
    np.testing.assert_allclose(ours.apply(z), oracle.predict_proba(X)[:, 1], atol=1e-3)


def test_no_calibration_is_the_logistic_function() -> None:
    p = np.array([0.01, 0.5, 0.9])
    np.testing.assert_allclose(NoCalibration().apply(logit(p)), p)


@pytest.mark.parametrize(
    ("truth", "wanted"), [("same", {"level"}), ("line", {"platt", "beta"}), ("step", {"isotonic"})]
)
def test_the_choice_follows_the_truth(truth: str, wanted: set[str]) -> None:
    z, bad = sample(6000, 3, truth)
    chosen = choose_calibration(z, bad)
    assert set(chosen.log_loss) == {"level", "none", "platt", "beta", "isotonic"}
    assert chosen.calibration.kind in wanted
    if truth == "same":  # nothing to gain: whatever is chosen changes little
        assert abs(chosen.calibration.intercept) < 0.15
        assert chosen.log_loss["none"] - min(chosen.log_loss.values()) < 1e-3
    else:
        assert min(chosen.log_loss, key=chosen.log_loss.__getitem__) == chosen.calibration.kind


@pytest.mark.parametrize("seed", range(4))
def test_a_level_that_is_off_is_set_although_few_bads_can_hardly_show_it(seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.normal(-4.0, 0.8, size=3000)
    bad = rng.random(3000) < expit(z + 0.2)
    assert 60 < bad.sum() < 120
    chosen = choose_calibration(z, bad, random_state=seed)
    risk = chosen.calibration.apply(z)
    assert risk.sum() == pytest.approx(bad.sum(), rel=0.03)


def test_what_a_hundred_bads_tell_apart_by_chance_is_not_taken() -> None:
    levels, lowest = 0, 0
    for seed in range(12):
        rng = np.random.default_rng(seed)
        z = rng.normal(-4.0, 0.8, size=3000)
        chosen = choose_calibration(z, rng.random(3000) < expit(z + 0.2), random_state=seed)
        levels += chosen.calibration.kind == "level"
        lowest += min(chosen.log_loss, key=chosen.log_loss.__getitem__) == "level"
    assert levels >= 9
    assert lowest < levels


def test_the_level_is_the_root_of_observed_less_expected() -> None:
    z, bad = sample(3000, 6)
    weight = np.random.default_rng(6).random(3000)
    found = fit_level(z, bad, weight)
    assert found.line == (1.0, found.intercept)
    # Own oracle: the intercept that a grid search finds likeliest.
    at = np.linspace(-2, 2, 4001)
    loss = [np.average(row_log_loss(bad, expit(z + c)), weights=weight) for c in at]
    assert found.intercept == pytest.approx(at[int(np.argmin(loss))], abs=3e-3)


def test_the_losses_compared_are_of_rows_not_fitted_on() -> None:
    # In the sample isotonic always wins; out of it, on 60 rows, it can't.
    z, bad = sample(60, 8, "same")
    inside = row_log_loss(bad, fit_isotonic(z, bad).apply(z)).mean()
    assert inside < row_log_loss(bad, NoCalibration().apply(z)).mean()
    assert choose_calibration(z, bad).calibration.kind != "isotonic"


def test_too_few_outcomes_change_nothing() -> None:
    z, _ = sample(100, 4)
    chosen = choose_calibration(z, np.arange(100) < 4)
    assert chosen.calibration == NoCalibration()
    assert chosen.log_loss == {}


def test_the_log_loss_is_scikit_learns() -> None:
    z, bad = sample(500, 5)
    weight = np.random.default_rng(1).random(500)
    assert np.average(row_log_loss(bad, expit(z)), weights=weight) == pytest.approx(
        sklearn_log_loss(bad, expit(z), sample_weight=weight)
    )


@pytest.mark.parametrize("fit", [fit_platt, fit_beta, fit_isotonic])
def test_a_score_that_runs_backwards_is_flattened_never_turned(fit) -> None:
    z, bad = sample(2000, 6)
    for calibration in (fit(-z, bad), choose_calibration(-z, bad).calibration):
        risk = calibration.apply(np.linspace(-8, 8, 200))
        assert np.ptp(risk) < 0.05
        assert risk.mean() == pytest.approx(bad.mean(), abs=0.05)


@pytest.mark.parametrize("fit", [fit_level, fit_platt, fit_beta, fit_isotonic])
def test_outcomes_split_cleanly_still_give_finite_log_loss(fit) -> None:
    z = np.linspace(-40, 40, 200)
    bad = z > 0
    risk = fit(z, bad).apply(np.array([-1e3, -40.0, 0.0, 40.0, 1e3]))
    assert ((risk >= SMALLEST) & (risk <= 1 - SMALLEST)).all()
    assert np.isfinite(row_log_loss(~bad, fit(z, bad).apply(z))).all()


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), flip=st.booleans(), scale=st.floats(0.01, 30))
def test_every_map_rises_and_reads_back_exactly(seed: int, flip: bool, scale: float) -> None:
    z, bad = sample(200, seed)
    bad[:2] = [True, False]
    z = np.round((-z if flip else z) * scale, 2)
    grid = np.unique(np.concatenate([z, np.nextafter(z, np.inf), np.linspace(-50, 50, 400)]))
    for fit in (fit_level, fit_platt, fit_beta, fit_isotonic):
        fitted = fit(z, bad)
        risk = fitted.apply(grid)
        assert (np.diff(risk) >= -1e-15).all()
        again = calibration_from_json(decode(encode(fitted.to_json()), "c"), "c")
        assert again == fitted
        np.testing.assert_array_equal(again.apply(grid), risk)


def test_interpolation_never_oversteps_a_threshold() -> None:
    # Just below the second threshold, the line rounds to above its value.
    x = np.array([0.02658197830319113, 0.1769285715673562])
    y = np.array([1.4298846990944758e-08, 4.355399350329138e-05])
    below = np.nextafter(x[1], 0)
    assert (y[1] - y[0]) / (x[1] - x[0]) * (below - x[0]) + y[0] > y[1]
    np.testing.assert_array_equal(_interpolate(np.array([below, x[1]]), x, y), y[1])


def test_infinite_thresholds_survive_json() -> None:
    text = encode({"x": [-np.inf, 0.1, np.inf]})
    json.loads(text, parse_constant=pytest.fail)
    assert decode(text, "x")["x"] == [-np.inf, 0.1, np.inf]


@pytest.mark.parametrize(
    "content",
    [
        {"kind": "magic"},
        {"kind": "platt", "slope": -0.1, "intercept": 0.0},
        {"kind": "platt", "slope": float("nan"), "intercept": 0.0},
        {"kind": "platt", "slope": 1.0},
        {"kind": "level"},
        {"kind": "beta", "a": 1.0, "b": -1.0, "c": 0.0},
        {"kind": "isotonic", "x": [0.1, 0.2], "y": [0.3, 0.2]},
        {"kind": "isotonic", "x": [0.2, 0.1], "y": [0.1, 0.2]},
        {"kind": "isotonic", "x": [], "y": []},
        {"kind": "isotonic", "x": [0.1], "y": [0.1, 0.2]},
        {},
        [],
    ],
)
def test_a_calibration_that_would_not_rise_is_refused(content: object) -> None:
    with pytest.raises(ModelError, match=r"calibration\.json: not a calibration"):
        calibration_from_json(content, "calibration.json")  # type: ignore[arg-type]


def test_values_are_frozen() -> None:
    for value in (
        NoCalibration(),
        Level(0.0),
        Platt(1.0, 0.0),
        Beta(1.0, 1.0, 0.0),
        Isotonic((0.1,), (0.2,)),
    ):
        with pytest.raises((AttributeError, TypeError)):
            value.kind = "other"  # type: ignore[misc]


def test_candidates_are_judged_on_a_sample_and_the_chosen_one_is_fitted_on_all(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    z = rng.normal(size=3000)
    bad = rng.random(3000) < 1 / (1 + np.exp(1.0 - 0.5 * z))
    monkeypatch.setattr("relimit.models.calibration_choice.JUDGED_ROWS", 1000)
    choice = choose_calibration(z, bad)
    assert choice.log_loss["platt"] < choice.log_loss["none"]
    assert choice.calibration in (fit_platt(z, bad), fit_beta(z, bad))


@given(
    st.lists(st.tuples(st.floats(-300, 300), st.booleans(), st.floats(0.1, 10)), min_size=1),
)
def test_the_level_makes_the_mean_risk_what_the_targets_ask_for(rows) -> None:
    log_odds, bad, weight = (np.array(part) for part in zip(*rows, strict=True))
    risk = expit(log_odds + fit_level(log_odds, bad, weight).intercept)
    bads, goods = weight[bad].sum(), weight[~bad].sum()
    wanted = (bads * (bads + 1) / (bads + 2) + goods / (goods + 2)) / (bads + goods)
    assert np.average(risk, weights=weight) == pytest.approx(wanted, abs=1e-9)


def test_a_head_of_another_outcome_is_stretched_where_few_bads_show_it() -> None:
    rng = np.random.default_rng(3)
    log_odds = rng.normal(-1.0, 0.7, 400)
    bad = rng.random(400) < expit(1.5 * log_odds - 1.0)
    plain = choose_calibration(log_odds, bad)
    stretched = choose_calibration(log_odds, bad, stretch=True)
    assert isinstance(plain.calibration, Level)
    assert stretched.calibration == fit_platt(log_odds, bad)
    assert stretched.log_loss == plain.log_loss
