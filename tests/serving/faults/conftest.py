"""A small model over the real catalogue, small books, and a second opinion on a night."""

import json
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from relimit.features import feature_names
from relimit.models import (
    BoostedTrees,
    RiskModel,
    assumed_loss,
    choose_calibration,
    load_model,
    save_model,
)
from relimit.policy import load_policy
from relimit.serving.manifest import sha256_of
from relimit.serving.requests import Night
from relimit.serving.scorer import Scorer

TIME = pa.timestamp("us", tz="UTC")
START = datetime(2026, 1, 1, tzinfo=UTC)
SINCE, AS_OF = START + timedelta(days=60), START + timedelta(days=62)
FEATURES = ("outstanding", "utilisation_now", "prepay_count_90d", "draw_count_90d")

Event = tuple[Any, datetime, str, int | None]
Prepaid = tuple[Any, datetime, int]


@pytest.fixture(scope="session")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a model with a few trees over four features of the catalogue."""
    assert set(FEATURES) <= set(feature_names())
    rng = np.random.default_rng(0)
    rows = pd.DataFrame({name: rng.gamma(2, 2, 2_000) for name in FEATURES})
    risk = 1 / (1 + np.exp(2 - rows["prepay_count_90d"] / 4))
    bad = rng.random(len(rows)) < risk
    trees = BoostedTrees(max_trees=20, learning_rate=0.1, num_threads=1).fit(rows, bad)
    calibration = choose_calibration(trees.log_odds(rows), bad.to_numpy()).calibration
    model = RiskModel.assemble(
        trees, calibration=calibration, loss=assumed_loss(), reference_rows=rows
    )
    folder = tmp_path_factory.mktemp("models") / "small"
    save_model(model, folder, manifest={})
    return folder


@pytest.fixture(scope="session")
def scorer(small_model: Path) -> Scorer:
    return Scorer(load_model(small_model), load_policy(None))


def table_of(events: Sequence[Event], known_at: Sequence[datetime] | None = None) -> pa.Table:
    """Events as (account, ts, kind, amount) rows, in the order given."""
    account, ts, kind, amount = zip(*events, strict=True)
    columns = {
        "account_id": pa.array(list(account)),
        "ts": pa.array(ts, TIME),
        "kind": pa.array(list(kind)),
        "amount": pa.array(amount, pa.int64()),
    }
    if known_at is not None:
        columns["known_at"] = pa.array(known_at, TIME)
    return pa.table(columns)


def line(account: Any, *prepaid: tuple[datetime, int | None]) -> list[Event]:
    """A sound history: a limit, a draw, and then prepayments."""
    events: list[Event] = [
        (account, START, "limit", 1_000_000),
        (account, START + timedelta(days=1), "draw", 500_000),
    ]
    return [*events, *((account, time, "prepayment", amount) for time, amount in prepaid)]


def a_book(accounts: int, seed: int, *, spoilt: int = 0) -> pa.Table:
    """Sound histories with a prepayment or more in the night; the first few can't be decided."""
    rng = np.random.default_rng(seed)
    events: list[Event] = []
    for account in range(accounts):
        times = sorted(SINCE + timedelta(minutes=int(m)) for m in rng.integers(-3_000, 2_880, 3))
        amounts = [int(amount) for amount in rng.integers(1, 90_000, 3)]
        events += line(account, *zip(times, amounts, strict=True))
        if account < spoilt:
            events.append((account, SINCE - timedelta(days=9), "repayment", None))
            events.append((account, AS_OF, "prepayment", 5))
    return table_of(events)


def prepaid_in_the_night(table: pa.Table) -> list[Prepaid]:
    """What must be decided or quarantined, by a plain loop over the rows."""
    by_account: dict[Any, list[tuple[datetime, int]]] = defaultdict(list)
    for row in table.to_pylist():
        known = row.get("known_at") or row["ts"]
        if row["kind"] == "prepayment" and SINCE < known <= AS_OF and row["amount"] != 0:
            by_account[row["account_id"]].append((known, row["amount"] or 0))
    expected: list[Prepaid] = []
    for account, prepaid in by_account.items():
        group: list[tuple[datetime, int]] = []
        for known, amount in sorted(prepaid):
            if group and known - group[0][0] > timedelta(hours=24):
                expected.append((account, group[-1][0], sum(paid for _, paid in group)))
                group = []
            group.append((known, amount))
        expected.append((account, group[-1][0], sum(paid for _, paid in group)))
    return sorted(expected)


def answered(out: Path) -> list[Prepaid]:
    """What was decided or quarantined, each as often as it is there."""
    rows = [
        row
        for folder in ("decisions", "quarantine")
        for row in pq.read_table(out / folder)
        .select(["account_id", "as_of", "prepaid"])
        .to_pylist()
    ]
    return sorted((row["account_id"], row["as_of"], row["prepaid"]) for row in rows)


def results_of(out: Path) -> dict[str, Any]:
    """Every file of a run by its path, as the digest of its bytes; the manifest but for timings."""
    found = [path for path in out.rglob("*") if path.is_file()]
    files: dict[str, Any] = {path.relative_to(out).as_posix(): sha256_of(path) for path in found}
    if "manifest.json" in files:
        files["manifest.json"] = json.loads((out / "manifest.json").read_text())
        del files["manifest.json"]["timings"]
    return files


@pytest.fixture(scope="session")
def night() -> SimpleNamespace:
    """The night that is scored, books to score, and what must come of them."""
    return SimpleNamespace(
        start=START,
        since=SINCE,
        as_of=AS_OF,
        words=["--since", SINCE.isoformat(), "--as-of", AS_OF.isoformat()],
        request=Night(SINCE, AS_OF),
        table=table_of,
        line=line,
        book=a_book,
        expected=prepaid_in_the_night,
        answered=answered,
        results=results_of,
    )


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Where a test writes its events."""
    return tmp_path / "events.parquet"


@pytest.fixture
def run(small_model: Path, events: Path, tmp_path: Path, night: Any, relimit: Any) -> Any:
    """Score the night into `out`, with more words if given, as a shell would."""

    def run(*words: object) -> Result:
        files = ["--model", small_model, "--events", events, "--out", tmp_path / "out"]
        return relimit("score", *files, *night.words, *words)

    return run


@pytest.fixture
def sound(night: Any, tmp_path: Path, small_model: Path, relimit: Any) -> tuple[pa.Table, pa.Table]:
    """Sound events, and the decisions that they lead to."""
    table = night.book(30, 8)
    path, out = tmp_path / "sound.parquet", tmp_path / "sound"
    pq.write_table(table, path)
    words = ["--model", small_model, "--events", path, *night.words, "--out", out]
    assert relimit("score", *words).exit_code == 0
    return table, pq.read_table(out / "decisions")
