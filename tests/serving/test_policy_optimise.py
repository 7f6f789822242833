"""`relimit policy optimise` from a book to a policy file that the next command reads."""

import json
from pathlib import Path
from typing import Any

import pytest

from relimit.policy import load_policy
from relimit.serving.commands.policy_optimise import _figure


@pytest.mark.usefixtures("roughly")
def test_the_optimised_file_is_a_policy_that_can_be_published(
    relimit_json, small_book: Path, model_folder: Path, tmp_path: Path, monkeypatch: Any
) -> None:
    monkeypatch.setattr("relimit.training.optimum.POINTS", 3)
    out = tmp_path / "optimised"
    said = relimit_json(
        "policy", "optimise", small_book, "--model", model_folder,
        "--loss-budget", 0.02, "--out", out,
    )  # fmt: skip
    policy = load_policy(out / "policy.toml")
    assert policy.version == said["policy_version"]
    assert policy.value is not None
    assert policy.value.loss_budget == 0.02
    assert policy.gates == load_policy().gates
    assert said["policies"]["optimised"]["loss_rate"] <= 0.02
    ours, given = (said["policies"][name]["net_yuan"] for name in ("optimised", "given policy"))
    # A bin is a hundredth of the freed limit: what a tier finds inside one is beyond it.
    assert ours >= given - 1e-5 * abs(given)
    assert json.loads((out / "frontier.json").read_text("utf-8")) == said
    assert sorted(path.name for path in out.iterdir()) == [
        "frontier.csv", "frontier.html", "frontier.json", "frontier.png", "policy.toml",
    ]  # fmt: skip
    cells = (out / "frontier.csv").read_text("utf-8").splitlines()[1:]
    assert all(float(cell) == float(cell) for row in cells for cell in row.split(","))  # no formula
    card = relimit_json("policy", "card", "--policy", out / "policy.toml")
    assert card["policy_version"] == policy.version


def test_a_budget_that_is_no_share_is_wrong_usage(relimit, book: Path, tmp_path: Path) -> None:
    words = ("policy", "optimise", book, "--model", "m", "--loss-budget", 2, "--out", tmp_path)
    result = relimit(*words)
    assert result.exit_code == 2
    assert "loss-budget" in result.output


def test_a_policy_that_does_not_say_what_it_weighs_is_refused(
    relimit, book: Path, model_folder: Path, tmp_path: Path
) -> None:
    text = (Path(__file__).parents[2] / "policy" / "default.toml").read_text("utf-8")
    before, rest = text.split("[value]")
    file = tmp_path / "silent.toml"
    file.write_text(before + "[reasons]" + rest.split("[reasons]")[1], "utf-8")
    words = ("optimise", book, "--model", model_folder, "--policy", file, "--out", tmp_path / "o")
    result = relimit("policy", *words)
    assert result.exit_code == 1
    assert "`value` is missing" in result.output
    assert "Copy [value] from the default policy" in result.output


@pytest.mark.parametrize(
    ("value", "shown"), [(1234.5, "¥1,234"), (-1234.5, "-¥1,234"), (-0.4, "¥0"), (0.4, "¥0")]
)
def test_an_amount_that_rounds_to_nothing_has_no_minus_sign(value: float, shown: str) -> None:
    assert _figure("net_yuan", value, "¥") == shown
