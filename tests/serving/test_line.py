"""The whole line on a simulated book: each command runs and its files say what they should."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import Result

import relimit.policy as relimit_policy
from relimit.data.vocabulary import ARMS, FULL_ARM
from relimit.features import feature_names
from relimit.policy import load_policy

Run = Callable[..., Result]
RunJson = Callable[..., dict[str, Any]]

DECISION_COLUMNS = [
    "decision_id", "account_id", "as_of", "prepaid", "freed", "risk", "expected_loss", "status",
    "restore_now", "restore_later", "withheld", "not_later_than", "reasons", "remedies",
    "text_zh", "text_en", "model_version", "policy_version",
]  # fmt: skip


@pytest.fixture(scope="module")
def window(book: Path) -> list[str]:
    as_of = np.datetime64(json.loads((book / "book.json").read_text())["as_of"][:19])
    return ["--since", str(as_of - np.timedelta64(30, "D")), "--as-of", str(as_of)]


@pytest.fixture(scope="module")
def month(
    book: Path,
    model_folder: Path,
    window: list[str],
    tmp_path_factory: pytest.TempPathFactory,
    relimit_json: RunJson,
) -> tuple[Path, dict[str, Any]]:
    """A month's decisions, and the manifest."""
    out = tmp_path_factory.mktemp("month")
    words = ["--model", model_folder, "--events", book / "events.parquet", *window, "--out", out]
    return out, relimit_json("score", *words)


@pytest.fixture(scope="module")
def decisions(month: tuple[Path, dict[str, Any]]) -> pa.Table:
    return pq.read_table(month[0] / "decisions")


def files_of(folder: Path) -> dict[str, Any]:
    """Every file's bytes; of a manifest, all but its timings."""
    files: dict[str, Any] = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }
    files["manifest.json"] = json.loads(files["manifest.json"])
    del files["manifest.json"]["timings"]
    return files


def test_a_simulated_book_passes_its_own_check(book: Path, relimit_json: RunJson) -> None:
    assert relimit_json("check", book)["ok"] is True


def test_observations_are_both_good_and_bad(observations: Path) -> None:
    bad = pq.read_table(observations)["bad"]
    assert {True, False} <= set(bad.to_pylist())


def test_features_have_the_catalogue_in_its_order(
    book: Path, observations: Path, tmp_path: Path, relimit: Run
) -> None:
    snapshots, out = tmp_path / "snapshots.parquet", tmp_path / "features.parquet"
    some = pq.read_table(observations, columns=["account_id", "as_of"]).slice(0, 50)
    pq.write_table(some, snapshots)
    words = ["--events", book / "events.parquet", "--snapshots", snapshots, "--out", out]
    assert relimit("features", *words).exit_code == 0
    table = pq.read_table(out)
    assert table.column_names == ["account_id", "as_of", *feature_names()]
    assert table.select(["account_id", "as_of"]).equals(some)


def test_the_demo_prints_decisions_money_and_where_to_look(demonstration: Any) -> None:
    printed = demonstration.printed
    for words in ("verdict: ", "withheld", "restore_now", "prepayments", "mlflow ui", "book"):
        assert words in printed
    rows = re.findall(r"^\d+ +(restored|staged|held|declined|fault) .*¥", printed, re.MULTILINE)
    manifest = json.loads((demonstration.folder / "night" / "manifest.json").read_text())
    assert len(rows) == min(10, manifest["counts"]["decided"]) > 0


def test_training_registers_a_version_that_tells_good_from_bad(
    book: Path, observations: Path, tmp_path: Path, relimit_json: RunJson
) -> None:
    store = f"sqlite:///{tmp_path / 'other.db'}"
    words = ["--events", book / "events.parquet", "--observations", observations]
    named = ["--family", "scorecard", "--name", "trial", "--tracking-uri", store]
    named += ["--out", tmp_path / "report"]
    result = relimit_json("train", *words, *named)
    assert result["model_uri"] == "models:/trial/1"
    assert (tmp_path / "report" / "validation_report.html").exists()
    assert (tmp_path / "report" / "model_card.md").exists()
    assert {"version", "metrics"} <= result.keys()
    assert 0.55 < result["metrics"]["auc"] < 0.95


def test_predictions_come_in_the_order_of_the_snapshots(
    book: Path, observations: Path, model_folder: Path, tmp_path: Path, relimit_json: RunJson
) -> None:
    snapshots, out = tmp_path / "snapshots.parquet", tmp_path / "risk.parquet"
    some = pq.read_table(observations, columns=["account_id", "as_of"]).slice(0, 200)
    shuffled = some.take(np.random.default_rng(0).permutation(200))
    pq.write_table(shuffled, snapshots)
    events = ["--events", book / "events.parquet", "--snapshots", snapshots]
    relimit_json("predict", "--model", model_folder, *events, "--out", out)
    table = pq.read_table(out)
    assert table.column_names == ["account_id", "as_of", "risk"]
    assert table.select(["account_id", "as_of"]).equals(shuffled)
    risk = table["risk"].to_numpy()
    assert ((risk > 0) & (risk < 1)).all()


def test_compare_says_which_is_better(
    book: Path, observations: Path, store: str, tmp_path: Path, relimit_json: RunJson
) -> None:
    pair = ["models:/restoration-risk/1", "models:/restoration-risk/2"]
    words = ["--events", book / "events.parquet", "--observations", observations]
    result = relimit_json("compare", *pair, *words, "--tracking-uri", store, "--out", tmp_path)
    assert {"a", "b", "delta", "verdict"} <= result.keys()
    assert json.loads((tmp_path / "comparison.json").read_text()) == result
    assert (tmp_path / "comparison.html").exists()
    assert result["run_id"]


def test_every_prepayment_is_decided_or_quarantined(
    month: tuple[Path, dict[str, Any]], decisions: pa.Table
) -> None:
    counts = month[1]["counts"]
    assert counts["prepayments"] == counts["decided"] + counts["quarantined"] > 100
    assert counts["decided"] == decisions.num_rows
    assert len(set(decisions["decision_id"].to_pylist())) == decisions.num_rows


def test_decisions_have_the_fixed_columns(decisions: pa.Table) -> None:
    assert decisions.column_names == DECISION_COLUMNS


def test_money_is_conserved_in_every_row(decisions: pa.Table) -> None:
    later = [sum(p["amount"] for p in row) for row in decisions["restore_later"].to_pylist()]
    returned = np.array(later) + decisions["restore_now"].to_numpy()
    assert (returned + decisions["withheld"].to_numpy() == decisions["freed"].to_numpy()).all()
    assert pc.all(pc.less_equal(decisions["freed"], decisions["prepaid"])).as_py()


def test_every_decision_explains_itself_in_both_languages(decisions: pa.Table) -> None:
    assert all(decisions["text_zh"].to_pylist())
    assert all(decisions["text_en"].to_pylist())
    assert all(len(reasons) <= 4 for reasons in decisions["reasons"].to_pylist())


def test_scoring_twice_gives_identical_files(
    book: Path, model_folder: Path, window: list[str], month: Any, tmp_path: Path, relimit: Run
) -> None:
    words = ["--model", model_folder, "--events", book / "events.parquet", *window]
    assert relimit("score", *words, "--out", tmp_path, "--workers", 1).exit_code == 0
    assert files_of(tmp_path) == files_of(month[0])


def test_a_finished_run_is_not_overwritten(
    book: Path, model_folder: Path, window: list[str], month: Any, relimit: Run
) -> None:
    before = files_of(month[0])
    words = ["--model", model_folder, "--events", book / "events.parquet", "--out", month[0]]
    assert relimit("score", *words, *window).exit_code == 0
    other = relimit("score", *words, "--since", "2020-01-01", "--as-of", "2020-01-02")
    assert other.exit_code == 1
    assert "as_of, since differ" in other.output
    assert files_of(month[0]) == before


def test_named_prepayments_are_decided_as_those_found(
    book: Path, model_folder: Path, decisions: pa.Table, tmp_path: Path, relimit_json: RunJson
) -> None:
    named = decisions.select(["account_id", "as_of", "prepaid"]).slice(0, 40)
    strange = pa.table({"account_id": [10**9], "as_of": named["as_of"][:1], "prepaid": [100]})
    pq.write_table(pa.concat_tables([named, strange.cast(named.schema)]), tmp_path / "p.parquet")
    words = ["--events", book / "events.parquet", "--prepayments", tmp_path / "p.parquet"]
    manifest = relimit_json("score", "--model", model_folder, *words, "--out", tmp_path / "out")
    assert manifest["counts"]["quarantined"] == 1
    assert pq.read_table(tmp_path / "out" / "decisions").equals(decisions.slice(0, 40))


def test_one_live_decision_equals_the_batch(
    book: Path, model_folder: Path, decisions: pa.Table, window: list[str], relimit_json: RunJson
) -> None:
    for place in (0, decisions.num_rows // 2, decisions.num_rows - 1):
        (batch,) = decisions.slice(place, 1).to_pylist()
        account = batch["account_id"]
        events = pq.read_table(book / "events.parquet", filters=[("account_id", "==", account)])
        rows = [
            {name: value for name, value in row.items() if value is not None}
            for row in events.drop_columns(["account_id"]).to_pylist()
        ]
        history = {"account_id": account, "as_of": batch["as_of"].isoformat(), "events": rows}
        history["since"] = f"{window[1]}+00:00"
        text = json.dumps(history, default=lambda time: time.isoformat())
        live = relimit_json("decide", "--model", model_folder, stdin=text)
        expected = json.loads(json.dumps(batch, default=lambda time: time.isoformat()))
        assert live == expected


def test_an_analyst_reads_the_figures_beside_the_unchanged_decision(
    book: Path, model_folder: Path, decisions: pa.Table, relimit_json: RunJson
) -> None:
    (batch,) = decisions.slice(0, 1).to_pylist()
    account = batch["account_id"]
    events = pq.read_table(book / "events.parquet", filters=[("account_id", "==", account)])
    rows = events.drop_columns(["account_id"]).to_pylist()
    rows = [{name: value for name, value in row.items() if value is not None} for row in rows]
    history = {"account_id": account, "as_of": batch["as_of"], "events": rows}
    text = json.dumps(history, default=lambda time: time.isoformat())
    plain = relimit_json("decide", "--model", model_folder, stdin=text)
    told = relimit_json("decide", "--model", model_folder, "--analyst", stdin=text)
    assert list(plain) == DECISION_COLUMNS
    assert {name: told[name] for name in plain} == plain
    assert list(told) == [*DECISION_COLUMNS, "text_analyst_zh", "text_analyst_en"]
    ratio = plain["expected_loss"] / max(plain["freed"], 1)
    assert f"loss ratio {ratio:.1%} (tier up to" in told["text_analyst_en"]


def test_a_world_can_be_run_under_a_policy_file(
    model_folder: Path, tmp_path: Path, relimit_json: RunJson
) -> None:
    policy = Path(relimit_policy.__file__).with_name("default.toml")
    size = ["--accounts", 300, "--months", 8, "--seed", 5]
    relimit_json("simulate", tmp_path, *size, "--policy", policy, "--model", model_folder)
    log = pq.read_table(tmp_path / "decisions.parquet")
    assert pc.unique(log["policy"]).to_pylist() == [f"relimit-{load_policy(policy).version}"]
    assert pc.all(pc.equal(log["propensity"], 1.0)).as_py()
    arms = set(zip(log["share"].to_pylist(), log["delay_days"].to_pylist(), strict=True))
    assert FULL_ARM in arms
    assert arms <= set(ARMS)
    assert len(arms) > 1
