"""The oracle is what re-running the world with that one decision changed would have given."""

import numpy as np
import pyarrow.parquet as pq
import pytest

from relimit.data.simulator import simulate
from relimit.data.simulator.oracle import read_latent_types, read_oracle
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, step
from relimit.data.vocabulary import ARMS, KINDS, MICROSECONDS_PER_DAY

MONTHS, SEED, ACCOUNTS, SAMPLED = 11, 9, 500, 60
HORIZON = 180 * MICROSECONDS_PER_DAY


@pytest.fixture(scope="module")
def book(tmp_path_factory):
    out = tmp_path_factory.mktemp("oracle")
    simulate(out, accounts=ACCOUNTS, months=MONTHS, seed=SEED, oracle=SAMPLED, workers=1)
    return out


def decisions_of(book):
    log = pq.read_table(book / "decisions.parquet").to_pandas()
    oracle = read_oracle(book).to_pandas()
    return oracle, log.set_index("decision_id").loc[oracle.decision_id.unique()]


def rerun(log, arm):
    """Live the accounts' whole lives again from the first day, that one arm forced in each."""
    world = make_world(MONTHS, SEED, load_settings())
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


def test_every_sampled_decision_has_every_arm_once(book):
    oracle, _ = decisions_of(book)
    assert len(oracle) == SAMPLED * len(ARMS)
    arms = oracle.groupby("decision_id")[["share", "delay_days"]].apply(
        lambda rows: [tuple(row) for row in rows.to_numpy().tolist()]
    )
    assert all(order == [tuple(map(float, arm)) for arm in ARMS] for order in arms)


def test_outcomes_are_those_of_the_world_rerun_with_one_decision_changed(book):
    oracle, log = decisions_of(book)
    for arm in (0, 12, 20):
        truth = oracle.groupby("decision_id", sort=False).nth(arm)
        assert truth.decision_id.tolist() == log.index.tolist()
        block, decided_at, paid, carried = rerun(log, arm)
        funding = np.rint(carried * (block.settings.product.funding_cost_yearly / 365))
        assert truth.margin.tolist() == (paid - funding).astype(int).tolist()
        assert truth.bad.tolist() == bad_in(block.recorder.columns(), decided_at).tolist()


def bad_in(c, decided_at):
    late = (c["kind"] == KINDS.index("overdue")) & (c["value"] >= 30)
    after = c["ts"] - decided_at[c["row"]]
    rows = c["row"][late & (after > 0) & (after <= HORIZON)]
    return np.bincount(rows, minlength=len(decided_at)) > 0


def test_the_arm_that_was_logged_has_the_outcome_that_was_logged(book):
    oracle, log = decisions_of(book)
    events = pq.read_table(book / "events.parquet").to_pandas()
    late = events[(events.kind == "overdue") & (events["value"] >= 30)]
    own = oracle.merge(
        log.reset_index(), on=["decision_id", "share", "delay_days"], validate="one_to_one"
    )
    assert len(own) == SAMPLED
    for row in own.itertuples():
        mine = late[late.account_id == row.account_id].ts - row.decided_at
        days = mine.dt.total_seconds() / 86_400
        assert row.bad == bool(((days > 0) & (days <= 180)).any())


def test_nothing_restored_is_the_same_however_long_the_delay(book):
    oracle, _ = decisions_of(book)
    nothing = oracle[oracle.share == 0].drop(columns="delay_days")
    assert (nothing.groupby("decision_id").nunique().max() <= 1).all()


def test_only_bad_outcomes_lose_money(book):
    oracle, _ = decisions_of(book)
    assert 0 < oracle.bad.sum() < len(oracle)
    assert (oracle.loss[~oracle.bad] == 0).all()
    assert (oracle.loss >= 0).all()
    assert oracle.p_bad.between(0, 1).all()


def test_latent_types_stand_beside_the_oracle_and_nowhere_else(book):
    types = read_latent_types(book)
    assert types.num_rows == ACCOUNTS
    names = set(load_settings().types.name)
    assert set(types["type"].to_pylist()) <= names
    for table in ("events", "accounts", "decisions"):
        rows = pq.read_table(book / f"{table}.parquet")
        words = {str(v) for c in rows.column_names for v in rows[c].unique().to_pylist()}
        assert not words & names
