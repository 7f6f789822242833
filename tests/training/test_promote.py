"""Promotion of versions trained on one small book."""

import hashlib
import json
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from relimit.data.errors import ModelError, RelimitError
from relimit.serving.cli import main
from relimit.training import objections, promotions
from relimit.training.objections import _calibration, judge_candidate
from relimit.training.promote import promote
from relimit.training.promotions import promotion_log
from relimit.training.registry import find_version, version_at_alias
from relimit.training.store import store_lock
from relimit.training.tracking import open_client


@pytest.fixture(scope="module")
def tracking_uri(versions_uri) -> str:
    return versions_uri


def test_promotion_refuses_the_worse_and_records_what_was_forced(versions, tracking_uri):
    good, poor = versions
    client = open_client(tracking_uri)
    first = promote(good.model_uri, tracking_uri=tracking_uri)
    assert (first.version, first.previous, first.force, first.objections) == ("1", None, None, ())
    with pytest.raises(RelimitError, match=r"worse than the champion, version 1, .*same rows"):
        promote(poor.model_uri, tracking_uri=tracking_uri)
    assert client.get_model_version_by_alias("restoration-risk", "champion").version == 1
    forced = promote(poor.model_uri, force="drill", tracking_uri=tracking_uri)
    assert client.get_model_version_by_alias("restoration-risk", "champion").version == 2
    assert (forced.previous, forced.force) == ("1", "drill")
    back = promote(good.model_uri, force="after the drill", tracking_uri=tracking_uri)
    assert (back.previous, back.force, back.objections) == ("2", "after the drill", ())
    assert promotion_log("restoration-risk", tracking_uri) == [back, forced, first]
    digest = client.get_model_version("restoration-risk", "1").tags["relimit.artifact_digest"]
    assert back.digest == digest
    json.dumps(forced.to_dict())


def test_every_promotion_says_what_it_rests_on(versions, tracking_uri):
    good, poor = versions
    promote(good.model_uri, force="start", tracking_uri=tracking_uri)
    alone = promote(good.model_uri, tracking_uri=tracking_uri)
    m = good.metrics
    auc = f"AUC {m['auc']:.3f} ({m['auc_low']:.3f} to {m['auc_high']:.3f}) on {m['rows']:.0f} rows"
    assert alone.evidence[0] == f"{auc} with {m['bads']:.0f} bads"
    slope = f"calibration slope weighted by propensity {m['weighted_calibration_slope']:.2f} ("
    assert alone.evidence[1].startswith(slope)
    assert alone.evidence[-1] == "it was the champion already"
    paired = promote(poor.model_uri, "challenger", force="to watch it", tracking_uri=tracking_uri)
    assert paired.evidence[-1].startswith("beside the champion, version 1 (a), on the same rows: ")
    assert "log-loss b − a +0." in paired.evidence[-1]
    assert paired.evidence[-1].split("rows: ")[1] in paired.objections[-1]


def test_calibration_is_judged_unweighted_where_nothing_was_weighted():
    metrics = {"calibration_slope": 0.4, "calibration_intercept": 0.0, "ece": 0.01}
    found, evidence = _calibration(metrics)
    assert found == ["calibration slope 0.40 (0.40 to 0.40) is not within 0.75 to 1.33"]
    assert evidence[2] == "calibration error 0.010"


def test_calibration_of_a_constant_risk_is_refused_in_words():
    metrics = {"calibration_slope": float("nan"), "calibration_intercept": 0.0, "ece": 0.01}
    found, evidence = _calibration(metrics)
    assert found == ["calibration slope is not known: its risk hardly varies"]
    assert not any("nan" in line for line in evidence)


@pytest.fixture
def recorded(monkeypatch):
    """Change figures that the versions' manifests hold."""

    def change(**figures):
        def changed(*words):
            artifact = read(*words)
            metrics = artifact.manifest["metrics"] | figures
            return replace(artifact, manifest=artifact.manifest | {"metrics": metrics})

        read = objections._artifact
        monkeypatch.setattr(objections, "_artifact", changed)

    return change


@pytest.mark.parametrize(
    ("figures", "message"),
    [
        (
            {"weighted_ece": 0.2},
            r"calibration error weighted by propensity 0\.200 is above 0\.05",
        ),
        (
            {
                "weighted_calibration_slope": 0.4,
                "weighted_calibration_slope_low": 0.2,
                "weighted_calibration_slope_high": 0.6,
            },
            r"slope weighted by propensity 0\.40 \(0\.20 to 0\.60\) is not within 0\.75 to 1\.33",
        ),
        (
            {
                "weighted_calibration_intercept": -0.9,
                "weighted_calibration_intercept_high": -0.5,
            },
            r"calibration intercept weighted by propensity -0\.90 .* is not within -0\.3 to 0\.3",
        ),
    ],
)
def test_bad_calibration_is_refused(versions, tracking_uri, recorded, figures, message):
    promote(versions[0].model_uri, alias="challenger", tracking_uri=tracking_uri)
    recorded(**figures)
    with pytest.raises(RelimitError, match=message):
        promote(versions[0].model_uri, alias="challenger", tracking_uri=tracking_uri)


def test_calibration_that_noise_could_explain_is_not_refused(versions, tracking_uri, recorded):
    recorded(
        weighted_calibration_slope=0.6,
        weighted_calibration_slope_low=0.3,
        weighted_calibration_slope_high=0.9,
        calibration_slope=0.1,  # of the rows that the older policy chose: not what is judged
        ece=0.3,
    )
    promoted = promote(versions[0].model_uri, alias="challenger", tracking_uri=tracking_uri)
    assert promoted.evidence[1] == (
        "calibration slope weighted by propensity 0.60 (0.30 to 0.90) is not within 0.75 to 1.33, "
        "but so few bads can't refuse it"
    )


def test_figures_that_somebody_logged_to_a_run_change_nothing(versions, tracking_uri):
    good, poor = versions
    promote(good.model_uri, force="start", tracking_uri=tracking_uri)
    client = open_client(tracking_uri)
    before = judge_candidate(find_version(poor.model_uri, tracking_uri), tracking_uri)
    flattering = {"auc": 0.99, "auc_low": 0.98, "auc_high": 1.0, "weighted_ece": 0.0}
    for metric, value in flattering.items():
        client.log_metric(poor.run_id, metric, value)
    after = judge_candidate(find_version(poor.model_uri, tracking_uri), tracking_uri)
    for metric in flattering:
        client.log_metric(poor.run_id, metric, poor.metrics[metric])
    assert after == before
    assert "0.99" not in after.evidence[0]


def test_test_scores_that_were_exchanged_are_not_believed(versions, tracking_uri, tmp_path):
    good, poor = versions
    promote(good.model_uri, force="start", tracking_uri=tracking_uri)
    client = open_client(tracking_uri)
    recorded = Path(client.download_artifacts(poor.run_id, "test_scores.parquet"))
    kept = recorded.read_bytes()
    better = client.download_artifacts(good.run_id, "test_scores.parquet", str(tmp_path))
    client.log_artifact(poor.run_id, better)
    with pytest.raises(RelimitError, match=r"version 1: .*test_scores.parquet has the digest"):
        promote(poor.model_uri, tracking_uri=tracking_uri)
    Path(better).write_bytes(kept)
    client.log_artifact(poor.run_id, better)
    with pytest.raises(RelimitError, match="worse than the champion"):
        promote(poor.model_uri, tracking_uri=tracking_uri)


def test_a_champion_whose_artifact_is_gone_speaks_against_any_other(
    versions, tracking_uri, monkeypatch
):
    good, poor = versions
    promote(good.model_uri, force="start", tracking_uri=tracking_uri)
    resolve = objections.resolve_model

    def gone(uri, *words):
        if uri.endswith("/1"):
            raise ModelError("the artifact has no manifest.json", where=uri)
        return resolve(uri, *words)

    monkeypatch.setattr(objections, "resolve_model", gone)
    with pytest.raises(RelimitError, match=r"put beside the champion, version 1: .*no manifest"):
        promote(poor.model_uri, tracking_uri=tracking_uri)
    with pytest.raises(RelimitError, match=r"can't be used here: .*no manifest"):
        promote(good.model_uri, tracking_uri=tracking_uri)


def test_features_that_are_not_installed_are_refused(versions, tracking_uri, monkeypatch):
    monkeypatch.setattr("relimit.models.catalogue.catalogue", lambda: ())
    with pytest.raises(RelimitError, match=r"can't be used here: .*features are not installed"):
        promote(versions[0].model_uri, tracking_uri=tracking_uri)


def test_without_common_rows_the_auc_intervals_decide(versions, tracking_uri, monkeypatch):
    good, poor = versions
    promote(good.model_uri, force="start", tracking_uri=tracking_uri)
    fingerprints = iter(range(100))
    monkeypatch.setattr(
        "relimit.training.objections._tested_on", lambda *_: str(next(fingerprints))
    )
    with pytest.raises(RelimitError, match="each on its own rows"):
        promote(poor.model_uri, tracking_uri=tracking_uri)


def test_what_cannot_be_promoted_is_refused(versions, tracking_uri, tmp_path):
    with pytest.raises(ModelError, match="the reason is empty"):
        promote(versions[0].model_uri, force="  ", tracking_uri=tracking_uri)
    with pytest.raises(ModelError, match="neither a folder nor a model URI"):
        promote(str(tmp_path), tracking_uri=tracking_uri)
    assert np.isfinite(versions[0].metrics["auc"])


class TestTheLog:
    """Each test leaves the log as it found it."""

    @pytest.fixture
    def log(self, versions, tracking_uri):
        for reason in ("one", "two", "three"):
            promote(versions[0].model_uri, force=reason, tracking_uri=tracking_uri)
        client = open_client(tracking_uri)
        experiment = client.get_experiment_by_name(promotions.PROMOTIONS)
        by_reason = {
            json.loads(run.data.tags["entry"])["force"]: run
            for run in client.search_runs([experiment.experiment_id])[:3]
        }
        return client, by_reason

    def test_each_entry_names_the_one_before_it(self, log, tracking_uri):
        entries = promotion_log("restoration-risk", tracking_uri)
        assert [entry.force for entry in entries[:3]] == ["three", "two", "one"]
        for entry, before in pairwise(entries):
            text = json.dumps(before.to_dict(), ensure_ascii=False, sort_keys=True)
            assert entry.follows == hashlib.sha256(text.encode()).hexdigest()
        assert entries[-1].follows is None

    @pytest.mark.parametrize("which", ["one", "two", "three"])
    def test_a_changed_entry_is_found(self, log, tracking_uri, which):
        client, runs = log
        run = runs[which]
        text = run.data.tags["entry"]
        client.set_tag(run.info.run_id, "entry", text.replace(f'"{which}"', '"another"'))
        with pytest.raises(ModelError, match="is absent or was changed"):
            promotion_log("restoration-risk", tracking_uri)
        client.set_tag(run.info.run_id, "entry", text)
        promotion_log("restoration-risk", tracking_uri)

    @pytest.mark.parametrize("which", ["one", "three"])
    def test_a_deleted_entry_is_found(self, log, tracking_uri, which):
        client, runs = log
        client.delete_run(runs[which].info.run_id)
        with pytest.raises(ModelError, match=r"promotion log of .* is absent or was changed"):
            promotion_log("restoration-risk", tracking_uri)
        client.restore_run(runs[which].info.run_id)
        promotion_log("restoration-risk", tracking_uri)

    def test_an_entry_slipped_in_is_found(self, log, tracking_uri):
        client, runs = log
        tags = dict(runs["two"].data.tags)
        tags["entry"] = tags["entry"].replace('"two"', '"slipped in"')
        forged = client.create_run(runs["two"].info.experiment_id, tags=tags).info.run_id
        promotion_log("restoration-risk", tracking_uri)  # not finished: one that failed
        client.set_terminated(forged)
        with pytest.raises(ModelError, match="nothing leads to the entries"):
            promotion_log("restoration-risk", tracking_uri)
        client.delete_run(forged)

    def test_an_alias_that_was_moved_past_the_log_is_told(self, versions, log, tracking_uri):
        client, _ = log
        name, promote_log = "restoration-risk", ["promote", versions[0].model_uri, "--log"]
        asked = [*promote_log, "--tracking-uri", tracking_uri]
        assert "moved past" not in CliRunner().invoke(main, asked).stdout
        client.set_registered_model_alias(name, "champion", "2")
        client.set_registered_model_alias(name, "shadow", "1")
        found = json.loads(CliRunner().invoke(main, [*asked, "--json"]).stdout)
        assert found["unlogged_aliases"] == [
            "champion points to version 2, the log says 1",
            "shadow points to version 1, the log says none",
        ]
        assert "moved past the log: champion points" in CliRunner().invoke(main, asked).stdout
        client.set_registered_model_alias(name, "champion", "1")
        client.delete_registered_model_alias(name, "shadow")

    def test_a_promotion_that_mlflow_refuses_is_none(self, versions, log, tracking_uri):
        before = promotion_log("restoration-risk", tracking_uri)
        with pytest.raises(ModelError, match="MLflow refuses"):
            promote(versions[0].model_uri, alias="v1", force="x", tracking_uri=tracking_uri)
        assert promotion_log("restoration-risk", tracking_uri) == before


def test_a_promotion_waits_for_another(versions, tracking_uri, monkeypatch):
    monkeypatch.setattr("relimit.training.store.LOCK_SECONDS", 0.1)
    with (
        store_lock(tracking_uri, "promotion"),
        pytest.raises(ModelError, match="locked"),
    ):
        promote(versions[0].model_uri, tracking_uri=tracking_uri)


def test_the_command_refuses_with_what_speaks_against_it_and_how_to_go_on(versions, tracking_uri):
    good, poor = versions
    promote(good.model_uri, force="start", tracking_uri=tracking_uri)
    words = ["promote", poor.model_uri, "--tracking-uri", tracking_uri]
    refused = CliRunner().invoke(main, words)
    assert refused.exit_code == 1
    assert "worse than the champion, version 1, beyond noise" in refused.output
    assert "--force REASON" in refused.output
    assert version_at_alias("restoration-risk", "champion", tracking_uri).version == "1"
    forced = CliRunner().invoke(main, [*words, "--force", "a drill"])
    assert forced.exit_code == 0
    assert "against it: worse than the champion" in forced.output
    assert "because: a drill" in forced.output
    shown = CliRunner().invoke(main, [*words, "--log", "--json"])
    assert json.loads(shown.stdout)["promotions"][0]["force"] == "a drill"
    printed = CliRunner().invoke(main, [*words, "--log"]).stdout
    assert "champion: version 1 to 2, by " in printed
    assert "none changed or missing" in printed
