"""What a command reads where it is given a book, or files in its place."""

from pathlib import Path

import pyarrow as pa
import pytest

from relimit.data.errors import DataError
from relimit.data.schema import DETAIL, TIME, WORD, decisions_log_schema
from relimit.data.tables import write_parquet
from relimit.serving.inputs import say_label, training_input

DAY = 86_400_000_000


@pytest.fixture
def log(tmp_path: Path) -> Path:
    """A book of one decision on day 10 whose account is 30 days past due on day 120, of 300."""
    days, kinds = [0, 1, 10, 120, 300], ["limit", "draw", "prepayment", "overdue", "cured"]
    times = pa.array([day * DAY for day in days], TIME)
    events = pa.table(
        {
            "account_id": pa.array([1] * 5, pa.int64()),
            "ts": times,
            "known_at": times,
            "kind": pa.array(kinds, pa.string()).cast(WORD),
            "amount": pa.array([100_000, 50_000, 20_000, 9_000, None], pa.int64()),
            "value": pa.array([None, None, None, 30, None], pa.int32()),
            "loan_id": pa.nulls(5, pa.int64()),
            "detail": pa.nulls(5, pa.string()).cast(DETAIL),
        }
    )
    decision = {
        "decision_id": "d", "account_id": 1, "decided_at": 10 * DAY, "prepaid": 20_000,
        "freed": 20_000, "share": 1.0, "delay_days": 0, "propensity": 0.5, "policy": "old",
    }  # fmt: skip
    write_parquet(events, tmp_path / "events.parquet")
    decisions = pa.Table.from_pylist([decision], decisions_log_schema())
    write_parquet(decisions, tmp_path / "decisions.parquet")
    return tmp_path


@pytest.mark.parametrize(("horizon", "bad"), [(109, False), (110, True), (291, None)])
def test_a_books_log_is_observed_for_the_horizon_that_is_asked_for(log, horizon, bad):
    found = training_input(log, horizon_days=horizon).observations
    assert found["bad"].to_pylist() == [bad]


def test_files_in_a_books_place_may_come_with_accounts(log, tmp_path):
    who = pa.table({"account_id": pa.array([1]), "opened_at": pa.array([0], TIME), "sex": ["f"]})
    write_parquet(who, tmp_path / "who.parquet")
    write_parquet(training_input(log).observations, tmp_path / "observed.parquet")
    files = log / "events.parquet", tmp_path / "observed.parquet"
    assert training_input(files).accounts is None
    for source in (files, log):
        found = training_input(source, accounts=tmp_path / "who.parquet").accounts
        assert found["sex"].to_pylist() == ["f"]


def test_observations_say_over_how_many_days_they_were_labelled(log, tmp_path, relimit):
    out = tmp_path / "observed.parquet"
    assert relimit("observe", log, "--horizon", 110, "--out", out).exit_code == 0
    files = log / "events.parquet", out
    for asked in (None, 110):
        found = training_input(files, horizon_days=asked)
        assert found.horizon_days == 110
        assert found.observations["bad"].to_pylist() == [True]
    with pytest.raises(DataError, match="labelled over 110 days, not 90"):
        training_input(files, horizon_days=90)


def test_observations_say_from_how_many_days_past_due_an_account_is_bad(log, tmp_path, relimit):
    out = tmp_path / "observed.parquet"
    assert relimit("observe", log, "--dpd", 31, "--out", out).exit_code == 0
    files = log / "events.parquet", out
    for asked in (None, 31):
        found = training_input(files, days_past_due=asked)
        assert found.days_past_due == 31
        assert found.observations["bad"].to_pylist() == [False]
    with pytest.raises(DataError, match=r"labelled by 31 days past due, not 30.*--dpd"):
        training_input(files, days_past_due=30)


@pytest.mark.parametrize(("days", "bad"), [(30, True), (31, False)])
def test_a_books_log_is_observed_by_the_days_past_due_that_are_asked_for(log, days, bad):
    found = training_input(log, days_past_due=days)
    assert found.observations["bad"].to_pylist() == [bad]
    assert found.days_past_due == days


def test_observations_that_say_nothing_are_believed_to_be_as_asked(log, tmp_path):
    write_parquet(training_input(log).observations, tmp_path / "observed.parquet")
    files = log / "events.parquet", tmp_path / "observed.parquet"
    assert training_input(files).horizon_days == 180
    assert training_input(files, horizon_days=90).horizon_days == 90
    assert training_input(files).days_past_due == 30
    assert training_input(files, days_past_due=60).days_past_due == 60
    assert "over 180 days and by 30 days past due is assumed" in training_input(files).assumed
    assert training_input(files, days_past_due=60).assumed.endswith("Give --horizon")
    assert training_input(files, horizon_days=90, days_past_due=60).assumed is None
    assert training_input(log).assumed is None


def test_parts_of_unlike_horizons_are_refused(log, tmp_path):
    folder = tmp_path / "parts"
    folder.mkdir()
    for days in (90, 120):
        part = say_label(training_input(log, horizon_days=days).observations, days, 30)
        write_parquet(part, folder / f"{days}.parquet")
    with pytest.raises(DataError, match="labelled over 120, 90 days"):
        training_input((log / "events.parquet", folder))
