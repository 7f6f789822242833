"""Dates in Shanghai: paydays, the festival's and the sales' windows, and the system's outages."""

from datetime import date, timedelta

import numpy as np
import pytest

from relimit.data.simulator.calendar import make_calendar
from relimit.data.simulator.faults import make_outages
from relimit.data.simulator.settings import load_settings

BASE = load_settings()
START = BASE.calendar.start


def day_of(when):
    return (date.fromisoformat(when) - START).days


@pytest.fixture(scope="module")
def calendar():
    """Two years; the second is a leap year."""
    return make_calendar(BASE, 24)


@pytest.mark.parametrize(
    ("column", "paid"),
    [
        (0, ["2023-02-10", "2024-02-10"]),
        (1, ["2023-02-15", "2024-02-15"]),
        (2, ["2023-02-25", "2024-02-25"]),
        (3, ["2023-02-28", "2024-02-29", "2023-01-31", "2023-04-30"]),
    ],
)
def test_salaries_come_on_the_10th_15th_25th_and_at_the_months_end(calendar, column, paid):
    days = np.flatnonzero(calendar.payday[: calendar.days, column])
    assert len(days) == 24
    assert {day_of(when) for when in paid} <= set(days.tolist())
    assert len({(START + timedelta(days=int(day))).month for day in days}) == 12


def test_the_days_since_a_payday_count_from_it(calendar):
    first = day_of("2023-01-10")
    assert (calendar.since_payday[:first, 0] > 31).all()  # none has been yet
    assert calendar.since_payday[first : first + 31, 0].tolist() == list(range(31))
    assert calendar.since_payday[day_of("2023-03-01"), 3] == 1


def test_everybody_borrows_more_in_the_three_weeks_before_the_festival_and_not_on_it(calendar):
    festival = day_of("2024-02-10")
    factor = calendar.borrowing[festival - 30 : festival + 10]
    expected = np.ones(40)
    expected[9:30] = 1.62
    np.testing.assert_array_equal(factor, expected)


def test_arrears_rise_for_thirty_days_from_the_festival_on(calendar):
    festival = day_of("2024-02-10")
    expected = np.ones(50)
    expected[10:40] = 1.35
    np.testing.assert_array_equal(calendar.arrears[festival - 10 : festival + 40], expected)


@pytest.mark.parametrize("sale", ["2023-06-18", "2023-11-11", "2024-06-18", "2024-11-11"])
def test_a_sale_draws_borrowers_for_two_weeks_and_ends_on_its_day(calendar, sale):
    last = day_of(sale)
    expected = np.ones(24)
    expected[5:19] = 1.38
    np.testing.assert_array_equal(calendar.borrowing[last - 18 : last + 6], expected)


def test_a_loan_of_the_31st_falls_due_on_the_28th_at_most(calendar):
    asked = [day_of(when) for when in ("2023-01-31", "2024-01-31", "2023-12-15")]
    due = [day_of(when) for when in ("2023-02-28", "2024-02-28", "2024-01-15")]
    assert calendar.next_month[asked].tolist() == due


@pytest.fixture(scope="module")
def outages(calendar):
    """The outages of a hundred worlds of two years."""
    return [make_outages(BASE, calendar, seed) for seed in range(100)]


def test_an_outage_strikes_about_once_in_two_months(calendar, outages):
    each = np.array([len(world.day) for world in outages])
    expected = calendar.days * 0.0164
    assert abs(each.mean() - expected) < 4 * np.sqrt(expected / 100)
    assert each.std() > 0.5 * np.sqrt(expected)


def test_outages_have_a_heavy_tail_that_is_cut_at_three_days(outages):
    minutes = np.concatenate([world.minutes for world in outages])
    assert 80 < np.median(minutes) < 100
    for factor in (4, 16):  # of a Pareto: each fourfold length is 4 ** -1.1 as common
        beyond = (minutes > 90 * factor).mean()
        assert beyond == pytest.approx(0.5 * factor**-1.1, rel=0.35)
    assert (minutes == 4320).any()
    assert minutes.max() == 4320
    assert minutes.min() >= 5


def test_an_outage_ends_after_its_minutes_and_starts_on_its_day(calendar, outages):
    for world in outages[:10]:
        np.testing.assert_array_equal(world.end - world.start, world.minutes * 60_000_000)
        into = world.start - [calendar.instant(int(day)) for day in world.day]
        assert ((into >= 0) & (into < 86_400_000_000)).all()
