import numpy as np
import pandas as pd
import pytest

from relimit.data.errors import ModelError
from relimit.models import (
    ConstantSeverity,
    LossSettings,
    TreeSeverity,
    assumed_loss,
    expected_loss,
    fit_loss,
)
from relimit.models.loss import loss_from_json
from relimit.models.serial import decode, encode


def bads(rows: int, seed: int = 0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Bad rows; those with high x lose 70% of what was freed, the others 10%."""
    rng = np.random.default_rng(seed)
    X = pd.DataFrame({"x": rng.normal(size=rows), "noise": rng.normal(size=rows)})
    X.loc[rng.random(rows) < 0.1, "noise"] = np.nan
    freed = rng.integers(1_000, 200_000, rows)
    return X, freed, np.where(X["x"] > 0.5, 0.7, 0.1) * freed


def test_without_losses_the_assumption_is_lgd_times_conversion() -> None:
    X, freed, _ = bads(50)
    fitted = fit_loss(X, bad=np.ones(50), freed=freed, loss=np.full(50, np.nan))
    assert fitted == assumed_loss()
    np.testing.assert_allclose(fitted.severity(X.to_numpy(), freed), 0.8 * 0.75)
    other = LossSettings(loss_given_default=0.5, credit_conversion=0.4)
    assert assumed_loss(other).value == pytest.approx(0.2)


def test_a_few_bads_are_shrunk_towards_the_assumption_by_hand() -> None:
    X, _, _ = bads(2)
    settings = LossSettings(loss_given_default=0.8, credit_conversion=0.5, prior_bads=3)
    fitted = fit_loss(X, bad=[1, 1], freed=[100, 300], loss=[50, 30], settings=settings)
    # Lost 80 of 400, and three more bads of the average 200 at 0.4.
    assert isinstance(fitted, ConstantSeverity)
    assert fitted.value == pytest.approx((80 + 0.4 * 600) / (400 + 600))
    assert fitted.bads == 2


def test_only_bads_that_got_something_back_count() -> None:
    X, _, _ = bads(5)
    settings = LossSettings(prior_bads=0)
    fitted = fit_loss(
        X,
        bad=[1, 0, 1, 1, 1],
        freed=[100, 100, 100, np.nan, 200],
        loss=[20, 0, 90, 50, 30],
        share=[1.0, 1.0, 0.0, 1.0, 0.5],
        settings=settings,
    )
    # 20 of 100, and 30 of the half of 200 that was restored.
    assert isinstance(fitted, ConstantSeverity)
    assert fitted.bads == 2
    assert fitted.value == pytest.approx(50 / 200)


def test_trees_are_used_where_they_predict_held_out_bads_better() -> None:
    X, freed, loss = bads(1500)
    fitted = fit_loss(X, bad=np.ones(1500), freed=freed, loss=loss)
    assert isinstance(fitted, TreeSeverity)
    new, freed, loss = bads(500, seed=1)
    severity = fitted.severity(new.to_numpy(), freed)
    assert np.abs(severity - loss / freed).mean() < 0.1
    assert (severity @ freed) == pytest.approx(loss.sum(), rel=0.08)
    assert ((severity >= 0) & (severity <= 1)).all()


def test_one_constant_is_kept_where_nothing_predicts_severity() -> None:
    X, freed, _ = bads(600)
    loss = np.random.default_rng(5).random(600) * freed
    fitted = fit_loss(X, bad=np.ones(600), freed=freed, loss=loss)
    assert isinstance(fitted, ConstantSeverity)
    assert fitted.value == pytest.approx(0.5, abs=0.05)


def test_losses_out_of_range_are_clipped() -> None:
    X, freed, _ = bads(300)
    fitted = fit_loss(X, bad=np.ones(300), freed=freed, loss=freed * 3)
    assert fitted.severity(X.to_numpy(), freed).max() <= 1.0


def test_weights_count() -> None:
    X, _, _ = bads(2)
    settings = LossSettings(prior_bads=0)
    fitted = fit_loss(
        X, bad=[1, 1], freed=[100, 100], loss=[0, 100], sample_weight=[3.0, 1.0], settings=settings
    )
    assert fitted.severity(X.to_numpy(), np.array([100, 100]))[0] == pytest.approx(0.25)


def test_more_risk_never_means_less_expected_loss() -> None:
    risk = np.linspace(0.001, 0.999, 50)
    loss = expected_loss(risk, np.full(50, 0.37), np.full(50, 123_456))
    assert (np.diff(loss) > 0).all()
    assert (loss <= risk * 123_456).all()


@pytest.mark.parametrize("freed", [[-1, 5], [np.nan, 5], [1], [[1, 2]]])
def test_freed_amounts_that_are_none_are_refused(freed: list[float]) -> None:
    with pytest.raises(ModelError, match="freed amounts"):
        expected_loss(np.array([0.1, 0.2]), np.array([0.5, 0.5]), freed)


@pytest.mark.parametrize("rows", [50, 1500])
def test_it_reads_back_to_the_last_bit(rows: int) -> None:
    X, freed, loss = bads(rows)
    fitted = fit_loss(X, bad=np.ones(rows), freed=freed, loss=loss)
    stored = decode(encode(fitted.to_json()), "loss.json")
    again = loss_from_json(stored, fitted.files(), ("x", "noise"), "loss.json")
    before, after = (head.severity(X.to_numpy(), freed) for head in (fitted, again))
    np.testing.assert_array_equal(after, before)
    assert again.bads == fitted.bads


@pytest.mark.parametrize(
    "change", [{"kind": "magic"}, {"value": 1.5}, {"value": "much"}, {"settings": {"x": 1}}]
)
def test_a_loss_head_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ModelError, match=r"loss\.json: not a loss head"):
        loss_from_json({**assumed_loss().to_json(), **change}, {}, ("x",), "loss.json")


def test_bads_of_one_account_are_held_out_together() -> None:
    # Each account loses what it loses, ten times over; nothing tells another account's part.
    rng = np.random.default_rng(2)
    account = np.repeat(np.arange(40), 10)
    X = pd.DataFrame({"x": rng.normal(size=40)[account], "noise": rng.normal(size=400)})
    freed = np.full(400, 1_000)
    known = {"bad": np.ones(400), "freed": freed, "loss": rng.random(40)[account] * freed}
    assert isinstance(fit_loss(X, **known), TreeSeverity)
    assert isinstance(fit_loss(X, **known, groups=account), ConstantSeverity)
    names = np.array([f"a{place}" for place in account], dtype=object)
    assert isinstance(fit_loss(X, **known, groups=names), ConstantSeverity)


@pytest.mark.parametrize("part", [0.0, 1.0])
@pytest.mark.parametrize("of_them", [150, 400])
def test_bads_that_lose_nothing_or_everything_leave_a_constant(part: float, of_them: int) -> None:
    """As of secured loans; without an assumption, folds of them have no level to be put on."""
    X, freed, _ = bads(of_them)
    X["limit_amount"] = 2.0 * freed
    head = fit_loss(X, bad=np.ones(of_them), freed=freed, loss=part * freed)
    said = head.severity(X.to_numpy(), freed)
    assert np.isfinite(said).all()
    assert np.ptp(said) == 0.0
    assert abs(said[0] - part) < 0.3
