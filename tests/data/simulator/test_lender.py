"""The older rule: what makes it suspicious, whoever it is, and what it sees that no table holds."""

from dataclasses import dataclass, field

import numpy as np
import pytest

from relimit.data.simulator.lender import CoolingOffRule, PrepaymentCases
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.world import make_world, step
from relimit.data.vocabulary import ARMS

SHARE, DELAY = np.array(ARMS).T
NOT_EXPLORED = 0.999


def cases(*, cycles=0.0, score=700, since_overdue=np.inf, unlogged=0.0):
    """Cases that are alike but for what is given; none is explored."""
    given = np.broadcast_arrays(cycles, score, since_overdue, unlogged)
    cycles, score, since_overdue, unlogged = (np.atleast_1d(column) for column in given)
    n = len(cycles)
    money = np.full(n, 100_000)
    return PrepaymentCases(
        account_id=np.arange(n), decision_id=[str(i) for i in range(n)],
        decided_at=np.zeros(n, dtype=int), first_decided_at=np.zeros(n, dtype=int),
        prepaid=money, freed=money, withheld=money, limit=5 * money, outstanding=money,
        score=score, cycles=cycles.astype(float),
        days_since_overdue=since_overdue.astype(float), unlogged=unlogged.astype(float),
        explore=np.full(n, NOT_EXPLORED), explore_arm=np.zeros(n), history=lambda: None,
    )  # fmt: skip


def decided(given, scenario="base"):
    """Return share and delay of each case."""
    arm, _ = CoolingOffRule(load_settings(scenario).lender).choose(given)
    return list(zip(SHARE[arm].tolist(), DELAY[arm].tolist(), strict=True))


def test_the_more_somebody_cycles_the_less_comes_back_and_the_later():
    # A cycle is one and a half points of suspicion.
    found = decided(cases(cycles=np.arange(5) / 1.5))
    assert found == [(1, 0), (1, 3), (0.75, 7), (0.5, 14), (0, 30)]


def test_a_low_score_and_late_arrears_weigh_like_cycles():
    # Half a point for 50 points below 640, and 0.8 for arrears in 90 days.
    assert decided(cases(score=np.array([640, 591, 590, 490]))) == [
        (1, 0),
        (1, 0),
        (1, 3),
        (0.75, 7),
    ]
    assert decided(cases(since_overdue=np.array([91, 90, 0]))) == [(1, 0), (1, 3), (1, 3)]


def test_what_no_table_holds_moves_the_arm_in_the_scenario_mnar_alone():
    unlogged = np.linspace(-1.0, 4.0, 6)
    assert len(set(decided(cases(unlogged=unlogged)))) == 1
    shares = [share for share, _ in decided(cases(unlogged=unlogged), "mnar")]
    assert shares == sorted(shares, reverse=True)
    assert (shares[0], shares[-1]) == (1.0, 0.0)


@dataclass(frozen=True)
class Watched:
    """The older rule, with a note of each case and its arm."""

    rule: CoolingOffRule
    seen: list = field(default_factory=list)
    name: str = "watched"
    nights: tuple[int, ...] = ()

    def choose(self, cases):
        arm, propensity = self.rule.choose(cases)
        columns = [cases.account_id, cases.cycles, cases.score, cases.days_since_overdue]
        self.seen.append(np.column_stack([*columns, cases.unlogged, SHARE[arm]]))
        return arm, propensity


def watch(scenario):
    """Return the types of a world's accounts, and what its lender saw and did."""
    settings = load_settings(scenario)
    lender = Watched(CoolingOffRule(settings.lender))
    block = make_world(8, 6, settings, lender).block(np.arange(1, 601))
    for day in range(block.calendar.days):
        step(block, day)
    return block.people.kind, settings.types.name, np.concatenate(lender.seen)


@pytest.fixture(scope="module")
def base():
    return watch("base")


def test_all_cycling_is_arbitrage_to_it_whatever_the_type(base):
    kind, names, seen = base
    account, cycles, score, since, _, share = seen.T
    calm = (score >= 640) & (since > 90)
    mine = kind[account.astype(int) - 1]
    for name in ("cycler", "stacker", "farmer"):
        of_type = calm & (mine == names.index(name))
        few, many = share[of_type & (cycles < 0.5)], share[of_type & (cycles > 1.2)]
        assert min(len(few), len(many)) >= 5, name
        assert few.mean() > 0.85, name  # some are explored
        assert many.mean() < 0.75, name


@pytest.mark.parametrize(("scenario", "moves"), [("base", False), ("mnar", True)])
def test_the_decided_share_falls_with_hidden_stress_given_score_and_cycles(scenario, moves, base):
    _, _, seen = base if scenario == "base" else watch(scenario)
    _, cycles, score, since, unlogged, share = seen.T
    low = np.maximum(640 - score, 0) / 50
    X = np.column_stack([np.ones(len(seen)), cycles, low, since <= 90, unlogged])
    beta, *_ = np.linalg.lstsq(X, share, rcond=None)
    residual = share - X @ beta
    error = np.sqrt(np.linalg.inv(X.T @ X)[-1, -1] * residual.var())
    assert (beta[-1] < -5 * error) == moves
    assert (abs(beta[-1]) < 3 * error) != moves
