"""Into distress: the line is drawn down, then instalments are missed."""

import numpy as np

from relimit.data.simulator.behaviour import distressed, draw
from relimit.data.simulator.delinquency import miss_probability
from relimit.data.simulator.monthly import turn_month
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world
from relimit.data.vocabulary import KINDS

LIMIT = 10_000_000
ACCOUNTS = 4_000


def open_block(scenario="base", **overrides):
    """Accounts that all opened on the first day with the same limit, of stress 0."""
    block = make_world(6, 1, load_settings(scenario, overrides)).block(np.arange(1, ACCOUNTS + 1))
    block.people.open_day[:] = 0
    block.standing.open[:] = True
    block.standing.limit[:] = LIMIT
    block.standing.score[:] = 700
    block.standing.stress[:] = 0.0
    return block


def drawn(stress):
    """Return the amounts of one evening's draws by account; fen."""
    block = open_block()
    block.standing.stress[:] = stress
    draw(block, 40)
    columns = block.recorder.columns()
    rows = columns["kind"] == KINDS.index("draw")
    return dict(zip(columns["row"][rows].tolist(), columns["amount"][rows].tolist(), strict=True))


def test_distress_begins_and_ends_at_its_two_levels():
    block = open_block()
    low, high = block.settings.behaviour.distress_stress
    block.standing.stress[:5] = (-1.0, low, (low + high) / 2, high, high + 1.0)
    np.testing.assert_allclose(distressed(block, np.arange(5)), [0.0, 0.0, 0.5, 1.0, 1.0])


def test_who_is_in_distress_draws_more_often_and_takes_most_of_the_room():
    calm, desperate = drawn(0.0), drawn(5.0)
    assert set(calm) < set(desperate)
    assert len(desperate) > 1.5 * len(calm)
    assert all(desperate[row] >= calm[row] for row in calm)
    fill = load_settings().behaviour.distress_fill
    assert min(desperate.values()) >= round(fill * LIMIT)
    assert np.mean(list(calm.values())) < 0.5 * LIMIT


def test_a_line_in_full_use_is_missed_more_often_than_an_empty_one():
    block = open_block()
    everyone = np.arange(ACCOUNTS)
    empty = miss_probability(block, everyone, 100)
    block.standing.outstanding[:] = LIMIT
    full = miss_probability(block, everyone, 100)
    odds = (full / (1 - full)) / (empty / (1 - empty))
    np.testing.assert_allclose(odds, np.exp(block.settings.delinquency.by_use))


def test_under_drift_stress_rises_with_the_days():
    calm, drifting = open_block("base"), open_block("drift")
    for block in (calm, drifting):
        block.people.bill_day[:] = block.calendar.month_day[150]
        turn_month(block, 150)
    drift = drifting.settings.drift.stress * 150 / calm.calendar.days
    same = calm.people.kind == drifting.people.kind
    rise = (drifting.standing.stress - calm.standing.stress)[same]
    np.testing.assert_allclose(rise, calm.settings.behaviour.stress_reversion * drift)
