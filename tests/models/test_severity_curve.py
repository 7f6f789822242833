import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from relimit.data.errors import ModelError
from relimit.models import (
    BoostedTrees,
    ConstantSeverity,
    CurveSeverity,
    LossSettings,
    NoCalibration,
    RiskModel,
    fit_loss,
    load_model,
    save_model,
)
from relimit.models.loss import loss_from_json
from relimit.models.serial import decode, encode

SETTINGS = LossSettings()


def bads(
    rows: int, *, seed: int = 0, known: float = 1.0
) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Bad rows that owe up to the whole limit, most of them most of it."""
    rng = np.random.default_rng(seed)
    limit = rng.integers(10_000, 2_000_000, rows).astype(float)
    freed = np.maximum(1, np.rint(limit * rng.beta(1.2, 3.0, rows)))
    loss = 0.8 * np.maximum(0.0, np.sqrt(rng.random(rows)) * limit - (limit - freed))
    X = pd.DataFrame({"noise": rng.normal(size=rows), "limit_amount": limit})
    X.loc[rng.random(rows) >= known, "limit_amount"] = np.nan
    return X, freed, loss


def fitted(rows: int, **how: object) -> object:
    X, freed, loss = bads(rows)
    return fit_loss(X, bad=np.ones(rows), freed=freed, loss=loss, **how)


def test_two_hundred_bads_tell_that_who_frees_little_loses_little_of_it() -> None:
    head = fitted(200)
    assert isinstance(head, CurveSeverity)
    limit, part = np.full(4, 1_000_000.0), np.array([0.1, 0.3, 0.6, 1.0])
    said = head.severity(np.column_stack([np.zeros(4), limit]), limit * part)
    owed = np.sqrt(np.linspace(0.0, 1.0, 10_001))[:, None]
    truth = 0.8 * np.maximum(0.0, owed - (1.0 - part)).mean(axis=0) / part
    np.testing.assert_allclose(said, truth, atol=0.1)
    assert said[3] > 4 * said[0]


def test_it_predicts_new_bads_better_than_what_there_was_before_it() -> None:
    X, freed, loss = bads(4_000, seed=9)

    def error(head: object) -> float:
        said = head.severity(X.to_numpy(), freed)
        return float(freed @ (said - loss / freed) ** 2)

    curve = fitted(400)
    before = fitted(400, settings=LossSettings(curve_bads=10_000))
    assert isinstance(curve, CurveSeverity)
    assert not isinstance(before, CurveSeverity)
    assert error(curve) < 0.9 * error(before)


def test_in_total_it_expects_what_the_constant_expects() -> None:
    X, freed, loss = bads(300)
    one = {"bad": np.ones(300), "freed": freed, "loss": loss}
    curve = fit_loss(X, **one)
    constant = fit_loss(X, **one, settings=LossSettings(curve_bads=1_000, min_bads=1_000))
    assert isinstance(curve, CurveSeverity)
    total = curve.severity(X.to_numpy(), freed) @ freed
    assert total == pytest.approx(constant.severity(X.to_numpy(), freed) @ freed)


def test_the_slope_is_that_of_the_penalised_likelihood() -> None:
    rng = np.random.default_rng(1)
    limit, freed = np.full(400, 1e6), np.repeat([1e5, 4e5], 200)
    ratio = rng.binomial(1, np.repeat([0.1, 0.5], 200)).astype(float)
    X = pd.DataFrame({"limit_amount": limit})
    head = fit_loss(X, bad=np.ones(400), freed=freed, loss=ratio * freed)
    assert isinstance(head, CurveSeverity)
    weight, log_part = freed / freed.mean(), np.log(freed / limit)

    def objective(level: np.ndarray, slope: float) -> np.ndarray:
        p = expit(np.add.outer(level, slope * log_part))
        return -(weight * (ratio * np.log(p) + (1 - ratio) * np.log1p(-p))).sum(1) + slope**2 / 2

    levels = np.linspace(-3.0, 4.0, 351)
    slopes = np.linspace(0.0, 3.0, 301)
    profile = [objective(levels, slope).min() for slope in slopes]
    assert head.slope == pytest.approx(slopes[int(np.argmin(profile))], abs=0.02)


def test_where_losses_do_not_rise_with_the_amount_nothing_falls() -> None:
    X, freed, _ = bads(300)
    loss = 0.5 * (1.0 - freed / X["limit_amount"]) * freed
    head = fit_loss(X, bad=np.ones(300), freed=freed, loss=loss)
    some = np.linspace(1.0, 1e6, 50)
    alike = np.column_stack([np.zeros(50), np.full(50, 1e6)])
    assert not isinstance(head, CurveSeverity) or head.slope == 0.0
    assert (np.diff(head.severity(alike, some)) >= 0.0).all()


@pytest.mark.parametrize("slope", [0.0, 0.4, 3.0])
def test_a_larger_amount_never_loses_less_nor_a_smaller_part(slope: float) -> None:
    head = CurveSeverity(("limit_amount",), -0.5, slope, 0.3, 99, SETTINGS)
    restored = np.concatenate([np.linspace(0.0, 1.5e6, 2_000), [1e9]])
    said = head.severity(np.full((len(restored), 1), 1e6), restored)
    assert ((said >= 0.0) & (said <= 1.0)).all()
    assert (np.diff(said) >= 0.0).all()
    assert (np.diff(said * restored) > 0.0).all()


def test_without_a_limit_it_says_what_the_constant_would() -> None:
    head = CurveSeverity(("x", "limit_amount"), 0.2, 1.0, 0.31, 99, SETTINGS)
    X = np.column_stack([np.zeros(3), [np.nan, 0.0, -5.0]])
    np.testing.assert_array_equal(head.severity(X, np.array([5.0, 7.0, 0.0])), 0.31)


def test_bads_without_a_limit_still_count_for_the_level() -> None:
    X, freed, loss = bads(400, known=0.5)
    head = fit_loss(X, bad=np.ones(400), freed=freed, loss=loss)
    assert isinstance(head, CurveSeverity)
    assert head.bads == X["limit_amount"].notna().sum()
    total = loss.sum() + 50 * 0.6 * freed.mean()
    assert head.unknown == pytest.approx(total / (freed.sum() + 50 * freed.mean()))


def test_too_few_bads_or_no_limit_leave_a_constant() -> None:
    assert isinstance(fitted(49), ConstantSeverity)
    X, freed, loss = bads(150)
    assert isinstance(
        fit_loss(X.drop(columns="limit_amount"), bad=np.ones(150), freed=freed, loss=loss),
        ConstantSeverity,
    )
    X["limit_amount"] = np.nan
    assert isinstance(fit_loss(X, bad=np.ones(150), freed=freed, loss=loss), ConstantSeverity)


@pytest.mark.parametrize("seed", [5, 6, 7])
def test_it_is_all_but_constant_where_the_amount_says_nothing_of_losses(seed: int) -> None:
    X, freed, _ = bads(150)
    loss = np.random.default_rng(seed).random(150) * freed
    head = fit_loss(X, bad=np.ones(150), freed=freed, loss=loss)
    said = head.severity(np.full((2, 2), 1e6), np.array([1e5, 1e6]))
    np.testing.assert_allclose(said, 0.53, atol=0.1)


def test_a_part_of_the_freed_limit_counts_as_the_part_that_was_restored() -> None:
    X, freed, loss = bads(200)
    whole = fit_loss(X, bad=np.ones(200), freed=freed, loss=loss)
    half = fit_loss(X, bad=np.ones(200), freed=freed * 2, loss=loss, share=np.full(200, 0.5))
    assert half == whole


def test_one_row_is_as_in_a_batch_to_the_last_bit() -> None:
    head = fitted(200)
    X, freed, _ = bads(501, seed=3, known=0.9)
    together = head.severity(X.to_numpy(), freed)
    alone = [head.severity(X.to_numpy()[i : i + 1], freed[i : i + 1])[0] for i in range(501)]
    np.testing.assert_array_equal(together, alone)


def test_it_reads_back_to_the_last_bit() -> None:
    head = fitted(200)
    stored = decode(encode(head.to_json()), "loss.json")
    assert loss_from_json(stored, {}, ("noise", "limit_amount"), "loss.json") == head


@pytest.mark.parametrize(
    "change",
    [{"slope": -0.1}, {"slope": None}, {"level": float("nan")}, {"unknown": 1.5}, {"bads": "few"}],
)
def test_a_curve_that_makes_no_sense_is_refused(change: dict[str, object]) -> None:
    stored = {**fitted(200).to_json(), **change}
    with pytest.raises(ModelError, match=r"loss\.json: not a loss head"):
        loss_from_json(stored, {}, ("noise", "limit_amount"), "loss.json")


def test_a_curve_over_features_without_a_limit_is_refused() -> None:
    with pytest.raises(ModelError, match="limit_amount"):
        loss_from_json(fitted(200).to_json(), {}, ("noise",), "loss.json")


def test_settings_of_older_artifacts_are_read() -> None:
    settings = {"loss_given_default": 0.8, "credit_conversion": 0.75}
    stored = {"kind": "constant", "value": 0.4, "bads": 7, "settings": settings}
    stored["settings"] |= {"min_bads": 200, "prior_bads": 50}
    assert loss_from_json(stored, {}, ("x",), "loss.json") == ConstantSeverity(0.4, 7, SETTINGS)


def test_a_model_saves_it_and_reads_the_limit_for_it(tmp_path) -> None:
    rng = np.random.default_rng(0)
    X, freed, loss = bads(1_000)
    bad = rng.random(1_000) < expit(2.0 * X["noise"] - 1.0)
    trees = BoostedTrees(max_trees=20, min_child_samples=20).fit(X[["noise"]], bad)
    assert trees.head_.columns == ("noise",)
    X = X[["limit_amount", "noise"]].assign(limit_amount=X["limit_amount"])
    # Trees that can see the limit, and have nothing to split on there.
    trees = BoostedTrees(max_trees=20, min_child_samples=20).fit(X.assign(limit_amount=1.0), bad)
    head = fit_loss(X[bad], bad=bad[bad], freed=freed[bad], loss=loss[bad])
    model = RiskModel.assemble(trees, calibration=NoCalibration(), loss=head, reference_rows=X)
    assert isinstance(head, CurveSeverity)
    assert model.reads == {"noise", "limit_amount"}
    names = ["limit_amount", "noise"]
    digest = save_model(model, tmp_path / "model", manifest={}, installed=names)
    again = load_model(tmp_path / "model", digest=digest, installed=names)
    np.testing.assert_array_equal(again.expected_loss(X, freed), model.expected_loss(X, freed))
    ratio = model.expected_loss(X, freed) / freed
    np.testing.assert_allclose(
        ratio, model.restoration_risk(X) * head.severity(X.to_numpy(), freed), rtol=1e-12
    )
