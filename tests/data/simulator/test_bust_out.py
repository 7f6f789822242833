"""A bust-out is planned ahead: the log tells of it while the account still repays early."""

import numpy as np
import pytest

from relimit.data.simulator.recorder import DETAIL
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, step
from relimit.data.vocabulary import KINDS, MICROSECONDS_PER_DAY

CHANGES = [DETAIL[name] for name in ("device_change", "phone_change", "card_change")]
OVERRIDES = {
    "types": {"share": [0.0] * 5 + [1.0]},
    "drift": {"share": [0.0] * 5 + [1.0]},
    "behaviour": {"bust_monthly": 0.5},
    "faults": {"outage_daily": 0.0, "bank_lag_share": 0.0},
}
"""Everybody busts out, soon."""


@pytest.fixture(scope="module")
def lived():
    """The block of a year, and the day on which each account planned its bust-out."""
    block = make_world(12, 4, load_settings("base", OVERRIDES)).block(np.arange(1, 301))
    planned = np.full(300, -1)
    for day in range(block.calendar.days):
        step(block, day)
        planned[(planned < 0) & (block.standing.bust_day >= 0)] = day
    assert (planned >= 0).sum() > 100
    return block, planned


def days_to_bust(block, kind, details=None):
    """Days from each event of a kind to its account's bust-out; of those who planned one."""
    c = block.recorder.columns()
    chosen = c["kind"] == KINDS.index(kind)
    if details:
        chosen &= np.isin(c["detail"], details)
    row = c["row"][chosen]
    day = (c["ts"][chosen] - block.calendar.instant(0)) // MICROSECONDS_PER_DAY
    bust = block.standing.bust_day[row]
    return (bust - day)[bust >= 0]


def test_the_plan_is_made_five_to_twenty_days_ahead(lived):
    block, planned = lived
    lead = (block.standing.bust_day - planned)[planned >= 0]
    assert (lead.min(), lead.max()) == (5, 20)


def test_devices_phones_and_cards_change_between_the_plan_and_the_bust_out(lived):
    block, planned = lived
    lead = (block.standing.bust_day - planned)[planned >= 0].sum()
    before = days_to_bust(block, "operation", CHANGES)
    in_lead = np.isin(before, np.arange(1, 5)).sum() / (4 * (planned >= 0).sum())
    assert 0.08 < in_lead < 0.16  # 0.06 of devices, 0.03 of phones, 0.03 of cards a day
    assert (before > 20).sum() < 0.1 * lead
    assert (before <= 0).sum() < 0.1 * lead


def test_early_repayments_go_on_until_the_bust_out_and_end_with_it(lived):
    block, _ = lived
    before = days_to_bust(block, "prepayment")
    assert ((before > 0) & (before <= 20)).sum() >= 15
    # A repayment with another lender's money was planned up to two days earlier.
    assert before.min() >= -1


def test_all_that_is_left_is_drawn_once_the_bust_out_has_come(lived):
    block, _ = lived
    drawn = days_to_bust(block, "draw")
    assert (drawn == 0).sum() > 3 * (drawn == 4).sum() > 0
