"""The oracle is what re-running the world with that one decision changed would have given."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relimit.data.simulator import simulate
from relimit.data.simulator.branches import play_out
from relimit.data.simulator.oracle import read_latent_types, read_oracle
from relimit.data.simulator.sampling import Sample
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, run_block, step
from relimit.data.vocabulary import ARMS, KINDS, MICROSECONDS_PER_DAY

SAMPLED = 60
HORIZON = 180 * MICROSECONDS_PER_DAY
RISKY = {"types": {"forgetful": [-4.5] * 6}, "delinquency": {"cure_1_29": 0.02}}
WORLD = make_world(11, 9, load_settings("base", RISKY))


@pytest.fixture(scope="module")
def played():
    """A risky world's tables, and its oracle."""
    tables = run_block(WORLD, 1, 501)
    sample = Sample(WORLD, SAMPLED)
    sample.offer(tables.decisions)
    oracle = play_out(WORLD, sample.chosen(), replicates=2).to_pandas()
    log = tables.decisions.to_pandas().set_index("decision_id")
    return tables.events, log.loc[oracle.decision_id.unique()], oracle


def rerun(log, arm, world=WORLD):
    """Live the accounts' whole lives again from the first day, one arm forced in each decision."""
    block = world.block(log.account_id.to_numpy())
    decided_at = log.decided_at.dt.tz_convert(None).to_numpy().astype("datetime64[us]").astype(int)
    decided_on = (decided_at - block.calendar.midnight) // MICROSECONDS_PER_DAY
    block.standing.forced_day[:] = decided_on
    block.standing.forced_arm[:] = arm
    paid, carried = np.zeros(len(log), int), np.zeros(len(log), int)
    for day in range(block.calendar.days):
        for sign, today in ((-1, decided_on), (1, decided_on + 181)):
            paid += sign * (today == day) * block.tally.interest_paid
            carried += sign * (today == day) * block.tally.balance_days
        step(block, day)
    return block, decided_at, paid, carried


def test_every_sampled_decision_has_every_arm_once(played):
    _, _, oracle = played
    assert len(oracle) == SAMPLED * len(ARMS)
    arms = oracle.groupby("decision_id")[["share", "delay_days"]].apply(
        lambda rows: [tuple(row) for row in rows.to_numpy().tolist()]
    )
    assert all(order == [tuple(map(float, arm)) for arm in ARMS] for order in arms)


def test_outcomes_are_those_of_the_world_rerun_with_one_decision_changed(played):
    _, log, oracle = played
    log = log.loc[log.index.repeat(len(ARMS))]
    assert oracle.decision_id.tolist() == log.index.tolist()
    arm = np.tile(np.arange(len(ARMS)), SAMPLED)
    block, decided_at, paid, carried = rerun(log, arm)
    funding = np.rint(carried * (block.settings.product.funding_cost_yearly / 365))
    np.testing.assert_array_equal(oracle.margin, (paid - funding).astype(int))
    bad_at = bad_in(block.recorder.columns(), decided_at)
    np.testing.assert_array_equal(oracle.bad, bad_at > 0)
    np.testing.assert_array_equal(oracle.loss, lost(block, log.freed, decided_at, bad_at))
    assert (oracle.loss > 0).sum() > 100
    assert oracle.groupby("decision_id").loss.nunique().max() > 1


def bad_in(c, decided_at):
    """When each row first was 30 days late after its decision; 0 if it was not."""
    late = (c["kind"] == KINDS.index("overdue")) & (c["value"] >= 30)
    after = c["ts"] - decided_at[c["row"]]
    events = np.flatnonzero(late & (after > 0) & (after <= HORIZON))
    bad_at = np.zeros(len(decided_at), dtype=int)
    bad_at[c["row"][events[::-1]]] = c["ts"][events[::-1]]
    return bad_at


def lost(block, freed, decided_at, bad_at):
    """Loss by the log of the rerun: what was owed when it went bad beyond limit less freed."""
    c = block.recorder.columns()
    sign = {"draw": 1, "repayment": -1, "prepayment": -1, "charge_off": -1}
    losses = []
    for row, (more, decided, bad) in enumerate(zip(freed, decided_at, bad_at, strict=True)):
        mine = c["row"] == row
        kind, ts, amount = (c[name][mine] for name in ("kind", "ts", "amount"))
        limits = (kind == KINDS.index("limit")) & (ts <= decided)
        limit = amount[limits][-1]
        factor = np.array([sign.get(KINDS[code], 0) for code in kind])
        owed = (factor * amount)[ts < bad].sum()
        share = block.people.loss_given_default[row]
        losses.append(np.rint(share * max(owed - limit + more, 0)) if bad else 0)
    return np.array(losses, dtype=int)


def test_the_limit_is_the_decisions_own_where_it_was_raised_that_morning():
    # All in good standing are raised each month; few repay early on just that day.
    overrides = {
        "types": {"forgetful": [-3.0] * 6, "prepay": [0.02] * 6},
        "delinquency": {"cure_1_29": 0.02},
        "lender": {
            "limit_raise_share": 1.0, "limit_raise_score": 0.0, "limit_raise": 1.1,
            "limit_review_days": 30,
        },
    }  # fmt: skip
    world = make_world(11, 9, load_settings("base", overrides))
    tables = run_block(world, 1, 501)
    log, events = tables.decisions.to_pandas(), tables.events.to_pandas()
    reviews = events[(events.kind == "limit") & (events.detail == "review")]
    both = log.merge(reviews[["account_id", "ts"]], on="account_id")
    gap = both.decided_at - both.ts
    same = both.decision_id[(gap > pd.Timedelta(0)) & (gap < pd.Timedelta("12h"))]
    sample = Sample(world, 60)
    sample.offer(tables.decisions.filter(pa.array(log.decision_id.isin(same))))
    oracle = play_out(world, sample.chosen(), replicates=0).to_pandas()
    log = log.set_index("decision_id").loc[oracle.decision_id.unique()]
    block, decided_at, _, _ = rerun(log, np.full(len(log), 24), world)
    bad_at = bad_in(block.recorder.columns(), decided_at)
    loss = lost(block, log.freed, decided_at, bad_at)
    assert (loss > 0).any()
    np.testing.assert_array_equal(oracle.groupby("decision_id", sort=False).nth(24).loss, loss)


def test_fresh_futures_go_bad_as_often_as_the_worlds_own(played):
    _, _, oracle = played
    gap = (oracle.p_bad - oracle.bad).groupby(oracle.decision_id).mean()
    assert (gap != 0).any()
    assert abs(gap.mean()) < 3 * gap.std() / np.sqrt(SAMPLED)


def test_the_arm_that_was_logged_has_the_outcome_that_was_logged(played):
    events, log, oracle = played
    events = events.to_pandas()
    late = events[(events.kind == "overdue") & (events["value"] >= 30)]
    own = oracle.merge(
        log.reset_index(), on=["decision_id", "share", "delay_days"], validate="one_to_one"
    )
    assert len(own) == SAMPLED
    for row in own.itertuples():
        mine = late[late.account_id == row.account_id].ts - row.decided_at
        days = mine.dt.total_seconds() / 86_400
        assert row.bad == bool(((days > 0) & (days <= 180)).any())


def test_arrears_that_end_on_the_day_of_the_decision_are_not_its_outcome():
    # All miss, and are cured on the day that 30 days are told of; few borrow again afterwards.
    overrides = {
        "types": {
            "forgetful": [60.0] * 6, "draw": [0.001] * 6, "draw_excitation": [0.0] * 6,
            "prepay": [0.03] * 6, "prepay_excitation": [0.0] * 6, "prepay_full": [1.0] * 6,
            "lender_funded": [0.0] * 6,
        },
        "delinquency": {"cure_1_29": 0.0, "cure_30_59": 60.0, "cure_by_stress": 0.0},
        "behaviour": {"distress_draw": 0.0},
        "population": {"opening_share_of_period": 0.0},
    }  # fmt: skip
    world = make_world(11, 9, load_settings("base", overrides))
    tables = run_block(world, 1, 801)
    log, events = tables.decisions.to_pandas(), tables.events.to_pandas()
    late = events[(events.kind == "overdue") & (events["value"] == 30)]
    both = log.merge(late, on="account_id")
    gap = both.decided_at - both.ts
    same_night = both[(gap > pd.Timedelta(0)) & (gap < pd.Timedelta("1D"))]
    sample = Sample(world, 40)
    sample.offer(tables.decisions.filter(pa.array(log.decision_id.isin(same_night.decision_id))))
    oracle = play_out(world, sample.chosen(), replicates=0).to_pandas()
    own = oracle.merge(log, on=["decision_id", "share", "delay_days"], validate="one_to_one")
    assert len(own) > 5
    assert not own.bad.all()
    for row in own.itertuples():
        since = late[late.account_id == row.account_id].ts - row.decided_at
        assert row.bad == bool(since.between(pd.Timedelta(1), pd.Timedelta("180D")).any())


def test_nothing_restored_is_the_same_however_long_the_delay(played):
    _, _, oracle = played
    nothing = oracle[oracle.share == 0].drop(columns="delay_days")
    assert (nothing.groupby("decision_id").nunique().max() <= 1).all()


def test_only_bad_outcomes_lose_money(played):
    _, _, oracle = played
    assert 0 < oracle.bad.sum() < len(oracle)
    assert (oracle.loss[~oracle.bad] == 0).all()
    assert (oracle.loss >= 0).all()
    assert oracle.p_bad.between(0, 1).all()


def test_a_book_keeps_its_truth_apart(tmp_path):
    simulate(tmp_path, accounts=120, months=8, seed=9, oracle=3, workers=1)
    assert read_oracle(tmp_path).num_rows == 3 * len(ARMS)
    types = read_latent_types(tmp_path)
    assert types.num_rows == 120
    names = set(load_settings().types.name)
    assert set(types["type"].to_pylist()) <= names
    for table in ("events", "accounts", "decisions"):
        rows = pq.read_table(tmp_path / f"{table}.parquet")
        words = {str(v) for c in rows.column_names for v in rows[c].unique().to_pylist()}
        assert not words & names


def test_few_decisions_make_a_small_oracle(tmp_path):
    simulate(tmp_path, accounts=5, months=2, seed=9, oracle=3, workers=1)
    assert read_oracle(tmp_path).num_rows == 0
