"""Who leaves, what stays unsettled, what gets stuck, and how late payments are booked."""

import numpy as np
import pytest

from relimit.data.simulator import behaviour, restoration
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, step
from relimit.data.vocabulary import INTEREST_PAYMENT, KINDS, MICROSECONDS_PER_DAY

TYPES = load_settings().types.name


def world(accounts=400, months=6, **overrides):
    block = make_world(months, 8, load_settings("base", overrides)).block(
        np.arange(1, accounts + 1)
    )
    block.standing.open[:] = True
    block.standing.limit[:] = 1_000_000
    return block


def left_after(block, held, days):
    block.standing.held[:] = held
    for day in range(days):
        behaviour.leave(block, day)
    return block.standing.left


def test_nobody_leaves_before_two_weeks_of_being_held_back():
    leaving = {"types": {"leave": [1.0] * 6}}
    assert not left_after(world(**leaving), 400_000, 14).any()
    assert left_after(world(**leaving), 400_000, 15).all()


def test_a_small_part_held_back_drives_nobody_away():
    assert not left_after(world(types={"leave": [1.0] * 6}), 300_000, 60).any()


def test_a_limit_given_back_in_between_starts_the_wait_anew():
    block = world(types={"leave": [1.0] * 6})
    left_after(block, 400_000, 14)
    block.standing.held[:] = 0
    behaviour.leave(block, 14)
    block.standing.held[:] = 400_000
    for day in range(15, 29):
        behaviour.leave(block, day)
    assert not block.standing.left.any()


def test_healthy_types_leave_more_readily_than_stackers_and_bust_outs_never():
    block = world(4_000)
    left = left_after(block, 900_000, 150)
    share = {name: left[block.people.kind == place].mean() for place, name in enumerate(TYPES)}
    assert share["bust_out"] == 0
    assert min(share[name] for name in ("planner", "cycler", "farmer")) > 0.35
    assert 0.05 < share["stacker"] < 0.2


def test_who_has_left_draws_no_more():
    block = world(300, 3)
    block.standing.left[:] = True
    for day in range(20):
        step(block, day)
    assert block.standing.outstanding.sum() == 0


def test_residual_interest_is_settled_whole_and_a_twentieth_of_it_each_day():
    block = world()
    block.standing.residual[:] = 1_240
    block.standing.residual[:40] = 0
    behaviour.settle_residuals(block, 3)
    c = block.recorder.columns()
    assert set(c["kind"].tolist()) == {KINDS.index(INTEREST_PAYMENT)}
    assert (c["amount"] == 1_240).all()
    assert (c["loan"] == -1).all()
    assert c["row"].min() >= 40
    assert 0.02 < len(c["row"]) / 360 < 0.09
    assert (block.standing.residual[c["row"]] == 0).all()
    assert (block.standing.residual > 0).sum() == 360 - len(c["row"])
    assert (block.tally.interest_paid[c["row"]] == 1_240).all()


def test_who_is_held_back_settles_five_times_as_readily():
    block = world(2_000)
    block.standing.residual[:] = 1_240
    block.standing.held[1_000:] = 1
    behaviour.settle_residuals(block, 3)
    settled = block.standing.residual == 0
    assert 0.03 < settled[:1_000].mean() < 0.07
    assert 0.21 < settled[1_000:].mean() < 0.29


def test_a_settled_residual_is_not_settled_twice():
    block = world(product={"residual_settled": 1.0})
    block.standing.residual[:] = 700
    behaviour.settle_residuals(block, 3)
    behaviour.settle_residuals(block, 4)
    assert len(block.recorder.columns()["row"]) == 400


def restored(block, days=100):
    """Restore 500 yuan at once to everybody; return the day each got it, -1 if never."""
    n = len(block.people.key)
    rows = np.arange(n)
    freed = np.full(n, 50_000)
    block.standing.held[:] = freed
    block.standing.decide_time[:] = block.calendar.instant(0)
    log = block.decisions.append(row=rows)
    arm = np.full(n, 20)  # all at once
    restoration._schedule(block, rows, freed, arm, log, day=0)
    for day in range(1, days):
        restoration.release(block, day)
    c = block.recorder.columns()
    came = np.full(n, -1)
    came[c["row"]] = (c["ts"] - block.calendar.instant(0)) // MICROSECONDS_PER_DAY
    assert (block.standing.held == np.where(came < 0, freed, 0)).all()
    return came


def test_what_is_stuck_comes_five_to_sixty_days_late_or_never():
    came = restored(world(2_000, faults={"stuck_share": 1.0, "stuck_forever": 0.4}))
    assert 0.35 < (came < 0).mean() < 0.45
    late = came[came >= 0]
    assert (late.min(), late.max()) == (5, 59)


def test_few_restorations_get_stuck_and_the_rest_come_within_minutes():
    came = restored(world(20_000))
    assert 0.003 < (came != 0).mean() < 0.010
    assert not restored(world(2_000, faults={"stuck_share": 0.0})).any()


@pytest.mark.parametrize("day", [0, 17])
def test_bank_payments_are_booked_one_or_two_days_late_and_others_at_once(day):
    faults = {"bank_lag_share": 1.0, "outage_daily": 0.0}
    block = world(1_000, faults=faults)
    rows = np.arange(1_000)
    ts = block.clock(rows, day, restoration.Purpose.PAY_TIME, (10.0, 17.0))
    late = block.days_late(rows, ts, day)
    assert set(late[block.people.bank].tolist()) == {1, 2}
    assert 0.4 < (late[block.people.bank] == 1).mean() < 0.6
    assert not late[~block.people.bank].any()
    known = block.booked(rows, ts, late, day)
    assert (known[late == 0] == ts[late == 0]).all()
    booked_on = (known - block.calendar.instant(0)) // MICROSECONDS_PER_DAY
    assert (booked_on == day + late).all()
    hour = (known[late > 0] - block.calendar.instant(0)) % MICROSECONDS_PER_DAY / 3.6e9
    assert ((hour >= 8) & (hour < 9)).all()
