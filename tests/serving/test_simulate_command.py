"""`relimit simulate`: what its flags change in the book."""

from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from relimit.data.simulator import scenarios

SIZE = ("--accounts", 60, "--months", 4, "--seed", 1, "--workers", 1)


def test_redelivered_events_come_twice_and_out_of_order(
    tmp_path: Path, relimit_json: Callable[..., dict[str, Any]]
) -> None:
    clean = relimit_json("simulate", tmp_path / "clean", *SIZE)["events"]
    relimit_json("simulate", tmp_path / "messy", *SIZE, "--redelivered", 0.2)
    messy = pq.read_table(tmp_path / "messy" / "events.parquet")
    assert 1.15 * clean < messy.num_rows < 1.25 * clean
    assert messy.group_by(messy.column_names).aggregate([]).num_rows <= clean
    assert not pc.all(pc.greater_equal(messy["account_id"][1:], messy["account_id"][:-1])).as_py()


def test_a_share_above_one_is_wrong_usage(tmp_path: Path, relimit: Callable[..., Result]) -> None:
    result = relimit("simulate", tmp_path / "book", *SIZE, "--redelivered", 1.2)
    assert result.exit_code == 2
    assert "--redelivered" in result.stderr


def test_the_help_names_every_scenario_and_what_the_oracle_writes(
    relimit: Callable[..., Result],
) -> None:
    said = relimit("simulate", "--help").stdout
    assert [name for name in scenarios() if name not in said] == []
    assert "oracle.parquet" in said
    assert "oracle_accounts.parquet" in said


def test_the_page_on_the_world_tells_of_every_scenario() -> None:
    page = (Path(__file__).parents[2] / "docs" / "simulator.md").read_text(encoding="utf-8")
    assert [name for name in scenarios() if f"| `{name}` |" not in page] == []


@pytest.mark.parametrize(
    ("given", "meant"), [("shok", "Did you mean shock?"), ("no_exploration", "no-exploration?")]
)
def test_an_unknown_scenario_is_told_with_the_nearest_name(
    given: str, meant: str, tmp_path: Path, relimit: Callable[..., Result]
) -> None:
    result = relimit("simulate", tmp_path / "book", *SIZE, "--scenario", given)
    assert result.exit_code == 1
    assert f"unknown scenario '{given}'" in result.stderr
    assert meant in result.stderr
    assert not (tmp_path / "book").exists()


@pytest.mark.parametrize("nights", ["", "3,x", "0,3", "7,3", "3,3"])
def test_nights_that_are_none_are_wrong_usage(
    nights: str, tmp_path: Path, relimit: Callable[..., Result]
) -> None:
    result = relimit("simulate", tmp_path / "book", *SIZE, "--nights", nights)
    assert result.exit_code == 2
    assert "--nights" in result.stderr


def days_until_back(book: Path) -> pd.DataFrame:
    """Return each decision that kept all for unsettled interest, with when something came back.

    The interest is settled within two days of the decision, by a payment that names no loan.
    """
    columns = ["account_id", "ts", "kind", "loan_id", "detail"]
    events = pq.read_table(book / "events.parquet", columns=columns).to_pandas()
    log = pq.read_table(book / "decisions.parquet").to_pandas()
    held = log[(log["share"] == 0) & (log["freed"] > 0)]
    paid = events[(events["kind"] == "interest_payment") & events["loan_id"].isna()]
    settled = held.merge(paid[["account_id", "ts"]], on="account_id")
    within = (settled["ts"] - settled["decided_at"]).dt.total_seconds() / 86_400
    settled = settled[within.between(0, 2)].drop_duplicates("decision_id").drop(columns="ts")
    back = events[events["kind"] == "restored"].astype({"detail": str}).groupby("detail")["ts"]
    settled = settled.join(back.min().rename("back"), on="decision_id").set_index("decision_id")
    settled["days"] = (settled["back"] - settled["decided_at"]).dt.total_seconds() / 86_400
    return settled


def test_interest_settled_on_the_second_day_brings_the_limit_back_on_the_third_night(
    tmp_path: Path, model_folder: Path, relimit_json: Callable[..., dict[str, Any]]
) -> None:
    policy = tmp_path / "policy.toml"
    policy.write_text(files("relimit.policy").joinpath("default.toml").read_text("utf-8"))
    size = ("--accounts", 250, "--months", 8, "--seed", 1, "--workers", 2)
    given = (*size, "--policy", policy, "--model", model_folder)
    relimit_json("simulate", tmp_path / "nightly", *given)
    relimit_json("simulate", tmp_path / "once", *given, "--nights", "none")
    nightly, once = (days_until_back(tmp_path / name) for name in ("nightly", "once"))
    both = nightly.index.intersection(once.index)
    assert len(both) >= 3
    assert (nightly.loc[both, "days"] < 5).any()
    assert not (once["days"] < 150).any()
