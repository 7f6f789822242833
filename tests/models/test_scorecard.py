import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from relimit.data.errors import ModelError
from relimit.models import RiskModel, Scorecard, save_model


@pytest.fixture(scope="module")
def table(make_table: Callable[..., pd.DataFrame]) -> pd.DataFrame:
    return make_table(3000, 5, arms=False)


@pytest.fixture(scope="module")
def card(table: pd.DataFrame, directions: dict[str, int]) -> Scorecard:
    return Scorecard(directions).fit(table.drop(columns="bad"), table["bad"])


def test_held_to_their_evidence_the_log_odds_are_sklearns_on_evidence_computed_by_pandas(
    table: pd.DataFrame, directions: dict[str, int]
) -> None:
    card = Scorecard(directions, step_penalty=1e9).fit(table.drop(columns="bad"), table["bad"])
    columns = card.points_table()["feature"].unique()
    prior = table["bad"].mean()
    design = {}
    for name in columns:
        bins = card.points_table().query("feature == @name")
        cuts = [-np.inf, *bins["upper"].iloc[:-2], np.inf]
        label = pd.cut(table[name], cuts).astype(str).fillna("missing")
        counts = table.groupby(label)["bad"].agg(["sum", "size"])
        odds = (counts["sum"] + 10 * prior) / (counts["size"] - counts["sum"] + 10 * (1 - prior))
        design[name] = label.map(np.log(odds * (1 - prior) / prior))
    X = pd.DataFrame(design)
    oracle = LogisticRegression(C=1.0, tol=1e-10, max_iter=5000).fit(X, table["bad"])
    np.testing.assert_allclose(card.log_odds(table), oracle.decision_function(X), rtol=0, atol=1e-4)


def test_the_points_of_the_table_add_up_to_the_score(table: pd.DataFrame, card: Scorecard) -> None:
    points = card.points_table()
    total = np.zeros(len(table))
    for _, bins in points.groupby("feature", sort=False):
        name = bins["feature"].iloc[0]
        for row in bins.itertuples():
            x = table[name]
            inside = x.isna() if row.bin == "missing" else (x > row.lower) & (x <= row.upper)
            total += np.where(inside, row.points, 0)
    features = points["feature"].nunique()
    assert np.abs(total - card.credit_score(table)).max() <= features / 2


def test_the_scale_is_as_stated() -> None:
    X = pd.DataFrame({"x": np.repeat([0.0, 1.0], 5000)})
    y = np.concatenate([np.arange(5000) < 100, np.arange(5000) < 1000])
    card = Scorecard(base_points=600, base_odds=50, points_to_double_odds=20, C=1e6)
    card.set_params(smoothing=1e-6, step_penalty=1e-6)
    score = card.fit(X, y).credit_score(X)[[0, -1]]
    # Goods to one bad: 49 and 4.
    by_hand = [600 + 20 * np.log2(49 / 50), 600 + 20 * np.log2(4 / 50)]
    np.testing.assert_allclose(score, by_hand, atol=0.01)


def test_useless_columns_are_left_out_and_said_why(table: pd.DataFrame) -> None:
    X = table.drop(columns="bad").assign(
        constant=3.0, empty=np.nan, twin=table["dpd"] * 2 + 1, ties=(table["free"] > 3) * 1.0
    )
    card = Scorecard().fit(X, table["bad"])
    on_card = set(card.points_table()["feature"])
    assert on_card.isdisjoint({"constant", "empty", "ties", "free"})
    assert len(on_card & {"dpd", "twin"}) == 1
    assert set(X) == on_card | set(card.dropped_)
    assert "moves with" in card.dropped_["twin"]
    assert card.dropped_["constant"] == "information value 0.0000"


def test_a_feature_whose_coefficient_contradicts_its_bins_is_dropped() -> None:
    # `echo` alone looks risky; beside its cause it is protective.
    rng = np.random.default_rng(0)
    cause = rng.normal(size=6000)
    echo = 0.7 * cause + rng.normal(size=6000)
    bad = rng.random(6000) < 1 / (1 + np.exp(1 - 2 * cause + 0.6 * echo))
    card = Scorecard(max_correlation=0.99).fit(pd.DataFrame({"cause": cause, "echo": echo}), bad)
    assert card.dropped_["echo"].startswith("coefficient -")
    assert (card.points_table()["coefficient"] >= 0).all()


def test_a_full_card_keeps_the_strongest() -> None:
    rng = np.random.default_rng(1)
    X = pd.DataFrame(rng.normal(size=(4000, 6)), columns=list("abcdef"))
    strength = np.array([0.2, 1.2, 0.3, 0.9, 0.4, 0.6])
    bad = rng.random(4000) < 1 / (1 + np.exp(2 - X.to_numpy() @ strength))
    card = Scorecard(max_features=3).fit(X, bad)
    assert set(card.points_table()["feature"]) == {"b", "d", "f"}


def test_missing_is_judged_by_its_own_outcomes() -> None:
    x = np.repeat([0.0, 1.0, np.nan], 1000)
    bad = np.concatenate([np.arange(1000) < n for n in (50, 100, 600)])
    X = pd.DataFrame({"x": x})
    risk = Scorecard({"x": 1}, smoothing=1e-6, C=1e6).fit(X, bad).predict_proba(X)[:, 1]
    np.testing.assert_allclose(risk[[0, 1000, 2000]], [0.05, 0.1, 0.6], atol=1e-3)


def test_missing_never_seen_is_neutral(table: pd.DataFrame, card: Scorecard) -> None:
    never = card.points_table().query("feature == 'dpd' and bin == 'missing'").iloc[0]
    assert never["row_share"] == 0
    assert never["weight_of_evidence"] == 0
    assert np.isnan(never["bad_rate"])


def test_weights_count_as_repetition(table: pd.DataFrame, directions: dict[str, int]) -> None:
    X, bad = table.drop(columns="bad"), table["bad"]
    times = np.random.default_rng(2).integers(1, 4, len(table))
    weighted = Scorecard(directions).fit(X, bad, sample_weight=times)
    repeated = Scorecard(directions).fit(
        X.loc[X.index.repeat(times)], bad.loc[bad.index.repeat(times)]
    )
    np.testing.assert_allclose(weighted.log_odds(X), repeated.log_odds(X), atol=1e-5)


def test_noise_alone_makes_no_card() -> None:
    X = pd.DataFrame({"constant": np.ones(200), "empty": np.nan})
    with pytest.raises(ModelError, match="no column of 2 tells bad from good in 200 rows, 50 bad"):
        Scorecard().fit(X, np.arange(200) < 50)


def test_a_count_without_a_direction_is_taken_where_few_went_bad() -> None:
    """Who never cycles is bad twice as often: 3 values hold less chance than 20 pre-bins."""
    cycles = np.repeat([0.0, 1.0, 2.0], [1200, 300, 300])
    bad = np.zeros(1800, bool)
    bad[:120] = bad[1200:1215] = bad[1500:1515] = True
    card = Scorecard({}).fit(pd.DataFrame({"cycles": cycles}), bad)
    risk = card.predict_proba(pd.DataFrame({"cycles": [0.0, 1.0, 2.0]}))[:, 1]
    assert risk[0] > 1.5 * risk[1]


@pytest.mark.parametrize(
    "setting",
    [
        {"smoothing": 0},
        {"max_bins": 1},
        {"min_bin_share": 0},
        {"C": 0},
        {"step_penalty": 0},
        {"base_odds": 0},
    ],
)
def test_settings_that_make_no_sense_are_refused(
    setting: dict[str, float], table: pd.DataFrame
) -> None:
    (name,) = setting
    with pytest.raises(ModelError, match=f"{name} is {setting[name]}"):
        Scorecard(**setting).fit(table[["dpd"]], table["bad"])


def test_the_table_can_be_read_by_a_banker(card: Scorecard) -> None:
    table = card.points_table()
    dpd = table[table["feature"] == "dpd"]
    assert dpd["bin"].iloc[0] == "up to 0"
    assert dpd["bin"].iloc[-1] == "missing"
    assert dpd["points"].is_monotonic_decreasing or dpd["points"].iloc[:-1].is_monotonic_decreasing
    assert table["points"].dtype == np.int64
    assert table.groupby("feature")["row_share"].sum().tolist() == pytest.approx(
        [1.0] * table["feature"].nunique()
    )
    counted = table.groupby("feature")[["rows", "bads"]].sum()
    assert (counted["rows"] == 3000).all()
    assert counted["bads"].nunique() == 1
    by_feature = table.groupby("feature")["information_value"].sum()
    assert by_feature.to_dict() == pytest.approx(
        {name: card.information_value_[name] for name in by_feature.index}
    )


def test_a_special_code_has_its_own_bin_in_fit_and_predict() -> None:
    x = np.repeat([0.0, 1.0, -99.0, np.nan], 1000)
    bad = np.concatenate([np.arange(1000) < n for n in (50, 100, 600, 300)])
    X = pd.DataFrame({"x": x})
    card = Scorecard({"x": 1}, special_codes={"x": [-99.0]}, smoothing=1e-6, C=1e6).fit(X, bad)
    risk = card.predict_proba(pd.DataFrame({"x": [-98.0, 0.0, 1.0, -99.0, np.nan]}))[:, 1]
    np.testing.assert_allclose(risk, [0.05, 0.05, 0.1, 0.6, 0.3], atol=1e-3)
    assert card.points_table()["bin"].tolist() == ["up to 0", "over 0", "code -99", "missing"]


BLOCKED = """
import sys
sys.modules["optbinning"] = sys.modules["ortools"] = None
import json
import numpy as np
from relimit.data.errors import ModelError
from relimit.models import Scorecard, load_model
folder, rows = sys.argv[1], np.array(json.loads(sys.argv[2]))
installed = dict.fromkeys(["dpd", "score", "count", "free"], "")
print(json.dumps(load_model(folder, installed=installed).restoration_risk(rows).tolist()))
try:
    Scorecard().fit(rows, [0, 1])
except ModelError as error:
    print(error)
"""


def test_a_scoring_host_needs_no_optbinning_and_a_training_host_is_told_so(
    make_model: Callable[..., RiskModel], tmp_path: Path
) -> None:
    model = make_model("scorecard")
    installed = dict.fromkeys(model.feature_names, "")
    save_model(model, tmp_path / "card", manifest={}, installed=installed)
    rows = [[0.0, 600.0, 2.0, 0.1], [30.0, 500.0, 4.0, -1.0]]
    command = [sys.executable, "-c", BLOCKED, str(tmp_path / "card"), str(rows)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    risk, refusal = done.stdout.splitlines()
    assert risk == str(model.restoration_risk(np.array(rows)).tolist())
    assert "optbinning, which is not installed" in refusal
    assert "pip install 'relimit[scorecard]'" in refusal
