"""What borrowers do: draw, plan and make early repayments, bust out, leave."""

import numpy as np

from relimit.data.simulator.block import Block
from relimit.data.simulator.ledger import accrue, open_loan, prepay
from relimit.data.simulator.recorder import DETAIL, PURPOSES
from relimit.data.simulator.state import NEVER
from relimit.data.simulator.streams import Bools, Floats, Ints, Purpose
from relimit.data.vocabulary import DRAW, FEN_PER_YUAN, INFLOW, INTEREST_PAYMENT, PAYMENT_RETURNED

HUNDRED_YUAN = 100 * FEN_PER_YUAN
_DRAW_HOURS = (17.0, 23.9)
_PREPAY_HOURS = (10.0, 13.0)
_SECOND_HOURS = (13.0, 16.9)
_MORNING = (9.0, 9.9)


def cool(block: Block) -> None:
    """Let yesterday's excitement fade."""
    standing, people = block.standing, block.people
    standing.draw_heat *= people.draw_decay
    standing.prepay_heat *= people.prepay_decay
    standing.cycle_heat *= np.exp(-1.0 / block.settings.lender.cycle_memory_days)
    block.tally.balance_days += standing.outstanding


def plan_prepayments(block: Block, day: int) -> None:
    """Decide who will repay early: today, or once another lender's money has come."""
    standing, people, s = block.standing, block.people, block.settings
    paid = block.calendar.since_payday[day] < s.calendar.payday_prepayment_days
    payday = np.where(paid, s.calendar.payday_prepayment, 1.0)[people.payday]
    wish = (people.prepay + standing.prepay_heat) * payday * block.activity(day)
    wish *= np.exp(s.behaviour.prepay_by_stress * standing.stress)
    able = (standing.outstanding > 0) & (standing.overdue_since == NEVER) & ~standing.left
    able &= (standing.next_prepay <= day) & (standing.plan_day < day) & ~busting(block, day)
    everyone = np.arange(len(wish))
    row = np.flatnonzero((block.uniform(everyone, day, Purpose.PLAN) < wish) & able)
    funded = block.uniform(row, day, Purpose.PLAN_FUNDED) < s.types.lender_funded[people.kind[row]]
    soon = block.uniform(row, day, Purpose.PLAN_LAG) < s.behaviour.lender_funds_next_day
    lag = np.where(soon, 1, 2)
    standing.plan_day[row] = day + np.where(funded, lag, 0)
    _borrow_elsewhere(block, row[funded], day)


def _borrow_elsewhere(block: Block, row: Ints, day: int) -> None:
    amount = block.loans.principal[row].max(axis=1)
    block.standing.debt[row] += amount / block.people.income[row]
    seen = (
        block.uniform(row, day, Purpose.LENDER_INFLOW) < block.settings.signals.lender_inflow_seen
    )
    ts = block.clock(row, day, Purpose.SIGNAL_TIME, _MORNING)
    block.recorder.emit(INFLOW, row[seen], ts[seen], amount=amount[seen], detail=DETAIL["lender"])


def make_prepayments(block: Block, day: int) -> None:
    """Carry out today's planned early repayments, some of two loans; book the decision's day."""
    standing, s = block.standing, block.settings.behaviour
    row = np.flatnonzero((standing.plan_day == day) & (standing.outstanding > 0))
    row = row[standing.overdue_since[row] == NEVER]
    bounced = block.uniform(row, day, Purpose.PREPAY_RETURNED) < s.prepay_returned
    ts = block.clock(row, day, Purpose.PREPAY_TIME, _PREPAY_HOURS)
    block.recorder.emit(PAYMENT_RETURNED, row[bounced], ts[bounced])
    row, ts = row[~bounced], ts[~bounced]
    _excite(block, row, day)
    first_late = block.days_late(row, ts, day)
    _repay_largest(block, row, ts, first_late, day=day, turn=0)
    ts = block.clock(row, day, Purpose.PREPAY_TIME, _SECOND_HOURS)
    late = block.days_late(row, ts, day)
    u = block.uniform(row, day, Purpose.PREPAY_SECOND)
    again = (u < s.second_prepayment) & (standing.outstanding[row] > 0)
    again &= late == first_late
    _repay_largest(block, row[again], ts[again], late[again], day=day, turn=1)


def _excite(block: Block, row: Ints, day: int) -> None:
    standing = block.standing
    standing.draw_heat[row] = block.people.draw_excitation[row]
    cycle = (standing.last_draw[row] != NEVER) & (
        day - standing.last_draw[row] <= block.settings.lender.cycle_days
    )
    standing.cycle_heat[row] += cycle
    standing.decide_prepaid[row] = 0


def _repay_largest(block: Block, row: Ints, ts: Ints, late: Ints, *, day: int, turn: int) -> None:
    standing = block.standing
    item = np.full(len(row), turn)
    slot = np.argmax(block.loans.principal[row], axis=1)
    accrue(block, row, slot, day)
    amount = _amount(block, row, slot, day, item)
    known = block.booked(row, ts, late, day) + np.where(late > 0, turn, 0)
    u = block.uniform(row, day, Purpose.RESIDUAL, item)
    unsettled = u < block.settings.product.residual_share
    prepay(block, row, slot, amount, ts=ts, known=known, unsettled=unsettled)
    standing.decide_day[row] = day + late
    standing.decide_time[row] = known
    standing.decide_prepaid[row] += amount
    standing.next_prepay[row] = day + late + 2


def _amount(block: Block, row: Ints, slot: Ints, day: int, item: Ints) -> Ints:
    principal = block.loans.principal[row, slot]
    share = block.settings.types.prepay_full[block.people.kind[row]]
    low, high = block.settings.behaviour.prepay_part
    full = block.uniform(row, day, Purpose.PREPAY_FULL, item) < share
    part = low + (high - low) * block.uniform(row, day, Purpose.PREPAY_PART, item)
    some = (principal * part).astype(np.int64) // FEN_PER_YUAN * FEN_PER_YUAN
    return np.where(full | (some == 0), principal, some)


def settle_residuals(block: Block, day: int) -> None:
    """Settle the interest that some early repayments left; sooner while a limit is held back."""
    standing, product = block.standing, block.settings.product
    row = np.flatnonzero(standing.residual)
    held = standing.held[row] > 0
    chance = np.where(held, product.residual_settled_held, product.residual_settled)
    row = row[block.uniform(row, day, Purpose.RESIDUAL_SETTLED) < chance]
    ts = block.clock(row, day, Purpose.RESIDUAL_SETTLED, _MORNING)
    block.recorder.emit(INTEREST_PAYMENT, row, ts, amount=standing.residual[row])
    block.tally.interest_paid[row] += standing.residual[row]
    standing.residual[row] = 0


def draw(block: Block, day: int) -> None:
    """Borrow: rest intensity, excited by a prepayment, moved by the calendar."""
    standing = block.standing
    available = standing.limit - standing.outstanding - standing.held
    able = standing.open & ~standing.left & (standing.overdue_since == NEVER)
    able &= available >= block.settings.product.draw_minimum * FEN_PER_YUAN
    everyone = np.arange(len(able))
    wish = -np.expm1(-_draw_intensity(block, day))
    row = np.flatnonzero((block.uniform(everyone, day, Purpose.DRAW) < wish) & able)
    row = row[(block.loans.principal[row] == 0).any(axis=1)]
    ts = block.clock(row, day, Purpose.DRAW_TIME, _DRAW_HOURS)
    up = block.outages.near(day).covering(ts) == 0
    _borrow(block, row[up], ts[up], available[row[up]], day)


def _draw_intensity(block: Block, day: int) -> Floats:
    standing, people, calendar = block.standing, block.people, block.calendar
    s = block.settings
    flush = calendar.since_payday[day] < s.calendar.payday_borrowing_days
    payday = np.where(flush, s.calendar.payday_borrowing, 1.0)[people.payday]
    distress = distressed(block, np.arange(len(people.key)))
    rest = people.draw + standing.draw_heat + s.behaviour.distress_draw * distress
    usual = rest * payday * calendar.borrowing[day] * block.activity(day)
    return np.where(busting(block, day), 1.0, usual)


def busting(block: Block, day: int) -> Bools:
    """Return which accounts' bust-out has come: they take all that they get and repay nothing."""
    bust = block.standing.bust_day
    return np.asarray((bust != NEVER) & (day >= bust))


def _borrow(block: Block, row: Ints, ts: Ints, available: Ints, day: int) -> None:
    product, standing = block.settings.product, block.standing
    amount = _need(block, row, available, day)
    term = np.searchsorted(
        np.cumsum(product.terms_share)[:-1], block.uniform(row, day, Purpose.DRAW_TERM)
    )
    months = np.asarray(product.terms_months)[term]
    bullet = block.uniform(row, day, Purpose.DRAW_METHOD) < product.interest_first_share
    number = open_loan(block, row, amount, months, bullet, day=day)
    standing.last_draw[row] = day
    standing.prepay_heat[row] = block.people.prepay_excitation[row]
    standing.draw_heat[row] *= block.settings.behaviour.draw_calms
    block.recorder.emit(DRAW, row, ts, amount=amount, loan=number, detail=_purpose(block, row, day))


def _need(block: Block, row: Ints, available: Ints, day: int) -> Ints:
    s, standing = block.settings.behaviour, block.standing
    spread = np.exp(s.need_spread * block.normal(row, day, Purpose.DRAW_AMOUNT))
    low, high = s.constraint_score
    poor = np.clip((high - standing.score[row]) / (high - low), 0.0, 1.0)
    constraint = s.constraint * poor
    wanted = block.people.need[row] * spread * (1.0 - constraint) + constraint * available
    wanted = np.maximum(wanted, s.distress_fill * distressed(block, row) * available)
    wanted = np.where(busting(block, day)[row], available, wanted)
    floor = block.settings.product.draw_minimum * FEN_PER_YUAN
    rounded = np.rint(wanted / HUNDRED_YUAN).astype(np.int64) * HUNDRED_YUAN
    return np.minimum(np.maximum(rounded, floor), available)


def distressed(block: Block, row: Ints) -> Floats:
    """Return how far the latent stress has become distress, from 0 to 1."""
    low, high = block.settings.behaviour.distress_stress
    distress: Floats = np.clip((block.standing.stress[row] - low) / (high - low), 0.0, 1.0)
    return distress


def _purpose(block: Block, row: Ints, day: int) -> Ints:
    share = np.cumsum(block.settings.product.purpose_share)[:-1]
    purpose = np.searchsorted(share, block.uniform(row, day, Purpose.DRAW_PURPOSE))
    coupon = (
        block.uniform(row, day, Purpose.DRAW_COUPON)
        < (block.settings.types.coupon[block.people.kind[row]])
    )
    return purpose + len(PURPOSES) * coupon


def leave(block: Block, day: int) -> None:
    """Let some of those who are held back long stop borrowing here."""
    standing, s = block.standing, block.settings.behaviour
    held_back = standing.held > s.held_long_share * standing.limit
    started = held_back & (standing.held_since == NEVER)
    standing.held_since[started] = day
    standing.held_since[~held_back] = NEVER
    long = held_back & (day - standing.held_since >= s.held_long_days)
    row = np.flatnonzero(long & ~standing.left)
    chance = block.settings.types.leave[block.people.kind[row]]
    standing.left[row[block.uniform(row, day, Purpose.LEAVE) < chance]] = True
