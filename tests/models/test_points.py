"""What a card's points say of the risk that is used, whatever the calibration."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from relimit.data.errors import ModelError
from relimit.models import (
    Beta,
    Calibration,
    Level,
    NoCalibration,
    Platt,
    RiskModel,
    Scorecard,
    assumed_loss,
    load_model,
    save_model,
)

X_COLUMNS = ["dpd", "score", "count", "free"]


@pytest.fixture(scope="module")
def table(make_table: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return make_table(3000, 5, arms=False)


@pytest.fixture(scope="module")
def card(table: pd.DataFrame, directions: dict[str, int]) -> Scorecard:
    return Scorecard(directions).fit(table.drop(columns="bad"), table["bad"])


def assemble(card: Scorecard, calibration: Calibration, table: pd.DataFrame) -> RiskModel:
    return RiskModel.assemble(
        card, calibration=calibration, loss=assumed_loss(), reference_rows=table
    )


LINES = [NoCalibration(), Level(0.7), Platt(0.6, -0.4), Platt(0.0, -2.0)]


@pytest.mark.parametrize("calibration", LINES, ids=str)
def test_600_points_are_50_goods_to_one_bad_at_the_risk_that_is_used(
    calibration: Calibration, card: Scorecard, table: pd.DataFrame
) -> None:
    model = assemble(card, calibration, table)
    risk = model.restoration_risk(table)
    np.testing.assert_allclose(risk, calibration.apply(card.log_odds(table)), rtol=1e-12)
    score = model.head.credit_score(table[X_COLUMNS].to_numpy())
    odds = (1.0 - risk) / risk
    np.testing.assert_allclose(score, 600 + 20 * np.log2(odds / 50), rtol=1e-9)
    scale = model.points_scale()
    np.testing.assert_allclose(scale["odds"], scale["stated_odds"], rtol=1e-9)
    assert scale.loc[scale["points"] == 600.0, "stated_odds"].tolist() == [50.0]


@pytest.mark.parametrize("calibration", LINES, ids=str)
def test_the_points_of_the_table_add_up_to_the_calibrated_score(
    calibration: Calibration, card: Scorecard, table: pd.DataFrame
) -> None:
    model = assemble(card, calibration, table)
    points = model.head.points_table()
    risk = model.restoration_risk(table)
    total = np.zeros(len(table))
    for name, bins in points.groupby("feature"):
        for row in bins.itertuples():
            x = table[name]
            inside = x.isna() if row.bin == "missing" else (x > row.lower) & (x <= row.upper)
            total += np.where(inside, row.points, 0)
    by_risk = 600 + 20 * np.log2((1.0 - risk) / risk / 50)
    assert np.abs(total - by_risk).max() <= points["feature"].nunique() / 2 + 1e-6


def test_a_calibration_that_is_no_line_stays_beside_the_card_and_its_odds_are_stated(
    card: Scorecard, table: pd.DataFrame
) -> None:
    calibration = Beta(1.4, 0.5, 0.3)
    model = assemble(card, calibration, table)
    assert model.calibration == calibration
    scale = model.points_scale()
    log_odds = -np.log(scale["stated_odds"].to_numpy())
    np.testing.assert_allclose(scale["risk"], calibration.apply(log_odds), rtol=1e-9)
    np.testing.assert_allclose(scale["odds"], 1 / scale["risk"] - 1, rtol=1e-9)
    assert (np.abs(scale["odds"] / scale["stated_odds"] - 1) > 0.05).any()
    assert scale["risk"].is_monotonic_decreasing


def test_trees_have_no_points(make_model: Callable[..., RiskModel]) -> None:
    assert make_model("lightgbm", arms=False, losses=False).points_scale() is None


def test_special_codes_come_back_from_the_artifact(tmp_path: Path) -> None:
    x = np.repeat([0.0, 1.0, -99.0, -98.0, np.nan], 1000)
    bad = np.concatenate([np.arange(1000) < n for n in (50, 100, 600, 10, 300)])
    X = pd.DataFrame({"x": x})
    card = Scorecard({"x": 1}, special_codes={"x": [-99.0, -98.0]}).fit(X, bad)
    model = assemble(card, Level(0.2), X)
    installed = {"x": ""}
    save_model(model, tmp_path / "card", manifest={}, installed=installed)
    again = load_model(tmp_path / "card", installed=installed)
    asked = pd.DataFrame({"x": [-99.0, -98.0, 0.0, 1.0, np.nan, -97.0]})
    risk = model.restoration_risk(asked)
    np.testing.assert_array_equal(again.restoration_risk(asked), risk)
    assert risk.argmax() == 0
    assert risk.argmin() == 1
    assert risk[5] == risk[2]  # no code: an ordinary low value
    bins = again.head.points_table()["bin"].tolist()
    assert bins == ["up to 0", "over 0", "code -99", "code -98", "missing"]


def test_codes_of_a_column_that_is_absent_are_refused(table: pd.DataFrame) -> None:
    card = Scorecard(special_codes={"dpt": [-9.0]})
    with pytest.raises(ModelError, match="special codes for columns that are absent: dpt"):
        card.fit(table.drop(columns="bad"), table["bad"])
