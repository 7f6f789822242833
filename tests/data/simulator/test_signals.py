"""What the lender sees comes when it should: scores a month late, other lenders' money before."""

import numpy as np
import pytest

from relimit.data.simulator import monthly, signals
from relimit.data.simulator.recorder import DETAIL
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, step
from relimit.data.vocabulary import INFLOW, KINDS, LIMIT, MICROSECONDS_PER_DAY, PREPAYMENT

CALM = {"faults": {"outage_daily": 0.0, "bank_lag_share": 0.0}}


def world(accounts, months, **overrides):
    return make_world(months, 3, load_settings("base", overrides)).block(np.arange(1, accounts + 1))


def lived(accounts, months, **overrides):
    block = world(accounts, months, **overrides)
    for day in range(block.calendar.days):
        step(block, day)
    return block


def seen(block, kind, detail=None):
    """Rows, days, amounts and values of the events of a kind."""
    c = block.recorder.columns()
    chosen = c["kind"] == KINDS.index(kind)
    if detail is not None:
        chosen &= c["detail"] == DETAIL[detail]
    day = (c["ts"][chosen] - block.calendar.instant(0)) // MICROSECONDS_PER_DAY
    return c["row"][chosen], day, c["amount"][chosen], c["loan"][chosen]


def test_the_score_shows_last_months_stress_and_not_todays():
    quiet = {"score_noise": 0.0, "score_noise_thin": 0.0, "score_by_debt": 0.0}
    block = world(400, 2, signals=quiet)
    rows = np.arange(400)
    signals.report_scores(block, rows, 5)
    before = block.standing.score.copy()
    block.standing.stress += 1.0
    signals.report_scores(block, rows, 5)
    np.testing.assert_array_equal(block.standing.score, before)
    block.standing.last_stress += 1.0
    signals.report_scores(block, rows, 5)
    fell = before - block.standing.score
    assert (fell[before > 390] == 40).all()


def test_a_months_turn_hands_the_stress_on_to_the_next_months_score():
    block = world(300, 2)
    yesterdays = {}
    for day in range(block.calendar.days):
        stress = block.standing.stress.copy()
        step(block, day)
        turned = block.people.bill_day == block.calendar.month_day[day]
        turned &= block.standing.open & (block.people.open_day < day)
        if turned.any():
            yesterdays[day] = turned
            np.testing.assert_array_equal(block.standing.last_stress[turned], stress[turned])
            assert (block.standing.stress[turned] != stress[turned]).all()
    assert len(yesterdays) > 20


def test_other_lenders_money_comes_a_day_or_two_before_what_it_repays():
    everybody = {"lender_funded": [1.0] * 6}
    watched = {"lender_inflow_seen": 1.0, "lender_inflow_noise": 0.0}
    clean = {"prepay_returned": 0.0}
    block = lived(300, 5, types=everybody, signals=watched, behaviour=clean, **CALM)
    row, day, _, _ = seen(block, INFLOW, "lender")
    came = set(zip(row.tolist(), day.tolist(), strict=True))
    paid_row, paid_day, _, _ = seen(block, PREPAYMENT)
    paid = set(zip(paid_row.tolist(), paid_day.tolist(), strict=True))
    assert len(paid) > 100
    waits = [wait for r, d in paid for wait in (1, 2) if (r, d - wait) in came]
    assert {(r, d) for r, d in paid if not {(r, d - 1), (r, d - 2)} & came} == set()
    assert 0.35 < waits.count(1) / len(waits) < 0.65
    assert not {(r, d) for r, d in came if (r, d) in paid and not {(r, d - 1), (r, d - 2)} & came}


def test_money_that_the_lender_does_not_see_leaves_no_event():
    hidden = {"lender_inflow_seen": 0.0, "lender_inflow_noise": 0.0}
    block = lived(200, 3, types={"lender_funded": [1.0] * 6}, signals=hidden)
    assert len(seen(block, INFLOW, "lender")[0]) == 0
    assert len(seen(block, PREPAYMENT)[0]) > 20


@pytest.fixture(scope="module")
def base():
    return lived(400, 8, **CALM)


def test_loans_run_three_six_or_twelve_months():
    block = world(400, 2)
    terms = []
    for day in range(block.calendar.days):
        number = block.loans.number.copy()
        step(block, day)
        new = block.loans.number > number
        terms += block.loans.instalments[new].tolist()
    counted = {term: terms.count(term) / len(terms) for term in sorted(set(terms))}
    assert counted == pytest.approx({3: 0.25, 6: 0.35, 12: 0.40}, abs=0.06)


def test_a_limit_is_raised_by_a_fifth_for_good_scores_at_half_years(base):
    row, day, amount, _ = seen(base, LIMIT)
    review = seen(base, LIMIT, "review")
    assert len(review[0]) > 10
    for r, d, granted in zip(*review[:3], strict=True):
        before = amount[(row == r) & (day < d)][-1]
        assert granted == min(round(before * 1.2 / 10_000) * 10_000, 20_000_000)
        months = (d - base.people.open_day[r]) // 30
        assert months > 0
        assert months % 6 == 0


@pytest.mark.parametrize(
    ("score", "days_since_overdue", "raised"),
    [(700, None, True), (665, 181, True), (664, None, False), (700, 180, False), (700, 1, False)],
)
def test_a_raise_needs_a_good_score_and_half_a_year_without_arrears(
    score, days_since_overdue, raised
):
    block = world(20, 12, lender={"limit_raise_share": 1.0})
    block.standing.limit[:] = 1_000_000
    block.standing.score[:] = score
    block.people.open_day[:] = 10
    if days_since_overdue is not None:
        block.standing.last_overdue[:] = 190 - days_since_overdue
    monthly._review_limits(block, np.arange(20), 190)
    assert (block.standing.limit == (1_200_000 if raised else 1_000_000)).all()
