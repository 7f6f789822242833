"""Each scenario changes what it says, and leaves the rest of the world alone."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from relimit.data.errors import DataError
from relimit.data.simulator import scenarios, simulate
from relimit.data.simulator.calendar import make_calendar
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world

ALL = ("base", "shock", "drift", "outage", "mnar", "no-exploration", "farmers")


@pytest.fixture(scope="module")
def books(tmp_path_factory):
    out = tmp_path_factory.mktemp("scenarios")
    for name in ("base", "outage", "mnar", "no-exploration"):
        simulate(out / name, accounts=400, months=7, seed=2, scenario=name, workers=1)
    return out


def read(books, name, table):
    return pq.read_table(books / name / f"{table}.parquet")


def test_the_seven_scenarios_are_there():
    assert scenarios() == ALL


@pytest.mark.parametrize(("months", "raised"), [(12, 91), (24, 91), (30, 91), (6, 81)])
def test_the_shock_raises_the_chance_of_missing_for_three_months(months, raised):
    # Six months are 181 days: the shock begins on the 100th, and the book ends before it does.
    base, shock = (make_calendar(load_settings(name), months) for name in ("base", "shock"))
    ratio = (shock.arrears / base.arrears)[: base.days]
    higher = np.flatnonzero(ratio > 1)
    assert len(higher) == raised
    assert higher[0] == round(0.55 * base.days)
    assert (np.diff(higher) == 1).all()
    np.testing.assert_allclose(ratio[higher], 2.3)


def test_without_exploration_every_propensity_is_one(books):
    log = read(books, "no-exploration", "decisions")
    assert pc.all(pc.equal(log["propensity"], 1.0)).as_py()


def test_a_hidden_reason_leaves_no_propensity(books):
    assert read(books, "mnar", "decisions")["propensity"].null_count > 100


def test_one_decision_in_twenty_is_explored_more_near_a_threshold(books):
    log = read(books, "base", "decisions")
    propensity = log["propensity"].to_numpy()
    levels = np.unique(propensity.round(6))
    assert levels.tolist() == [0.002, 0.006, 0.856, 0.952]
    explored = np.isin(propensity.round(6), [0.002, 0.006]).mean()
    assert 0.04 < explored < 0.11


def test_outages_make_learning_late(books):
    def late(name):
        events = read(books, name, "events")
        gap = pc.subtract(events["known_at"].cast(pa.int64()), events["ts"].cast(pa.int64()))
        paid = pc.is_in(events["kind"].cast(pa.string()), pa.array(["prepayment", "repayment"]))
        return pc.mean(pc.greater(gap.filter(paid), 0)).as_py()

    assert 0.05 < late("base") < 0.20
    assert late("outage") > 1.5 * late("base")


@pytest.mark.parametrize(("scenario", "kind"), [("farmers", "farmer"), ("drift", "stacker")])
def test_newcomers_move_the_mix(scenario, kind):
    def share(name):
        settings = load_settings(name)
        people = make_world(12, 1, settings).block(np.arange(1, 4_001)).people
        late = people.open_day >= settings.drift.from_ * 365
        assert late.sum() > 500
        return (people.kind[late] == settings.types.name.index(kind)).mean()

    assert share(scenario) > 1.5 * share("base")


def test_limits_rates_and_the_mix_are_the_products():
    people = make_world(12, 1, load_settings()).block(np.arange(1, 20_001)).people
    assert people.open_limit.min() >= 100_000
    assert people.open_limit.max() <= 20_000_000
    assert (people.open_limit % 10_000 == 0).all()
    assert people.rate_ppm.min() >= 150
    assert people.rate_ppm.max() <= 600
    shares = np.bincount(people.kind, minlength=6) / len(people.kind)
    np.testing.assert_allclose(shares, load_settings().types.share, atol=0.012)


@pytest.mark.parametrize(
    ("overrides", "message"),
    [({"produkt": {}}, "unknown section"), ({"product": {"limit": 1}}, "unknown keys: limit")],
)
def test_a_setting_that_does_not_exist_is_refused(overrides, message):
    with pytest.raises(DataError, match=message):
        load_settings("base", overrides)
