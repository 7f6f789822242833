"""A small book, and one tracking store for each module, all copies of one with empty tables."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from relimit.data.schema import DETAIL, TIME, WORD
from relimit.data.tables import write_parquet
from relimit.data.vocabulary import ARMS
from relimit.features import model_feature_names
from relimit.policy.outcome import Situation
from relimit.training.arm_outcomes import ArmOutcomes
from relimit.training.logged_book import Came, LoggedBook, Signals
from relimit.training.run import train
from relimit.training.store import SQLITE
from relimit.training.tracking import open_client

DAY = 86_400_000_000


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory) -> Path:
    """A store whose tables MLflow has made, which takes it seconds."""
    store = tmp_path_factory.mktemp("empty") / "mlflow.db"
    open_client(f"{SQLITE}{store}", create=True)
    return store


@pytest.fixture(scope="module")
def tracking_uri(tmp_path_factory, empty_store) -> str:
    return f"{SQLITE}{shutil.copy(empty_store, tmp_path_factory.mktemp('store'))}"


@pytest.fixture(autouse=True)
def _no_mlflow_settings(monkeypatch):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.delenv("MLFLOW_REGISTRY_URI", raising=False)


def make_events(folder: Path, accounts: int = 400, seed: int = 0) -> tuple[Path, np.ndarray]:
    """Write a small history in which the size of the draws and earlier arrears tell the risk."""
    rng = np.random.default_rng(seed)
    weakness = rng.normal(size=accounts)
    rows = []
    for account in range(accounts):
        rows.append((account, 0, "limit", 1_000_000, None))
        for month in range(30):
            drawn = int(10_000 * np.exp(weakness[account] + rng.normal() * 0.3))
            rows.append((account, 30 * month + 1, "draw", drawn, None))
            rows.append((account, 30 * month + 20, "prepayment", drawn // 2, None))
            if rng.random() < 0.1 + 0.2 * (weakness[account] > 0.5):
                rows.append((account, 30 * month + 25, "overdue", drawn // 3, 5))
                rows.append((account, 30 * month + 27, "cured", None, None))
    columns = list(zip(*rows, strict=True))
    table = pa.table(
        {
            "account_id": pa.array(columns[0], pa.int64()),
            "ts": pa.array([day * DAY for day in columns[1]], TIME),
            "known_at": pa.array([day * DAY for day in columns[1]], TIME),
            "kind": pa.array(columns[2], pa.string()).cast(WORD),
            "amount": pa.array(columns[3], pa.int64()),
            "value": pa.array(columns[4], pa.int32()),
            "loan_id": pa.nulls(len(rows), pa.int64()),
            "detail": pa.nulls(len(rows), pa.string()).cast(DETAIL),
        }
    )
    write_parquet(table, folder / "events.parquet")
    return folder / "events.parquet", weakness


def make_observations(weakness: np.ndarray, *, arms: bool, seed: int = 1) -> pa.Table:
    """Observe every account each second month; the last ones have not matured."""
    rng = np.random.default_rng(seed)
    account = np.repeat(np.arange(len(weakness)), 14)
    day = np.tile(np.arange(60, 900, 60), len(weakness))
    size = len(account)
    propensity = 1 / (1 + np.exp(weakness[account]))
    full = rng.random(size) < propensity
    bad = rng.random(size) < 1 / (1 + np.exp(1.5 - 1.2 * weakness[account] - 0.3 * full))
    columns = {
        "account_id": pa.array(account),
        "as_of": pa.array(day * DAY, TIME),
        "bad": pa.array([None if d > 720 else bool(b) for d, b in zip(day, bad, strict=True)]),
    }
    if arms:
        columns |= {
            "freed": pa.array(np.full(size, 50_000)),
            "share": pa.array(np.where(full, 1.0, 0.5)),
            "delay_days": pa.array(np.where(full, 0, 7), pa.int32()),
            "propensity": pa.array(np.where(full, propensity, 1 - propensity)),
            "loss": pa.array(np.where(bad, 20_000, 0)),
        }
    return pa.table(columns)


@pytest.fixture(scope="session")
def history(tmp_path_factory) -> tuple[Path, np.ndarray]:
    return make_events(tmp_path_factory.mktemp("book"))


@pytest.fixture(scope="session")
def observations(history) -> pa.Table:
    """What a user without a decision log brings."""
    return make_observations(history[1], arms=False)


@pytest.fixture(scope="session")
def decided(history) -> pa.Table:
    """Observations of logged decisions."""
    return make_observations(history[1], arms=True)


@pytest.fixture(scope="session")
def versions_uri(tmp_path_factory, empty_store) -> str:
    return f"{SQLITE}{shutil.copy(empty_store, tmp_path_factory.mktemp('versions'))}"


@pytest.fixture(scope="session")
def versions(history, decided, versions_uri):
    """Version 1 sees all features, version 2 none of those that tell the risk."""
    common = {"tracking_uri": versions_uri, "workers": 1}
    good = train(history[0], decided, "lightgbm", **common)
    with pytest.MonkeyPatch.context() as patch:
        blind = tuple(
            n for n in model_feature_names() if n.startswith(("prepay_count", "days_since_prepay"))
        )
        patch.setattr("relimit.training.dataset.model_feature_names", lambda: blind)
        poor = train(history[0], decided, "lightgbm", **common)
    return good, poor


@pytest.fixture(scope="session")
def make_book():
    """Makes a log of 400 decisions, one an account, whose loss is its ratio.

    Of the riskiest, a part has a gate that is `closing` in three days.
    """

    def made(*, closing=0.0, seed=0, **changes):
        n, (part, days) = 400, np.array(ARMS).T
        rng = np.random.default_rng(seed)
        ratio = np.sort(rng.beta(1, 15, n))
        freed = rng.integers(100, 2000, n) * 1_000
        loss = ratio[:, None] * part * freed[:, None]
        margin = (0.02 + 0.05 * part * (1 - days / 180)) * freed[:, None]
        closes = (rng.uniform(size=n) < closing) & (ratio > 0.05)
        logged = np.full(n, ARMS.index((0.75, 7)))
        nothing = np.zeros(n, np.int64)
        situation = Situation(
            freed=freed,
            room=freed,
            loss_ratio=ratio,
            closed=np.zeros((n, 3), bool),
            clearing_days=nothing,
            fault_days=nothing,
            elapsed_days=nothing,
        )
        # Whoever's gate closes is the one that goes bad: the rest of the risky are as good as safe.
        known = np.where(closes, ratio / max(closing, 1e-9), ratio)
        book = LoggedBook(
            decision_id=np.arange(n).astype(str),
            account=np.arange(n),
            freed=freed,
            share=part[logged],
            arm=logged,
            outcomes=ArmOutcomes(loss * 0, loss, margin, 0),
            situation=situation,
            shown=np.eye(2, dtype=bool)[np.arange(n) % 2],
            groups=("distress", "none of these"),
            signals=Signals(
                closed=np.repeat(closes, 12).reshape(n, 4, 3) & [True, False, False],
                expected_loss=np.repeat((known * freed)[:, None], 4, axis=1),
            ),
            came=Came(
                account=np.arange(n),
                freed=freed,
                loss=loss[:, logged[0]],
                loss_expected=loss[:, logged[0]],
                margin=margin[:, logged[0]],
                margin_expected=margin[:, logged[0]],
            ),
            warnings=(),
            place=np.arange(n),
            lines=None,
            horizon_days=180,
        )
        return replace(book, **changes)

    return made
