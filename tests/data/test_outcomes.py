"""What came of a logged decision is what the simulator's oracle says of the logged arm."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from relimit.data import DataError, realised, write_parquet
from relimit.data.schema import realised_schema
from relimit.data.simulator.branches import play_out
from relimit.data.simulator.sampling import Sample
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.tables import encoded
from relimit.data.simulator.world import make_world, run_block

TIME = pa.timestamp("us", tz="UTC")
START = datetime(2025, 1, 1, tzinfo=UTC)  # eight in the morning in Shanghai
DAY = timedelta(days=1)
MONEY = {"loss_given_default": 1.0, "funding_cost_yearly": 0.365}
OUTCOMES = ["limit", "bad", "loss", "margin", "restored", "restored_days"]


@pytest.fixture(scope="module")
def played(tmp_path_factory):
    """A risky world's log with what came of it, the oracle at the logged arms, and the losses."""
    risky = {"types": {"forgetful": [-4.5] * 6}, "delinquency": {"cure_1_29": 0.02}}
    world = make_world(11, 9, load_settings("base", risky))
    tables = run_block(world, 1, 501)
    events = tmp_path_factory.mktemp("world") / "events.parquet"
    write_parquet(encoded(tables.events), events)
    sample = Sample(world, 120)
    sample.offer(tables.decisions)
    oracle = play_out(world, sample.chosen(), replicates=0).to_pandas()
    ends = world.calendar().instant(world.calendar().days)
    came = realised(
        events,
        tables.decisions,
        as_of=datetime.fromtimestamp(ends / 1e6, tz=UTC),
        loss_given_default=1.0,
        funding_cost_yearly=world.settings.product.funding_cost_yearly,
    )
    people = world.block(np.arange(1, 501)).people
    share = pd.Series(people.loss_given_default, index=people.account_id)
    return came, oracle, share


def test_a_logged_arm_has_the_oracles_bad_loss_and_margin(played):
    came, oracle, share = played
    both = oracle.merge(
        came.to_pandas(), on=["decision_id", "share", "delay_days"], suffixes=("", "_seen")
    )
    assert len(both) == 120
    assert both.bad.sum() > 10
    assert both.bad.tolist() == both.bad_seen.tolist()
    assert both.margin.tolist() == both.margin_seen.tolist()
    expected = np.rint(share[both.account_id].to_numpy() * both.loss_seen)
    assert (both.loss > 0).any()
    assert both.loss.tolist() == expected.tolist()


def test_what_has_not_matured_is_null(played):
    came, _, _ = played
    young = came.filter(came["bad"].is_null())
    assert 0 < young.num_rows < came.num_rows
    assert all(young[name].null_count == young.num_rows for name in OUTCOMES)
    last = came.filter(came["bad"].is_valid())["decided_at"].to_pandas().max()
    first = young["decided_at"].to_pandas().min()
    assert last < first


def test_the_decided_share_comes_back_after_its_delay(played):
    frame = played[0].to_pandas().query("restored_days.notna() and bad.notna()")
    late = frame.restored_days - frame.delay_days
    assert (late.round(1) >= -0.5).all()
    assert late.median() < 1.0


def log_of(*rows):
    """Log decisions of (id, account, day, freed, share, delay)."""
    ids, account, day, freed, share, delay = zip(*rows, strict=True)
    return pa.table(
        {
            "decision_id": list(ids),
            "account_id": pa.array(list(account)),
            "decided_at": pa.array([START + d * DAY for d in day], TIME),
            "prepaid": list(freed),
            "freed": list(freed),
            "share": list(map(float, share)),
            "delay_days": pa.array(list(delay), pa.int32()),
        }
    )


def events_of(folder, *rows):
    """Write events of (account, day, kind, amount, detail)."""
    account, day, kind, amount, detail = zip(*rows, strict=True)
    table = pa.table(
        {
            "account_id": pa.array(list(account)),
            "ts": pa.array([START + d * DAY for d in day], TIME),
            "kind": list(kind),
            "amount": pa.array(list(amount), pa.int64()),
            "detail": pa.array(list(detail), pa.string()),
        }
    )
    write_parquet(table, folder / "events.parquet")
    return folder / "events.parquet"


def test_margin_counts_whole_days_of_interest_and_of_funding(tmp_path):
    events = events_of(
        tmp_path,
        (1, 0, "draw", 100_000, None),
        (1, 9.9, "interest_payment", 7, None),  # Shanghai's next morning, the decision's own
        (1, 9.2, "interest_payment", 1_000, None),  # the day before
        (1, 10.1, "prepayment", 40_000, None),
        (1, 12.1, "interest_payment", 500, None),
        (1, 12.9, "interest_payment", 9_000, None),  # the third day's morning after midnight
        (1, 30, "draw", 1, None),
    )
    log = log_of(("d", 1, 10.1, 40_000, 1.0, 0))
    came = realised(events, log, horizon_days=2, **MONEY)
    # Three mornings at 0.1% a day: 100,000 before the prepayment, then 60,000 twice.
    assert came["margin"].to_pylist() == [7 + 500 - (100 + 60 + 60)]


@pytest.mark.parametrize(
    ("share", "delay", "said"),
    [(50.0, 3, "share is out of range in 1 of 2 rows"), (0.5, -1, "delay_days is out of range")],
)
def test_a_log_in_per_cent_is_refused(tmp_path, share, delay, said):
    events = events_of(tmp_path, (1, 0, "limit", 100_000, None), (1, 300, "limit", 1, None))
    log = log_of(("a", 1, 10, 100_000, 1.0, 0), ("b", 1, 11, 100_000, share, delay))
    with pytest.raises(DataError, match=said):
        realised(events, log, **MONEY)


def test_days_are_counted_until_the_decided_share_is_back(tmp_path):
    events = events_of(
        tmp_path,
        (1, 0, "limit", 100_000, None),
        (1, 12, "restored", 30_000, "half"),
        (1, 14, "restored", 19_950, "half"),  # fifty fen were lost to rounding
        (1, 40, "restored", 50_000, "half"),
        (1, 41, "restored", 777, "another"),
        (2, 11, "restored", 10_000, "short"),
        (2, 71, "restored", 40_000, "short"),  # a day too late to count
        (3, 0, "limit", 100_000, None),
        (3, 300, "limit", 100_000, None),
    )
    log = log_of(
        ("half", 1, 10, 100_000, 0.5, 3),
        ("short", 2, 10, 100_000, 0.5, 3),
        ("none", 3, 10, 100_000, 0.0, 30),
    )
    came = realised(events, log, horizon_days=60, **MONEY)
    assert came["restored"].to_pylist() == [99_950, 10_000, 0]
    assert came["restored_days"].to_pylist() == [4.0, None, None]
    assert came["limit"].to_pylist() == [100_000, None, 100_000]
    assert came.schema == realised_schema()


@pytest.mark.parametrize(("ends", "margin"), [(12.6, None), (12.7, 0)])
def test_a_decision_matures_when_its_last_day_is_over_in_shanghai(tmp_path, ends, margin):
    events = events_of(tmp_path, (1, 0, "limit", 9, None))
    log = log_of(("a", 1, 10.1, 5, 1.0, 0))
    came = realised(events, log, horizon_days=2, as_of=START + ends * DAY, **MONEY)
    assert came["margin"].to_pylist() == [margin]


def test_accounts_without_events_have_no_outcome(tmp_path):
    events = events_of(tmp_path, (1, 0, "limit", 9, None), (1, 300, "limit", 9, None))
    log = log_of(("a", 2, 10, 5, 1.0, 0), ("b", 1, 10, 5, 1.0, 0))
    came = realised(events, log, **MONEY)
    assert came["margin"].to_pylist() == [None, 0]


def test_a_log_of_strangers_is_refused(tmp_path):
    events = events_of(tmp_path, (1, 0, "limit", 9, None))
    with pytest.raises(DataError, match="none of the 1 decisions"):
        realised(events, log_of(("a", 2, 10, 5, 1.0, 0)))
    with pytest.raises(DataError, match="freed is missing"):
        realised(events, log_of(("a", 2, 10, 5, 1.0, 0)).drop_columns("freed"))
    with pytest.raises(ValueError, match="funding"):
        realised(events, log_of(("a", 1, 10, 5, 1.0, 0)), funding_cost_yearly=-0.1)
