"""Comparison of two versions trained on one small book: figures, money, page and run."""

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve

from relimit.data.errors import DataError, ModelError
from relimit.features import compute_features
from relimit.models import RiskModel, load_model
from relimit.policy import load_policy
from relimit.training.compare import _describe, compare
from relimit.training.comparison import record_comparison, write_comparison
from relimit.training.labelled import read_labelled
from relimit.training.logged_risk import logged_risk
from relimit.training.registry import resolve_model
from relimit.training.splits import unseen_rows
from relimit.training.tracking import open_client


def load(result, versions_uri) -> RiskModel:
    folder, digest = resolve_model(result.model_uri, versions_uri)
    return load_model(folder, digest=digest)


@pytest.fixture(scope="module")
def compared(versions, history, decided, versions_uri):
    models = [load(version, versions_uri) for version in versions]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("relimit.training.evidence.ENOUGH_BADS", 100)
        return compare(*models, history[0], decided, load_policy())


def test_the_model_that_sees_more_is_found_better(compared, versions):
    assert compared.verdict == "a better"
    assert compared.delta["auc"] < 0 < compared.delta["log_loss"]
    assert compared.a["auc"] == pytest.approx(versions[0].metrics["auc"])
    assert compared.b["auc"] == pytest.approx(versions[1].metrics["auc"])
    assert compared.intervals["auc"].low <= compared.delta["auc"] <= compared.intervals["auc"].high


def test_only_rows_that_neither_learnt_from_are_compared(compared, versions, decided, versions_uri):
    split = load(versions[0], versions_uri).manifest["split"]
    matured = decided.filter(decided["bad"].is_valid())
    as_of = matured["as_of"].cast("int64").to_numpy()
    unseen = unseen_rows(split, matured["account_id"].to_numpy(), as_of)
    assert compared.a["rows"] == unseen.sum() < matured.num_rows
    assert compared.rows.startswith(f"{unseen.sum():,} of {matured.num_rows:,} matured rows")


def test_money_adds_up_under_either_model(compared):
    rows = compared.a["rows"]
    for side in (compared.a, compared.b):
        parts = ("restored_now_yuan", "restored_later_yuan", "withheld_yuan")
        assert sum(side[name] for name in parts) == pytest.approx(side["freed_yuan"])
        assert side["freed_yuan"] == pytest.approx(rows * 500)
        assert 0 < side["expected_loss_yuan"] < side["freed_yuan"]
    swap = compared.swap_sets
    assert swap["b_restores_more"] + swap["b_restores_less"] + swap["same"] == rows
    moved = swap["b_restores_more_yuan"] - swap["b_restores_less_yuan"]
    restored = [s["restored_now_yuan"] + s["restored_later_yuan"] for s in (compared.a, compared.b)]
    assert moved == pytest.approx(restored[1] - restored[0])
    json.dumps(compared.to_dict(), allow_nan=False)


def test_a_model_against_itself_makes_no_difference(versions, history, decided, versions_uri):
    model = load(versions[0], versions_uri)
    same = compare(model, model, history[0], decided, load_policy())
    assert same.a["bads"] < 500
    assert same.verdict == "too few bads to rank"
    assert set(same.delta.values()) == {0.0}
    assert same.swap_sets["same"] == same.a["rows"]


def test_rows_that_were_all_learnt_from_cannot_compare(versions, history, decided, versions_uri):
    model = load(versions[0], versions_uri)
    as_of = decided["as_of"].cast("int64").to_numpy()
    early = decided.filter(as_of < model.manifest["split"]["test_from"])
    with pytest.raises(DataError, match=r"0 were not learnt from") as refused:
        compare(model, model, history[0], early, load_policy())
    assert "--all-rows" in refused.value.mend


def test_all_rows_of_another_book_are_compared_if_asked(
    versions, history, observations, versions_uri
):
    models = [load(version, versions_uri) for version in versions]
    found = compare(*models, history[0], observations, load_policy(), all_rows=True)
    matured = len(observations) - observations["bad"].null_count
    assert found.a["rows"] == found.b["rows"] == matured
    assert found.rows.startswith(f"all {matured:,} matured rows")


@pytest.mark.parametrize(
    ("kinds", "salts", "told"),
    [
        (("out_of_account", "out_of_account"), (0, 4), True),
        (("out_of_account", "out_of_account"), (4, 4), False),
        (("out_of_time", "out_of_account"), (0, 4), False),
    ],
)
def test_accounts_held_out_by_different_hashes_are_told(kinds, salts, told):
    sides = [
        SimpleNamespace(manifest={"split": {"kind": kind, "salt": salt, "description": "a hash"}})
        for kind, salt in zip(kinds, salts, strict=True)
    ]
    said = _describe(*sides, 276, 7_858, all_rows=False)
    assert said.startswith("276 of 7,858 matured rows")
    assert ("each held out other accounts" in said) == told


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"horizon_days": 90}, "30 days past due in 180 days, b who falls 30 days past due in 90"),
        ({"days_past_due": 60}, "30 days past due in 180 days, b who falls 60 days past due in"),
    ],
)
def test_models_of_unlike_outcomes_cannot_compare(
    versions, history, decided, versions_uri, change, said
):
    model = load(versions[0], versions_uri)
    settings = {**model.manifest["settings"], **change}
    other = replace(model, manifest={**model.manifest, "settings": settings})
    with pytest.raises(ModelError, match=said):
        compare(model, other, history[0], decided, load_policy())


def test_observations_without_decisions_compare_without_money(
    versions, history, observations, versions_uri
):
    models = [load(version, versions_uri) for version in versions]
    found = compare(*models, history[0], observations, load_policy())
    assert found.swap_sets == {}
    assert "freed_yuan" not in found.a


@pytest.fixture(scope="module")
def rows(versions, history, decided, versions_uri):
    """The rows compared, with either model's features, scored anew."""
    models = [load(version, versions_uri) for version in versions]
    labelled, matured = read_labelled(decided)
    keep = unseen_rows(models[0].manifest["split"], labelled.account_id, labelled.as_of)
    points = matured.filter(keep).select(["account_id", "as_of"])
    test = labelled.take(keep)
    X = [compute_features(history[0], points, names=model.feature_names) for model in models]
    return test, models, X


def test_calibration_stands_side_by_side(compared, rows):
    test, models, X = rows
    for side, model, features in zip("ab", models, X, strict=True):
        risk = logged_risk(model, features, test)
        rate, mean = calibration_curve(test.bad, risk, n_bins=10, strategy="quantile")
        points = pd.DataFrame(compared.calibration[side])
        np.testing.assert_allclose(points["mean_risk"], mean)
        np.testing.assert_allclose(points["bad_rate"], rate)


def test_expected_loss_is_judged_by_either_model_on_the_same_decisions(compared, rows):
    test, models, X = rows
    losses = [m.expected_loss(x, test.freed) / 100 for m, x in zip(models, X, strict=True)]
    interval = compared.intervals["loss_yuan_per_prepayment"]
    assert interval.value == pytest.approx((losses[1] - losses[0]).mean())
    assert interval.low < interval.value < interval.high
    # Two judges' sums have no difference that says anything.
    assert "expected_loss_yuan" not in compared.delta
    judged = compared.expected_loss
    assert judged["judged by a"]["a_yuan"] == pytest.approx(compared.a["expected_loss_yuan"])
    assert judged["judged by b"]["b_yuan"] == pytest.approx(compared.b["expected_loss_yuan"])
    for judge in judged.values():
        assert judge["change_yuan"] == pytest.approx(judge["b_yuan"] - judge["a_yuan"])


def test_migration_agrees_with_the_swap_sets(compared):
    count = np.array(compared.migration["count"])
    freed = np.array(compared.migration["freed_yuan"])
    assert count.sum() == compared.a["rows"]
    assert freed.sum() == pytest.approx(compared.a["freed_yuan"])
    np.testing.assert_allclose(freed, count * 500.0)
    moved = compared.swap_sets["b_restores_more"] + compared.swap_sets["b_restores_less"]
    assert 0 < moved <= count.sum()
    assert np.trace(count) < count.sum()


def test_the_accounts_that_move_most_are_those(compared):
    assert len(compared.moved) == 20
    gaps = [abs(m["restored_b_yuan"] - m["restored_a_yuan"]) for m in compared.moved]
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 0
    assert all(m["prepayments"] >= 1 for m in compared.moved)


def test_reasons_are_counted_on_the_same_prepayments(compared):
    reasons = compared.reasons
    assert 0 < reasons["rows"] <= compared.a["rows"]
    assert 0 < reasons["changed"] <= 1
    for counts in reasons["codes"].values():
        assert 0 < sum(counts.values()) <= reasons["rows"]


def test_a_model_against_itself_moves_nobody(versions, history, decided, versions_uri):
    model = load(versions[0], versions_uri)
    same = compare(model, model, history[0], decided, load_policy())
    assert same.moved == []
    assert same.reasons["changed"] == 0.0
    count = np.array(same.migration["count"])
    assert count.sum() == np.trace(count)
    assert same.intervals["loss_yuan_per_prepayment"].high == 0.0


class Texts(HTMLParser):
    """The page's text and what it loads."""

    def __init__(self, page: str):
        super().__init__()
        self.words, self.loaded = "", []
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.loaded += [value for name, value in attrs if name in ("src", "href")]

    def handle_data(self, data):
        self.words += f"{data}\n"


def test_the_page_tells_the_verdict_its_evidence_and_the_money(compared, tmp_path):
    path = write_comparison(compared, tmp_path / "new", names=("<old>", "new & better"))
    assert path.name == "comparison.html"
    page = Texts(path.read_text(encoding="utf-8"))
    assert "Verdict: a better." in page.words
    assert "a is <old>, b is new & better" in page.words
    own = "expected loss yuan, by its own model"
    for words in (*compared.evidence, "Swap sets", "all at once", "judged by b", "a alone", own):
        assert words in page.words
    for side in (compared.a, compared.b):
        assert f"{side['ks']:.4f} ({side['ks_low']:.4f} to {side['ks_high']:.4f})" in page.words
    assert "ks low" not in page.words
    assert not any(name.endswith(("_low", "_high")) for name in compared.delta)
    assert str(compared.moved[0]["account_id"]) in page.words.split("Accounts that move most")[1]
    assert all(source.startswith("data:image/png;base64,") for source in page.loaded)


def test_a_page_without_money_or_ranking_says_so(compared, tmp_path):
    bare = replace(
        compared, swap_sets={}, migration={}, expected_loss={}, reasons={}, moved=[],
        verdict="too few bads to rank",
    )  # fmt: skip
    page = Texts(write_comparison(bare, tmp_path).read_text(encoding="utf-8"))
    assert "too few bads to rank. Read the intervals" in page.words
    assert "Swap sets" not in page.words


def test_a_run_links_both_versions_and_names_no_account(compared, versions, versions_uri):
    uris = [version.model_uri for version in versions]
    run_id = record_comparison(compared, *uris, tracking_uri=versions_uri)
    client = open_client(versions_uri)
    run = client.get_run(run_id)
    found = [client.get_model_version("restoration-risk", v) for v in ("1", "2")]
    logged = [client.get_run(v.run_id).outputs.model_outputs[0].model_id for v in found]
    assert {given.model_id for given in run.inputs.model_inputs} == set(logged)
    assert (run.data.tags["a"], run.data.tags["b"]) == tuple(uris)
    assert [client.get_logged_model(one).source_run_id for one in logged] == [
        version.run_id for version in versions
    ]
    assert found[0].tags["relimit.compared_with.restoration-risk.2"] == run_id
    assert found[1].tags["relimit.compared_with.restoration-risk.1"] == run_id
    assert run.data.tags["verdict"] == "a better"
    assert run.data.metrics["delta_auc"] == pytest.approx(compared.delta["auc"])
    recorded = json.loads(Path(client.download_artifacts(run_id, "comparison.json")).read_text())
    assert recorded["moved"] == []
    assert recorded["swap_sets"] == compared.swap_sets
    page = Path(client.download_artifacts(run_id, "comparison.html")).read_text()
    assert "Accounts that move most" not in page


def test_nothing_is_recorded_unless_both_are_registered(compared, versions, versions_uri, tmp_path):
    uri = versions[0].model_uri
    assert record_comparison(compared, uri, str(tmp_path), tracking_uri=versions_uri) is None
    with pytest.raises(ModelError, match="no such model version"):
        record_comparison(compared, uri, "models:/restoration-risk/99", tracking_uri=versions_uri)
