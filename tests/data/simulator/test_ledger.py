"""The ledger against one worked by hand, and against a day-by-day replay of what was logged."""

from collections import defaultdict

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relimit.data.simulator import scenarios
from relimit.data.simulator.delinquency import _pay_arrears, advance, collect
from relimit.data.simulator.ledger import accrue, open_loan, prepay, waterfall
from relimit.data.simulator.recorder import DETAIL
from relimit.data.simulator.settings import load_settings
from relimit.data.simulator.tables import events_table
from relimit.data.simulator.world import make_world, step
from relimit.data.vocabulary import KINDS

ONE = np.array([0])
DAY = 86_400_000_000
NEVER_MISS = {"types": {"forgetful": [-60.0] * 6}}
ALWAYS_MISS = {"types": {"forgetful": [60.0] * 6}}
NO_PARTS = {"partial_share": 0.0}
NO_CURE = {"cure_1_29": 0.0, "cure_30_59": 0.0, "cure_60_89": 0.0, "cure_90": 0.0}
NO_FAULTS = {"faults": {"outage_daily": 0.0, "bank_lag_share": 0.0}}


def lone_account(*, limit=5_000_000, rate=500, **overrides):
    """One open account with a known limit (fen) and rate (ppm a day)."""
    settings_ = load_settings("base", {**NO_FAULTS, **overrides})
    block = make_world(months=6, seed=1, settings=settings_).block(np.array([1]))
    block.people.rate_ppm[:] = rate
    block.people.open_day[:] = 0
    block.standing.open[:] = True
    block.standing.limit[:] = limit
    return block


def borrow(block, fen, months, day, *, bullet=False):
    open_loan(block, ONE, np.array([fen]), np.array([months]), np.array([bullet]), day=day)


def logged(block, kind):
    columns = block.recorder.columns()
    return columns["amount"][columns["kind"] == KINDS.index(kind)].tolist()


def days(block, first, last):
    for day in range(first, last + 1):
        collect(block, day)
        advance(block, day)


def test_equal_principal_by_hand():
    # Borrowed 12,000.00 yuan on 10 January at 0.05% a day over three months.
    # 10 February, 31 days: 1,200,000 x 0.0005 x 31 = 18,600 fen; 10 March, 28 days:
    # 800,000 x 0.0005 x 28 = 11,200; 10 April, 31 days: 400,000 x 0.0005 x 31 = 6,200.
    block = lone_account(**NEVER_MISS)
    borrow(block, 1_200_000, 3, 9)
    days(block, 10, 120)
    assert logged(block, "interest") == [18_600, 11_200, 6_200]
    assert logged(block, "due") == [418_600, 411_200, 406_200]
    assert logged(block, "repayment") == [400_000, 400_000, 400_000]
    assert logged(block, "interest_payment") == [18_600, 11_200, 6_200]
    assert block.standing.outstanding.tolist() == [0]


def test_interest_first_by_hand():
    # 10,000.00 yuan at 0.0333% a day: 1,000,000 x 0.000333 x 31 = 10,323 fen, then 28 and 31 days.
    block = lone_account(rate=333, **NEVER_MISS)
    borrow(block, 1_000_000, 3, 9, bullet=True)
    days(block, 10, 120)
    assert logged(block, "interest") == [10_323, 9_324, 10_323]
    assert logged(block, "repayment") == [1_000_000]


def test_part_of_a_fen_is_carried_to_the_next_charge():
    # 500.77 yuan at 0.0333%: 50,077 x 0.000333 = 16.675641 fen a day; 31 days are 516.944871,
    # and 28 more make 983.862819 in all: 516 are charged, then 467, where 466.917948 alone
    # would make 466.
    block = lone_account(rate=333, **NEVER_MISS)
    borrow(block, 50_077, 12, 9, bullet=True)
    days(block, 10, 70)
    assert logged(block, "interest") == [516, 467]


def test_prepayment_by_hand():
    # 12,000.00 at 0.05%; on day 19 after 10 days 1,200,000 x 0.0005 x 10 = 6,000 fen of interest
    # are settled and 5,000.00 repaid; 7,000.00 stay, three instalments of 2,333.34, .33, .33.
    block = lone_account(**NEVER_MISS)
    borrow(block, 1_200_000, 3, 9)
    slot, now = np.array([0]), np.array([block.calendar.instant(19)])
    accrue(block, ONE, slot, 19)
    prepay(block, ONE, slot, np.array([500_000]), ts=now, known=now, unsettled=np.array([False]))
    assert logged(block, "interest") == [6_000]
    assert logged(block, "interest_payment") == [6_000]
    assert block.standing.held.tolist() == [500_000]
    days(block, 20, 120)
    # 700,000 x 0.0005 x 21 = 7,350; 466,666 x 0.0005 x 28 = 6,533.324; then 233,333 x 0.0005 x 31
    # = 3,616.6615, which with the 0.324 fen carried makes 3,616.98.
    assert logged(block, "interest") == [6_000, 7_350, 6_533, 3_616]
    assert logged(block, "repayment") == [233_334, 233_333, 233_333]


def test_an_unsettled_payoff_leaves_its_interest_as_a_residual():
    block = lone_account(**NEVER_MISS)
    borrow(block, 1_200_000, 3, 9)
    slot, now = np.array([0]), np.array([block.calendar.instant(19)])
    accrue(block, ONE, slot, 19)
    prepay(block, ONE, slot, np.array([1_200_000]), ts=now, known=now, unsettled=np.array([True]))
    assert block.standing.residual.tolist() == [6_000]
    assert logged(block, "interest_payment") == []
    days(block, 20, 60)
    assert logged(block, "due") == []


def test_arrears_by_hand():
    # Missed on 10 February (day 40): 418,600 owed; reported at 1, 3, 7, 15, 30 days past due.
    # 10 March, 28 days on 1,200,000: 16,800, and penalty 400,000 x 0.0005 x 28 / 2 = 2,800.
    block = lone_account(**ALWAYS_MISS, delinquency=NO_CURE | NO_PARTS)
    borrow(block, 1_200_000, 3, 9)
    days(block, 10, 70)
    columns = block.recorder.columns()
    overdue = columns["kind"] == KINDS.index("overdue")
    assert columns["value"][overdue].tolist() == [1, 3, 7, 15, 30]
    assert columns["amount"][overdue].tolist() == [418_600] * 4 + [838_200]
    assert logged(block, "interest") == [18_600, 16_800, 2_800]
    assert logged(block, "due") == [418_600, 400_000 + 16_800 + 2_800]
    assert block.standing.outstanding.tolist() == [1_200_000]


def test_a_write_off_takes_the_balance_and_closes_the_line():
    delinquency = NO_CURE | NO_PARTS
    block = lone_account(**ALWAYS_MISS, delinquency=delinquency, product={"charge_off_days": 60})
    borrow(block, 1_200_000, 3, 9)
    days(block, 10, 110)
    assert logged(block, "charge_off") == [1_200_000]
    assert block.standing.outstanding.tolist() == [0]
    assert not block.standing.open[0]


def test_a_cure_by_hand():
    # As above, all paid on day 69: 16,800 and 2,800 more were charged on 10 March (day 68), then
    # one day on 1,200,000 is 600 and, of penalty on 800,000 past due, 800,000 x 0.0005 / 2 = 200.
    block = lone_account(**ALWAYS_MISS, delinquency=NO_CURE | NO_PARTS)
    borrow(block, 1_200_000, 3, 9)
    days(block, 10, 68)
    _pay_arrears(block, ONE, np.ones(1), np.array([block.calendar.instant(69)]), 69)
    assert logged(block, "interest") == [18_600, 16_800, 2_800, 600, 200]
    assert paid(block) == [("penalty", 3_000), ("interest", 36_000), ("principal", 800_000)]
    assert block.loans.past_due.sum() == 0
    assert block.standing.outstanding.tolist() == [400_000]


@pytest.mark.parametrize(
    ("money", "expected"),
    [
        (0, []),
        (1, [("penalty", 1)]),
        (2_999, [("penalty", 2_999)]),
        (3_000, [("penalty", 3_000)]),
        (3_001, [("penalty", 3_000), ("interest", 1)]),
        (39_000, [("penalty", 3_000), ("interest", 36_000)]),
        (39_001, [("penalty", 3_000), ("interest", 36_000), ("principal", 1)]),
        (838_999, [("penalty", 3_000), ("interest", 36_000), ("principal", 799_999)]),
    ],
)
def test_a_part_of_the_arrears_pays_penalty_then_interest_then_principal(money, expected):
    # What is owed is that of the cure above: 3,000 and 36,000 and 800,000 are 839,000 fen.
    block = lone_account(**ALWAYS_MISS, delinquency=NO_CURE | NO_PARTS)
    borrow(block, 1_200_000, 3, 9)
    days(block, 10, 68)
    share = np.array([(money + 0.5) / 839_000])
    _pay_arrears(block, ONE, share, np.array([block.calendar.instant(69)]), 69)
    assert paid(block) == expected
    left = block.loans.charged_penalty + block.loans.charged + block.loans.past_due
    assert left.sum() == 839_000 - money
    assert block.loans.principal.sum() == block.standing.outstanding[0]


def paid(block):
    """What was paid, in the order of the log."""
    c = block.recorder.columns()
    names = {"repayment": "principal", "interest_payment": "interest"}
    return [
        ("penalty" if detail == DETAIL["penalty"] else names[KINDS[kind]], int(amount))
        for kind, detail, amount in zip(c["kind"], c["detail"], c["amount"], strict=True)
        if KINDS[kind] in names
    ]


@given(*[st.integers(0, 10**12)] * 4)
def test_a_payment_is_conserved_and_nothing_is_passed_over(money, penalty, interest, principal):
    owed = (penalty, interest, principal)
    parts = [int(part) for part in waterfall(np.array(money), *map(np.array, owed))]
    assert sum(parts) == min(money, sum(owed))
    for place, (part, all_of_it) in enumerate(zip(parts, owed, strict=True)):
        assert 0 <= part <= all_of_it
        assert part == all_of_it or not any(parts[place + 1 :])


def test_some_in_arrears_pay_a_part_and_stay_as_late_as_they_are():
    overrides = {"types": {"forgetful": [-3.0] * 6}, "delinquency": {"partial_share": 1.0}}
    block = make_world(9, 5, load_settings("base", overrides)).block(np.arange(1, 301))
    for day in range(block.calendar.days):
        before = block.standing.overdue_since.copy(), block.tally.interest_paid.copy()
        step(block, day)
        kept = (before[0] >= 0) & (block.standing.overdue_since == before[0])
        paid_part = kept & (block.tally.interest_paid > before[1])
        assert (block.loans.past_due + block.loans.charged)[paid_part].sum(axis=1).all()
    c = block.recorder.columns()
    penalty = (c["kind"] == KINDS.index("interest_payment")) & (c["detail"] == DETAIL["penalty"])
    assert penalty.sum() > 50
    check_against_the_log(block)


def owed_by(columns, accounts):
    """Principal by account from the log alone, checked never to fall below zero on the way."""
    sign = {"draw": 1, "repayment": -1, "prepayment": -1, "charge_off": -1}
    owed = [0] * accounts
    for place in np.lexsort((columns["known_at"], columns["ts"])):
        kind = KINDS[columns["kind"][place]]
        row = columns["row"][place]
        owed[row] += sign.get(kind, 0) * int(columns["amount"][place])
        assert owed[row] >= 0, (kind, row)
    return owed


@pytest.mark.parametrize("scenario", scenarios())
@settings(max_examples=2, deadline=None)
@given(seed=st.integers(0, 2**31), miss=st.sampled_from([-3.0, -6.0, -1.0]))
def test_principal_interest_and_limit_are_conserved_every_day(scenario, seed, miss):
    overrides = {"types": {"forgetful": [miss] * 6}, "product": {"charge_off_days": 90}}
    block = make_world(9, seed, load_settings(scenario, overrides)).block(np.arange(1, 41))
    for day in range(block.calendar.days):
        step(block, day)
        s, loans = block.standing, block.loans
        np.testing.assert_array_equal(loans.principal.sum(axis=1), s.outstanding)
        for column in (loans.principal, loans.charged, loans.charged_penalty, loans.past_due):
            assert (column >= 0).all()
        assert ((s.residual >= 0) & (s.held >= 0)).all()
        assert (loans.past_due <= loans.principal).all()
        assert ((s.limit - s.outstanding - s.held)[s.open] >= 0).all()
        queued = np.bincount(block.pending.row, block.pending.amount, len(s.held)).astype(int)
        assert (queued <= s.held).all()
        if day % 30 == 29 or day == block.calendar.days - 1:
            check_against_the_log(block)


def check_against_the_log(block):
    s, c = block.standing, block.recorder.columns()
    n = len(s.held)

    def total(*kinds):
        chosen = np.isin(c["kind"], [KINDS.index(kind) for kind in kinds])
        return np.bincount(c["row"][chosen], c["amount"][chosen], n).astype(np.int64)

    assert owed_by(c, n) == s.outstanding.tolist()
    charged = block.loans.charged + block.loans.charged_penalty
    unsettled = charged.sum(axis=1) + s.residual
    written_off = ~s.open
    left = total("interest") - total("interest_payment")
    np.testing.assert_array_equal(left[~written_off], unsettled[~written_off])
    assert (left >= 0).all()
    unbooked = block.pending.select(np.flatnonzero(block.pending.decision < 0))
    waiting = np.bincount(unbooked.row, unbooked.amount, n).astype(np.int64)
    held = total("prepayment") - total("restored") + waiting
    np.testing.assert_array_equal(held[s.open], s.held[s.open])


def test_charged_interest_and_penalty_are_each_days_principal_times_the_rate():
    overrides = {"types": {"forgetful": [-3.0] * 6}, "delinquency": {"partial_share": 0.7}}
    block = make_world(10, 11, load_settings("base", overrides)).block(np.arange(1, 61))
    block.people.rate_ppm[:] = block.people.rate_ppm // 2 * 2  # half of it is whole
    for day in range(block.calendar.days):
        step(block, day)
    c = block.recorder.columns()
    day = (c["ts"] - block.calendar.instant(0)) // DAY
    loans, penalties = defaultdict(list), 0
    for place in range(len(day)):
        if c["loan"][place] >= 0:
            loans[c["row"][place], c["loan"][place]].append(place)
    for (row, _), places in loans.items():
        owed, late = defaultdict(int), defaultdict(int)
        charged = {"interest": [0, 0], "penalty": [0, 0]}
        billed = {day[p] for p in places if KINDS[c["kind"][p]] == "due"}
        for place in places:
            today, kind, amount = day[place], KINDS[c["kind"][place]], int(c["amount"][place])
            if kind == "interest":
                name = "penalty" if c["detail"][place] == DETAIL["penalty"] else "interest"
                charged[name] = [charged[name][0] + amount, today]
            owed[today] += {"draw": 1, "repayment": -1, "prepayment": -1}.get(kind, 0) * amount
            # A due is its principal part and what is charged with it; a payment takes it away.
            late[today] += {"due": 1, "repayment": -1}.get(kind, 0) * amount
            late[today] -= amount * (kind == "interest" and today in billed)
        rate = int(block.people.rate_ppm[row])
        half = block.settings.product.penalty_percent // 50
        assert charged["interest"][0] == accrued(owed, charged["interest"][1], rate)
        assert charged["penalty"][0] == accrued(late, charged["penalty"][1], rate // 2 * half)
        penalties += charged["penalty"][0] > 0
    assert penalties > 10


def accrued(moves, last, rate):
    """Whole fen of interest on what moves make each day's amount, the day `last` left out."""
    amount = numerator = 0
    for today in range(min(moves), last):
        amount += moves.get(today, 0)
        assert amount >= 0
        numerator += amount * rate
    return numerator // 1_000_000


def test_the_log_holds_each_draw_as_its_own_loan():
    block = make_world(8, 2, load_settings()).block(np.arange(1, 101))
    for day in range(block.calendar.days):
        step(block, day)
    events = events_table(block, block.calendar.instant(block.calendar.days)).to_pandas()
    draws = events[events.kind == "draw"]
    assert draws.loan_id.is_unique
    assert len(draws) > 100


@pytest.mark.parametrize("months", [1, 6])
def test_the_first_due_date_is_the_same_day_of_the_next_month(months):
    block = lone_account()
    borrow(block, 60_000, months, 30)  # 31 January: short months count to their 28th
    assert block.calendar.month_day[block.loans.next_due[0, 0]] == 28
