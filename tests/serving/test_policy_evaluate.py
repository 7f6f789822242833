"""`relimit policy evaluate` on part of the demo's book: the summary, the files, the messages."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from relimit import training
from relimit.data.errors import DataError
from relimit.serving import models


def _once(made: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function with its first answer kept."""
    kept: list[Any] = []

    def again(*given: Any, **named: Any) -> Any:
        if not kept:
            kept.append(made(*given, **named))
        return kept[0]

    return again


pytestmark = pytest.mark.usefixtures("roughly")


@pytest.fixture(scope="module", autouse=True)
def _valued_once() -> Iterator[None]:
    """Value the book, which is dear, once for all tests: they look at what is printed."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("read_log_rows", "evaluate_policy"):
            patch.setattr(training, name, _once(getattr(training, name)))
        yield


def test_a_candidate_is_valued_beside_the_incumbent(
    relimit_json, small_book: Path, model_folder: Path, tmp_path: Path
) -> None:
    words = (
        "policy",
        "evaluate",
        small_book,
        "--model",
        model_folder,
        "--all-rows",
        "--out",
        tmp_path,
    )
    said = relimit_json(*words)
    names = [valued["name"] for valued in said["policies"]]
    assert names == ["candidate", "incumbent", "restore all", "restore nothing"]
    incumbent = said["policies"][1]
    assert incumbent["values"]["bad_rate"][said["headline"]]["value"] > 0
    assert json.loads((tmp_path / "policy_value.json").read_text("utf-8")) == said
    page = (tmp_path / "policy_value.html").read_text("utf-8")
    assert "Where history can answer" in page
    assert "what later nights add is not in it" in page


def test_the_summary_says_what_borrowers_see(relimit, small_book: Path, model_folder: Path) -> None:
    files = (
        "--events",
        small_book / "events.parquet",
        "--decisions",
        small_book / "decisions.parquet",
    )
    result = relimit("policy", "evaluate", *files, "--model", model_folder, "--all-rows")
    assert result.exit_code == 0, result.output
    said = " ".join(result.stdout.split())
    for words in ("share_24h", "mean_days", "restore nothing", "measured for the incumbent",
                  "what later nights add is not in it"):  # fmt: skip
        assert words in said
    (kept,) = (row for row in result.stdout.splitlines() if row.startswith("promises kept"))
    assert kept.split()[-1] == "known"  # nothing restored, nothing promised


def test_the_log_is_read_by_what_the_model_calls_bad(
    relimit, book: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read(*_: Any, assumptions: Any, **__: Any) -> Any:
        what = f"read over {assumptions.horizon_days} days at {assumptions.days_past_due}"
        raise DataError(what, where="decisions")

    model = SimpleNamespace(feature_names=("tenure_days",), horizon_days=75, days_past_due=60)
    monkeypatch.setattr(models, "open_model", lambda *_: model)
    monkeypatch.setattr(training, "read_log_rows", read)
    result = relimit("policy", "evaluate", book, "--model", "of-75-days")
    assert result.exit_code == 1
    assert "read over 75 days at 60" in result.output


def test_a_book_without_a_log_is_refused(
    relimit, book: Path, model_folder: Path, tmp_path: Path
) -> None:
    shutil.copy(book / "events.parquet", tmp_path)
    result = relimit("policy", "evaluate", tmp_path, "--model", model_folder)
    assert result.exit_code == 1
    assert "no decisions.parquet in the book" in result.output
    assert "observations" not in result.output
