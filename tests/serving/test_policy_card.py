"""`relimit policy card` publishes what the policy file says."""

import json

from click.testing import CliRunner

from relimit.policy import load_policy
from relimit.serving.cli import main


def run(*arguments):
    return CliRunner().invoke(main, ["policy", "card", *map(str, arguments)])


def test_the_card_is_printed_in_both_languages():
    printed = run()
    assert printed.exit_code == 0
    assert "提前还款后额度恢复规则" in printed.stdout
    assert "How a limit returns after an early repayment" in printed.stdout


def test_one_language_can_be_asked_for_and_json_is_one_object():
    found = json.loads(run("--language", "zh", "--json").stdout)
    assert list(found["terms"]) == ["zh"]
    assert found["policy_version"] == load_policy().version


def test_pages_are_written_whole_and_in_their_language(tmp_path):
    assert run("--out", tmp_path / "terms").exit_code == 0
    names = {path.name for path in (tmp_path / "terms").iterdir()}
    assert names == {"card_zh.md", "card_zh.html", "card_en.md", "card_en.html"}
    page = (tmp_path / "terms" / "card_zh.html").read_text("utf-8")
    assert '<html lang="zh">' in page
    assert "****" not in (tmp_path / "terms" / "card_en.md").read_text("utf-8")


def test_a_broken_policy_is_refused_with_its_key(tmp_path):
    broken = tmp_path / "policy.toml"
    broken.write_text("[gate]\n", encoding="utf-8")
    refused = run("--policy", broken)
    assert refused.exit_code == 1
    assert "`gate` is not a setting: " in refused.stderr or "Did you mean" in refused.stderr
