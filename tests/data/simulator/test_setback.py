"""A setback: the line is drawn down, little is prepaid, and stress follows."""

import numpy as np
import pytest

from relimit.data.simulator.recorder import DETAIL
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.state import NEVER
from relimit.data.simulator.world import make_world, step
from relimit.data.vocabulary import KINDS, MICROSECONDS_PER_DAY

ACCOUNTS = 300
MONTHS = 5
QUIET = {"population": {"opening_share_of_period": 0.01}, "signals": {"lender_inflow_noise": 0.0}}
NEVER_MISS = {"forgetful": [-60.0] * 6, "lender_funded": [0.0] * 6}


def lived(monthly):
    """Accounts after some months in which nobody misses; setbacks at a monthly hazard."""
    own = {"behaviour": {"setback_monthly": monthly, "setback_by_stress": 0.0}}
    block = make_world(
        MONTHS, 5, load_settings("base", {**QUIET, **own, "types": NEVER_MISS})
    ).block(np.arange(1, ACCOUNTS + 1))
    block.people.open_day[:] = 0
    struck = np.zeros((block.calendar.days, ACCOUNTS), dtype=bool)
    for day in range(block.calendar.days):
        step(block, day)
        struck[day] = block.standing.setback_day != NEVER
    return block, struck


@pytest.fixture(scope="module")
def calm():
    return lived(0.0)


@pytest.fixture(scope="module")
def hit():
    return lived(1.0)


def used(block):
    drawn = block.standing.outstanding + block.standing.held
    return float(drawn.sum() / block.standing.limit.sum())


def test_without_a_hazard_nobody_is_struck(calm):
    assert not calm[1].any()


def test_the_line_is_drawn_down(calm, hit):
    assert used(calm[0]) < 0.7
    assert used(hit[0]) > 0.85


def test_stress_follows(calm, hit):
    assert hit[0].standing.stress.mean() > calm[0].standing.stress.mean() + 1.0


def counted(block, kind, detail=None):
    columns = block.recorder.columns()
    rows = columns["kind"] == KINDS.index(kind)
    return int((rows & (columns["detail"] == DETAIL[detail]) if detail else rows).sum())


def test_little_is_prepaid_meanwhile(calm, hit):
    block, struck = hit
    columns = block.recorder.columns()
    paid = columns["kind"] == KINDS.index("prepayment")
    day = (columns["ts"][paid] - block.calendar.midnight) // MICROSECONDS_PER_DAY
    meanwhile = struck[day, columns["row"][paid]].sum() / struck.sum()
    assert counted(calm[0], "prepayment") > 200
    assert meanwhile < 0.6 * counted(calm[0], "prepayment") / struck.size


def test_what_is_prepaid_comes_from_other_lenders(calm, hit):
    assert counted(calm[0], "inflow", "lender") == 0
    assert counted(hit[0], "inflow", "lender") > 20


def test_a_setback_ends_at_a_monthly_turn(hit):
    _, struck = hit
    first, length = struck.argmax(axis=0), struck.sum(axis=0)
    over = struck.any(axis=0) & ~struck[-1] & (first + 140 < len(struck))
    assert over.sum() > 100
    assert ((length[over] >= 100) & (length[over] <= 131)).all()
