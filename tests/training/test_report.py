"""The validation report of a version trained on the small book, read back as a person would."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from sklearn.metrics import brier_score_loss, roc_auc_score

from relimit.data.schema import TIME
from relimit.data.vocabulary import BAD_HORIZON_DAYS
from relimit.features import compute_features
from relimit.models import load_model
from relimit.training.document import show
from relimit.training.labelled import read_labelled
from relimit.training.logged_risk import logged_risk
from relimit.training.propensity import weigh_decisions
from relimit.training.registry import resolve_model
from relimit.training.run import train
from relimit.training.splits import split_observations, unseen_rows
from relimit.training.tracking import open_client

RANKED = "Ranking, with 95% limits by account: AUC and Gini DeLong's, the others resampled"
TRUTH = "Truth of the risk, with 95% limits by account"
FILES = ("validation_report.html", "model_card.md", "model_card.html")


class Page(HTMLParser):
    """Headings, notices, and tables by caption with their rows of cells."""

    def __init__(self, text: str):
        super().__init__()
        self.headings, self.notices, self.tables, self.loaded = [], [], {}, []
        self._tag, self._table = "", ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        given = dict(attrs)
        self._tag = "notice" if given.get("class") == "notice" else tag
        self.loaded += [v for k, v in attrs if k in ("src", "href")]
        if tag == "tr":
            self.tables[self._table].append([])

    def handle_endtag(self, tag):
        self._tag = ""

    def handle_data(self, data):
        if self._tag == "h2":
            self.headings.append(data)
        if self._tag == "notice":
            self.notices.append(data)
        if self._tag == "caption":
            self._table = data
            self.tables[data] = []
        if self._tag in ("td", "th"):
            self.tables[self._table][-1].append(data)

    def column(self, caption, place=1):
        return {row[0]: row[place] for row in self.tables[caption] if len(row) > place}


@pytest.fixture(scope="module")
def trained(history, decided, tracking_uri, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    account = np.arange(400)
    accounts = pa.table(
        {"account_id": account, "sex": np.where(history[1] > 0, "m", "f"), "region": ["<b>"] * 400}
    )
    result = train(
        history[0], decided, "lightgbm", name="a&b", tracking_uri=tracking_uri, workers=1,
        accounts=accounts, backtest_months=1, report_out=folder,
    )  # fmt: skip
    return result, folder


@pytest.fixture(scope="module")
def page(trained):
    return Page((trained[1] / FILES[0]).read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def tested(trained, history, decided, tracking_uri):
    """The test rows scored anew from the registered artifact."""
    model = load_model(resolve_model(trained[0].model_uri, tracking_uri)[0])
    labelled, matured = read_labelled(decided)
    keep = unseen_rows(model.manifest["split"], labelled.account_id, labelled.as_of)
    points = matured.filter(pa.array(keep)).select(["account_id", "as_of"])
    X = compute_features(history[0], points, names=model.feature_names)
    rows = labelled.take(keep)
    return rows, logged_risk(model, X, rows)


def test_the_run_holds_what_was_written(trained, tracking_uri, tmp_path):
    result, folder = trained
    client = open_client(tracking_uri)
    for name in FILES:
        held = client.download_artifacts(result.run_id, name, str(tmp_path))
        assert Path(held).read_bytes() == (folder / name).read_bytes()


def test_every_table_is_recorded_as_data_that_mlflow_can_lay_side_by_side(
    trained, page, tracking_uri, tmp_path
):
    result, folder = trained
    client = open_client(tracking_uri)
    marked = json.loads(client.get_run(result.run_id).data.tags["mlflow.loggedArtifacts"])
    assert {item["type"] for item in marked} == {"table"}
    assert len(marked) == len(page.tables)
    held = {}
    for name in (item["path"] for item in marked):
        held[name] = Path(client.download_artifacts(result.run_id, name, str(tmp_path)))
    for name, path in held.items():
        assert path.read_bytes() == (folder / name).read_bytes()
    ranking = pd.DataFrame(
        **json.loads(held["tables/discrimination-ranking.json"].read_text())
    ).set_index("")
    assert ranking.loc["auc", "naive"] == pytest.approx(result.metrics["auc"])
    assert ranking.loc["ks", "naive low"] == pytest.approx(result.metrics["ks_low"])
    assert ranking.loc["auc", "explored high"] == pytest.approx(result.metrics["explored_auc_high"])
    months = json.loads(
        held["tables/calibration-observed_over_expected_bads_by_month.json"].read_text()
    )
    shown = page.tables["Observed over expected bads by month"][1:]
    assert [row[:3] for row in months["data"]] == [[r[0], int(r[1]), int(r[2])] for r in shown]


def test_every_section_is_there_and_nothing_is_loaded_from_elsewhere(page):
    assert page.headings == [
        "Summary",
        "What was trained, and on what",
        "Discrimination",
        "Calibration",
        "Expected loss",
        "Stability",
        "Gains and loss capture",
        "Feature importance",
        "Dependence and directions",
        "Sensitivity to feature families",
        "Selective labels",
        "Fairness",
        "Walk-forward back-test",
    ]
    assert len(page.loaded) >= 7
    assert all(source.startswith("data:image/png;base64,") for source in page.loaded)


def test_its_figures_are_those_of_the_registered_model(page, tested):
    rows, risk = tested
    ranking = page.column(RANKED)
    assert ranking["auc"].startswith(show(roc_auc_score(rows.bad, risk)))
    assert ranking["bads"] == str(rows.bad.sum())
    truth = page.column(TRUTH)
    assert truth["brier"].startswith(show(float(brier_score_loss(rows.bad, risk))) + " (")
    limited = [*list(ranking.values())[3:], *list(truth.values())[3:-1]]
    assert len(limited) == 10
    assert all(" to " in figure for figure in limited)
    by_month = page.tables["Observed over expected bads by month"][1:]
    assert sum(int(row[1]) for row in by_month) == len(rows.bad)
    assert sum(int(row[2]) for row in by_month) == rows.bad.sum()


def test_three_views_stand_side_by_side(page, tested):
    head = page.tables[TRUTH][0]
    assert head == ["naive", "weighted", "explored"]
    rows = tested[0]
    explored = page.column(TRUTH, 3)
    assert explored["rows"] == str((rows.propensity < 0.5).sum())
    assert len({page.column(TRUTH, n)["brier"] for n in (1, 2, 3)}) == 3


def number(cell):
    """A cell's value, without its limits."""
    return float(cell.split(" (")[0].replace(",", ""))


@pytest.fixture(scope="module")
def views(tested, decided):
    """The test rows as a frame for each view: risk, outcome, loss, weight."""
    rows, risk = tested
    labelled, _ = read_labelled(decided)
    split = split_observations(
        labelled.account_id, labelled.as_of, labelled.bad, horizon_days=BAD_HORIZON_DAYS
    )
    nothing = np.zeros((len(labelled), 1))
    found = weigh_decisions(nothing, labelled.arms, labelled.propensity, learn=split.fit)
    frame = pd.DataFrame({"risk": risk, "bad": rows.bad * 1.0, "loss": rows.loss, "w": 1.0})
    frame["month"] = pd.to_datetime(rows.as_of, unit="us").tz_localize("UTC")
    frame["month"] = frame["month"].dt.tz_convert("Asia/Shanghai").dt.strftime("%Y-%m")
    frame["arm"] = np.where(rows.share == 1.0, "100% after 00 days", "050% after 07 days")
    weighted = frame.assign(w=found.weight[split.test])
    assert weighted["w"].nunique() > 10
    return {"naive": frame, "weighted": weighted, "explored": frame[rows.propensity < 0.5]}


@pytest.mark.parametrize(("by", "name"), [("month", "month"), ("arm", "arm taken")])
def test_observed_over_expected_stands_in_three_views_as_pandas_counts_it(page, views, by, name):
    caption = f"Observed over expected bads by {name}"
    assert page.tables[caption][0][-3:] == [f"observed/expected, {view}" for view in views]
    for place, frame in enumerate(views.values(), 5):
        sums = pd.DataFrame(
            {"bad": frame["bad"] * frame["w"], "risk": frame["risk"] * frame["w"]}
        ).groupby(frame[by]).sum()  # fmt: skip
        ratios = (sums["bad"] / sums["risk"]).to_dict()
        shown = page.column(caption, place)
        assert {key: number(shown[key]) for key in ratios} == pytest.approx(ratios, abs=6e-5)
        assert {key for key, cell in shown.items() if "(" in cell and key} == set(ratios)


def test_gains_stand_in_three_views_as_pandas_counts_them(page, views):
    caption = "Tenths of each view's rows, the riskiest first; captured shares add up"
    table = pd.DataFrame(page.tables[caption][1:], columns=page.tables[caption][0])
    for view, frame in views.items():
        band = pd.qcut(-frame["risk"], 10, labels=False, duplicates="drop")
        lost, bads = frame["loss"] * frame["w"], frame["bad"] * frame["w"]
        sums = pd.DataFrame({"bads": bads, "loss": lost, "w": frame["w"]}).groupby(band).sum()
        for column, share in {
            "bads captured": (sums["bads"] / sums["bads"].sum()).cumsum(),
            "loss captured": (sums["loss"] / sums["loss"].sum()).cumsum(),
            "lift": sums["bads"] / sums["w"] / (sums["bads"].sum() / sums["w"].sum()),
        }.items():
            shown = table[f"{column}, {view}"].map(number)
            np.testing.assert_allclose(shown, share, atol=6e-5)


@pytest.fixture(scope="module")
def expected(tested, views, trained, history, decided, tracking_uri):
    """What the registered artifact expects to lose at the arm taken, fen."""
    rows, risk = tested
    model = load_model(resolve_model(trained[0].model_uri, tracking_uri)[0])
    points = pa.table({"account_id": rows.account_id, "as_of": pa.array(rows.as_of, TIME)})
    X = compute_features(history[0], points, names=model.feature_names)
    return risk / model.restoration_risk(X) * model.expected_loss(X, rows.freed * rows.share)


def test_losses_over_expected_ones_stand_in_three_views_as_pandas_counts_them(
    page, views, expected, trained
):
    caption = "Loss observed over expected"
    tenth = pd.qcut(expected, 10, labels=False, duplicates="drop") + 1
    groups = {
        caption: np.full(len(expected), "all rows"),
        f"{caption} by month": views["naive"]["month"],
        f"{caption} by tenth of expected loss": pd.Series(tenth).map("{:02d}".format),
    }
    for title, group in groups.items():
        for place, frame in enumerate(views.values(), 4):
            lost = pd.DataFrame({"was": frame["loss"] * frame["w"]})
            lost["expected"] = expected[frame.index] * frame["w"]
            sums = lost.groupby(np.asarray(group)[frame.index]).sum()
            shown = {key: number(page.column(title, place)[key]) for key in sums.index}
            assert shown == pytest.approx((sums["was"] / sums["expected"]).to_dict(), abs=6e-5)
    row = page.tables[caption][1]
    assert number(row[2]) == pytest.approx(views["naive"]["loss"].sum() / 100, abs=1)
    assert number(row[3]) == pytest.approx(expected.sum() / 100, abs=1)
    # One figure has one pair of limits, in the report and beside the version.
    said = trained[0].metrics
    value, low, high = (said[f"loss_observed_expected{end}"] for end in ("", "_low", "_high"))
    assert row[4] == f"{value:.4f} ({low:.4f} to {high:.4f})"
    assert low < value < high


def test_the_calibrations_tried_are_listed_with_the_one_taken(page, trained, tracking_uri):
    model = load_model(resolve_model(trained[0].model_uri, tracking_uri)[0])
    caption = next(name for name in page.tables if name.startswith("Calibrations tried"))
    shown = {row[0]: number(row[1]) for row in page.tables[caption][1:]}
    assert shown == pytest.approx(model.manifest["calibration_log_loss"], abs=6e-5)
    assert set(shown) == {"none", "level", "platt", "beta", "isotonic"}
    taken = [row[0] for row in page.tables[caption][1:] if len(row) == 3]
    kinds = {"level": "platt"}
    assert [kinds.get(name, name) for name in taken] == [model.calibration.kind]


def test_stability_stands_in_three_views(page):
    table = page.tables["Test slice against the rows fitted on"]
    head = ["index", "noise", "verdict"]
    assert table[0][:9] == [
        f"{x}, {view}" for view in ("naive", "weighted", "explored") for x in head
    ]
    noise = [number(next(row for row in table if row[0] == "risk")[place]) for place in (2, 5, 8)]
    assert noise == sorted(noise)


def test_few_bads_and_arms_never_tried_are_said_aloud(page, tested):
    bads = tested[0].bad.sum()
    assert bads < 500
    assert any(f"{bads} bads, fewer than 500" in notice for notice in page.notices)
    assert any("never tried 23 of the 25 arms" in notice for notice in page.notices)
    arms = page.column("Arms that the log holds", 1)
    assert arms["100% after 0 days"] != "0"
    assert arms["75% after 0 days"] == "0"
    low, high = (page.column("Arms that the log holds", place) for place in (4, 5))
    for arm in ("100% after 0 days", "50% after 7 days"):
        assert low[arm] == high[arm] != "–"
    assert low["75% after 0 days"] == low["50% after 7 days"]
    assert high["75% after 0 days"] == high["100% after 0 days"]


def test_hidden_selection_is_judged_and_its_ranges_widen_around_the_known_risk(page):
    ranges = page.tables["Mean restoration risk, by hidden selection"][1:]
    assert float(ranges[0][0]) == 1.0
    lows, highs = ([float(row[place]) for row in ranges] for place in (1, 2))
    assert lows == sorted(lows, reverse=True)
    assert highs == sorted(highs)
    assert lows[0] <= highs[0] < highs[-1]


def test_the_arms_effect_stands_in_report_card_metrics_and_manifest(trained, tracking_uri):
    result, folder = trained
    model = load_model(resolve_model(result.model_uri, tracking_uri)[0])
    kept, metrics = model.manifest["arm_effect"], result.metrics
    assert kept["used"] == metrics["arm_effect_used"] > 0.0
    assert [kept["estimate"][name] for name in ("low", "value", "high")] == [
        metrics[f"arm_effect{suffix}"] for suffix in ("_low", "", "_high")
    ]
    wanted = f"moves the log-odds of bad by {metrics['arm_effect']:+.2f} (95% interval "
    taken = f"The model takes {metrics['arm_effect_used']:+.2f}:"
    for name in FILES:
        text = (folder / name).read_text(encoding="utf-8")
        assert wanted in text
        assert taken in text


def test_directions_hold_and_families_and_drift_are_listed(page):
    caption = "Constrained features: Spearman's correlation of value and contribution, and sweep"
    swept = page.tables[caption][1:]
    assert len(swept) > 10
    assert {row[5] for row in swept} == {"0"}
    assert [row[:2] for row in swept[-2:]] == [["restored_share", "rises"], ["delay_days", "falls"]]
    assert [int(row[3]) for row in swept[-2:]] == [20 * 20, 20 * 20]
    assert all(int(row[4]) > 0 for row in swept[-2:])
    families = page.tables["Without what the family tells"]
    assert len(families) > 8
    assert all(np.isfinite([number(cell) for cell in row[1:]]).all() for row in families[1:])
    assert len(families[0]) == 6
    assert len(page.tables["Test slice against the rows fitted on"]) > 100


def test_fairness_names_the_groups_and_escapes_them(page, trained):
    rows = [row[:3] for row in page.tables["By audit column"][1:]]
    assert [row[:2] for row in rows] == [["sex", "f"], ["sex", "m"], ["region", "<b>"]]
    head = page.tables["By audit column"][0]
    assert head[-2:] == ["days gap", "days difference"]
    assert page.tables["By audit column"][1][-1] != "–"
    assert "<b>" not in (trained[1] / FILES[0]).read_text(encoding="utf-8")
    text = (trained[1] / FILES[1]).read_text(encoding="utf-8")
    assert text.startswith("# Model card: a&b (lightgbm)")
    assert "Intended use" in text
    assert "only for the arms that an older policy took" in text
    card = Page((trained[1] / FILES[2]).read_text(encoding="utf-8"))
    performance = "On rows that it has not learnt from, with 95% limits by account"
    assert card.tables[performance][0] == ["naive", "weighted", "explored"]
    assert card.column(performance)["auc"] == page.column(RANKED)["auc"]
    assert card.column(performance, 2)["ece"] == page.column(TRUTH, 2)["ece"]


def test_what_is_not_known_is_not_reported(history, observations, tracking_uri, tmp_path):
    result = train(
        history[0], observations, "scorecard", tracking_uri=tracking_uri, workers=1,
        report_out=tmp_path,
    )  # fmt: skip
    page = Page((tmp_path / FILES[0]).read_text(encoding="utf-8"))
    assert page.tables[TRUTH][0] == ["naive"]
    assert "Loss observed over expected" not in page.tables
    model = load_model(resolve_model(result.model_uri, tracking_uri)[0])
    card = model.head.points_table()
    worth = page.tables["What a score stands for, calibrated"][1:]
    scale = model.points_scale()
    assert [float(row[0]) for row in worth] == scale["points"].tolist()
    np.testing.assert_allclose([float(row[2]) for row in worth], scale["risk"], atol=6e-5)
    shown = page.tables["Points by bin"][1:]
    assert [row[:2] for row in shown] == card[["feature", "bin"]].to_numpy().tolist()
    assert [int(row[-1]) for row in shown] == card["points"].tolist()
    about = page.column("Data and model")
    varying = int(about["features that vary in the rows fitted on"])
    assert 0 < varying < int(about["features"])
    written = (tmp_path / "model_card.md").read_text(encoding="utf-8")
    assert "an older policy took" not in written
    features = page.tables["Points by bin"]
    assert features[0] == [
        "feature", "bin", "rows", "bads", "row share", "bad rate", "weight of evidence",
        "information value", "points",
    ]  # fmt: skip
    assert "Walk-forward back-test" not in page.headings
    assert not {"By audit column", "Weights", "Arms that the log holds"} & set(page.tables)
