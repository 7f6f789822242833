from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from relimit.data.errors import ModelError
from relimit.data.vocabulary import ARMS, FULL_ARM
from relimit.models import RiskModel, assumed_loss

Make = Callable[..., RiskModel]


def sweep(model: RiskModel, X: np.ndarray, place: int) -> np.ndarray:
    """Risk by arm as one feature takes every value seen and those beside: [values, n, 25]."""
    seen = np.unique(X[~np.isnan(X[:, place]), place])
    values = np.unique(np.concatenate([seen[:: max(len(seen) // 60, 1)], seen + 1e-9]))
    out = []
    for value in values:
        moved = X.copy()
        moved[:, place] = value
        out.append(model.risk_by_arm(moved))
    return np.array(out)


def test_risk_moves_only_in_the_stated_direction(
    model: RiskModel, directions: dict[str, int], rows: np.ndarray
) -> None:
    for name, direction in directions.items():
        risk = sweep(model, rows[:40], model.feature_names.index(name))
        assert (np.diff(risk, axis=0) * direction >= 0).all(), name
        assert np.ptp(risk, axis=0).max() > 0.01, name


def test_restoring_more_or_sooner_never_lowers_risk(model: RiskModel, rows: np.ndarray) -> None:
    risk = model.risk_by_arm(rows).reshape(len(rows), 5, 5)
    assert (np.diff(risk, axis=1) >= 0).all()
    assert (np.diff(risk, axis=2) <= 0).all()
    assert np.ptp(risk.mean(axis=0), axis=0).max() > 0.02
    assert np.ptp(risk.mean(axis=0), axis=1).max() > 0.02


def test_restoration_risk_is_the_full_arm(model: RiskModel, rows: np.ndarray) -> None:
    by_arm = model.risk_by_arm(rows)
    assert by_arm.shape == (len(rows), 25)
    np.testing.assert_array_equal(by_arm[:, ARMS.index(FULL_ARM)], model.restoration_risk(rows))


def test_the_arms_are_the_expanded_columns(model: RiskModel, rows: np.ndarray) -> None:
    columns = np.hstack([np.repeat(rows[:30], 25, axis=0), np.tile(ARMS, (30, 1))])
    expanded = model.calibration.apply(model.head.log_odds(columns))
    np.testing.assert_array_equal(expanded.reshape(30, 25), model.risk_by_arm(rows[:30]))


def test_without_arm_columns_every_arm_has_the_same_risk(
    family: str, make_model: Make, rows: np.ndarray
) -> None:
    model = make_model(family, arms=False, losses=False)
    assert not model.has_arms
    risk = model.risk_by_arm(rows)
    np.testing.assert_array_equal(risk, np.repeat(model.restoration_risk(rows)[:, None], 25, 1))


def test_a_row_scores_to_the_last_bit_as_in_a_batch(
    family: str, make_table: Callable[..., pd.DataFrame], features: list[str], make_model: Make
) -> None:
    model = make_model(family)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(1000, 4)) * [20, 80, 5, 2] + [5, 600, 3, 0]
    X[rng.random(X.shape) < 0.2] = np.nan
    freed = rng.integers(0, 10**9, 1000)
    layouts = [
        np.asfortranarray(X),
        np.repeat(X, 2, axis=1)[:, ::2],
        pd.DataFrame(X, columns=features),
    ]
    answers = {
        "risk": model.restoration_risk(X),
        "arms": model.risk_by_arm(X),
        "loss": model.expected_loss(X, freed),
        "parts": model.contributions(X),
    }
    for other in layouts:
        np.testing.assert_array_equal(model.restoration_risk(other), answers["risk"])
        np.testing.assert_array_equal(model.contributions(other), answers["parts"])
    for rows in ([0], [17], [3, 500, 999], list(range(100, 350))):
        np.testing.assert_array_equal(model.restoration_risk(X[rows]), answers["risk"][rows])
        np.testing.assert_array_equal(model.risk_by_arm(X[rows]), answers["arms"][rows])
        np.testing.assert_array_equal(
            model.expected_loss(X[rows], freed[rows]), answers["loss"][rows]
        )
        np.testing.assert_array_equal(model.contributions(X[rows]), answers["parts"][rows])


def test_every_row_alone_scores_as_in_the_batch(model: RiskModel, rows: np.ndarray) -> None:
    batch = model.restoration_risk(rows)
    alone = [model.restoration_risk(row[None])[0] for row in rows]
    np.testing.assert_array_equal(alone, batch)


def test_contributions_explain_differences_between_rows(model: RiskModel, rows: np.ndarray) -> None:
    parts = model.contributions(rows)
    assert parts.shape == rows.shape
    rest = model.log_odds(rows) - parts.sum(axis=1)
    # What is left is the base, and the arm's part, which in trees depends on the row.
    assert np.ptp(rest) < (1e-9 if model.family == "scorecard" else 1.0)
    more = model.contributions(np.where(np.arange(4) == 0, 30.0, rows))[:, 0]
    less = model.contributions(np.where(np.arange(4) == 0, 0.0, rows))[:, 0]
    assert (more > less).all()


def test_expected_loss_is_risk_times_severity_times_freed(
    model: RiskModel, rows: np.ndarray
) -> None:
    freed = np.full(len(rows), 50_000)
    loss = model.expected_loss(rows, freed)
    share = loss / (model.restoration_risk(rows) * freed)
    np.testing.assert_allclose(share, model.loss.severity(rows, freed))
    assert np.ptp(share) > 0.1
    np.testing.assert_array_equal(model.expected_loss(rows, freed * 0), 0.0)


def test_risk_is_calibrated_on_new_rows(
    model: RiskModel, make_table: Callable[..., pd.DataFrame], features: list[str]
) -> None:
    new = make_table(8000, 55)
    arms = new[["restored_share", "delay_days"]].to_numpy()
    by_arm = model.risk_by_arm(new[features])
    place = [ARMS.index((share, int(delay))) for share, delay in arms]
    own = by_arm[np.arange(len(new)), place]
    assert own.mean() == pytest.approx(new["bad"].mean(), abs=0.02)


def test_the_reference_describes_the_training_rows(model: RiskModel) -> None:
    assert model.reference.rows == 3000
    assert tuple(model.reference.features) == model.feature_names
    assert sum(model.reference.risk.shares) == pytest.approx(1.0)


def test_a_loss_head_over_other_columns_is_refused(
    make_model: Make, make_estimator: Callable[..., object], make_table: Callable[..., pd.DataFrame]
) -> None:
    model = make_model("scorecard")
    table = make_table(1000, 3)[["free", "dpd", "score", "count", "bad"]]
    estimator = make_estimator("scorecard").fit(table.drop(columns="bad"), table["bad"])
    with pytest.raises(ModelError, match="the loss head reads 4 columns"):
        RiskModel.assemble(
            estimator, calibration=model.calibration, loss=model.loss, reference_rows=table
        )
    RiskModel.assemble(
        estimator, calibration=model.calibration, loss=assumed_loss(), reference_rows=table
    )


def test_an_absent_feature_is_named(model: RiskModel, rows: np.ndarray) -> None:
    with pytest.raises(ModelError, match="1 of 4 columns are absent: score"):
        model.restoration_risk(pd.DataFrame(rows[:, [0, 2, 3]], columns=["dpd", "count", "free"]))


def test_bounds_are_the_risk_where_an_arm_was_tried(model: RiskModel, rows: np.ndarray) -> None:
    risk = model.risk_by_arm(rows)
    low, high = model.risk_bounds_by_arm(rows)
    for arm in ((0.5, 7), (1.0, 0)):
        place = ARMS.index(arm)
        np.testing.assert_array_equal(low[:, place], risk[:, place])
        np.testing.assert_array_equal(high[:, place], risk[:, place])
    assert ((low <= risk) & (risk <= high)).all()
    assert (low[:, ARMS.index((0.25, 0))] == 0.0).all()


def test_without_arms_rows_count_as_restored_in_full(
    make_model: Callable[..., RiskModel], rows: np.ndarray
) -> None:
    model = make_model("scorecard", arms=False)
    low, high = model.risk_bounds_by_arm(rows)
    full = model.restoration_risk(rows)
    np.testing.assert_array_equal(low[:, ARMS.index((1.0, 0))], full)
    np.testing.assert_array_equal(high, np.tile(full[:, None], 25))
    assert (np.delete(low, ARMS.index((1.0, 0)), axis=1) == 0.0).all()
