"""Missing an instalment, days past due, curing, writing off."""

import numpy as np

from relimit.data.simulator.block import Block
from relimit.data.simulator.ledger import OFFICE, accrue, bill, charge, owed_now, settle
from relimit.data.simulator.recorder import DETAIL
from relimit.data.simulator.state import NEVER
from relimit.data.simulator.streams import Bools, Floats, Ints, Purpose
from relimit.data.vocabulary import (
    BAD_DAYS_PAST_DUE,
    CHARGE_OFF,
    CURED,
    LIMIT,
    OVERDUE,
    PAYMENT_RETURNED,
)

STAGES = np.array([1, 3, 7, 15, 30, 60, 90, 120, 150, 180, 210, 240])
"""Days past due that are reported."""
_STAGE_HOURS = (3.0, 4.0)
_PAY_HOURS = (10.0, 17.0)


def collect(block: Block, day: int) -> None:
    """Bill today's instalments; receive those that are paid, start arrears for the rest."""
    row, slot, part = bill(block, day)
    if len(row) == 0:
        return
    standing, s = block.standing, block.settings.delinquency
    in_arrears = standing.overdue_since[row] != NEVER
    missed = block.uniform(row, day, Purpose.MISS) < miss_probability(block, row, day)
    paid = np.flatnonzero(~in_arrears & ~missed)
    _receive(block, row[paid], slot[paid], part[paid], day)
    late = np.flatnonzero(in_arrears | missed)
    block.loans.past_due[row[late], slot[late]] += part[late]
    new = np.unique(row[missed & ~in_arrears])
    standing.overdue_since[new] = day
    bounced = new[block.uniform(new, day, Purpose.RETURNED) < s.returned_share]
    block.recorder.emit(
        PAYMENT_RETURNED, bounced, block.clock(bounced, day, Purpose.PAY_TIME, _PAY_HOURS)
    )


def _receive(block: Block, row: Ints, slot: Ints, part: Ints, day: int) -> None:
    ts = block.clock(row, day, Purpose.PAY_TIME, _PAY_HOURS, slot)
    settle(block, row, slot, owed_now(block, row, slot, part), part, ts=ts, day=day)


def miss_probability(block: Block, row: Ints, day: int) -> Floats:
    """Return the chance that an account misses today's instalment."""
    s, standing, people = block.settings.delinquency, block.standing, block.people
    instalments = monthly_instalments(block, row) / people.income[row]
    burden = instalments + s.debt_service * standing.debt[row]
    log_odds = (
        block.settings.types.forgetful[people.kind[row]]
        + s.by_stress * standing.stress[row]
        + s.by_use * standing.outstanding[row] / standing.limit[row]
        + s.by_burden * np.minimum(burden, s.burden_most) * np.maximum(standing.stress[row], 0.0)
    )
    risk = 1.0 / (1.0 + np.exp(-log_odds)) * block.calendar.arrears[day]
    return np.where(busted(block, row, day), block.settings.behaviour.bust_miss, risk)


def monthly_instalments(block: Block, row: Ints) -> Floats:
    """Return the fen that an account's loans ask for in a month, about."""
    loans = block.loans
    left = np.maximum(loans.instalments[row], 1)
    monthly: Floats = (loans.principal[row] / left).sum(axis=1)
    return monthly


def busted(block: Block, row: Ints, day: int) -> Bools:
    """Return who has busted out, and no longer pays."""
    bust, grace = block.standing.bust_day[row], block.settings.behaviour.bust_grace_days
    return np.asarray((bust != NEVER) & (day >= bust + grace))


def advance(block: Block, day: int) -> None:
    """Report days past due, cure some, write off the oldest."""
    standing = block.standing
    row = np.flatnonzero(standing.overdue_since != NEVER)
    if len(row) == 0:
        return
    past_due = day - standing.overdue_since[row]
    standing.last_overdue[row] = day
    _report(block, row, past_due, day)
    cured = block.uniform(row, day, Purpose.CURE) < -np.expm1(-_cure_intensity(block, row, day))
    _cure(block, row[cured & (past_due > 0)], day)
    given_up = past_due >= block.settings.product.charge_off_days
    _write_off(block, row[~cured & given_up], day)
    _pay_part(block, row[~cured & ~given_up], day)


def _report(block: Block, row: Ints, past_due: Ints, day: int) -> None:
    at = np.flatnonzero(np.isin(past_due, STAGES))
    row, past_due = row[at], past_due[at]
    loans, tally = block.loans, block.tally
    owed = (loans.past_due[row] + loans.charged[row] + loans.charged_penalty[row]).sum(axis=1)
    ts = block.clock(row, day, Purpose.NIGHT_TIME, _STAGE_HOURS)
    block.recorder.emit(OVERDUE, row, ts, amount=owed, value=past_due)
    bad = row[(past_due >= BAD_DAYS_PAST_DUE) & (tally.bad_day[row] == NEVER)]
    tally.bad_day[bad] = day
    tally.bad_balance[bad] = block.standing.outstanding[bad]


def _cure_intensity(block: Block, row: Ints, day: int) -> Floats:
    s, standing = block.settings.delinquency, block.standing
    past_due = day - standing.overdue_since[row]
    by_stage = np.array([s.cure_1_29, s.cure_30_59, s.cure_60_89, s.cure_90])
    stage = np.minimum(past_due // 30, 3)
    own = block.settings.types.cure[block.people.kind[row]]
    own = own * np.exp(-s.cure_by_stress * standing.stress[row])
    early = np.where(stage == 0, own, 1.0)
    intensity: Floats = by_stage[stage] * early
    factor = np.where(busted(block, row, day), block.settings.behaviour.bust_cure, 1.0)
    return factor * intensity


def _cure(block: Block, account: Ints, day: int) -> None:
    ts = block.clock(account, day, Purpose.PAY_TIME, OFFICE)
    _pay_arrears(block, account, np.ones(len(account)), ts, day)
    block.standing.overdue_since[account] = NEVER
    block.recorder.emit(CURED, account, ts + 1)


def _pay_part(block: Block, account: Ints, day: int) -> None:
    """Let some pay a part of what they owe, once; they stay as late as they are."""
    s, since = block.settings.delinquency, block.standing.overdue_since[account]
    when = block.uniform(account, 0, Purpose.PART_DAY, since) * s.partial_days
    pays = block.uniform(account, 0, Purpose.PART_PAYMENT, since) < s.partial_share
    pays &= (day == since + 1 + when.astype(np.int64)) & ~busted(block, account, day)
    account = account[pays]
    share = s.partial_most * block.uniform(account, day, Purpose.PART_SHARE)
    ts = block.clock(account, day, Purpose.PAY_TIME, OFFICE)
    _pay_arrears(block, account, share, ts, day)


def _pay_arrears(block: Block, account: Ints, share: Floats, ts: Ints, day: int) -> None:
    """Charge the accounts' late loans up to today, and receive this share of what each asks for."""
    loans = block.loans
    behind = (loans.past_due > 0) | (loans.charged > 0) | (loans.charged_penalty > 0)
    place, slot = np.nonzero(behind[account])
    row, ts = account[place], ts[place]
    accrue(block, row, slot, day)
    charge(block, row, slot, ts)
    late = loans.past_due[row, slot]
    money = np.floor(share[place] * owed_now(block, row, slot, late)).astype(np.int64)
    loans.past_due[row, slot] -= settle(block, row, slot, money, late, ts=ts, day=day)


def _write_off(block: Block, row: Ints, day: int) -> None:
    standing, loans = block.standing, block.loans
    ts = block.clock(row, day, Purpose.PAY_TIME, _STAGE_HOURS)
    amount = standing.outstanding[row]
    block.recorder.emit(CHARGE_OFF, row, ts, amount=amount)
    block.recorder.emit(LIMIT, row, ts + 1, amount=0, detail=DETAIL["charged_off"])
    block.tally.charged_off[row] += amount
    for column in (
        loans.principal, loans.accrued, loans.penalty, loans.charged, loans.charged_penalty,
        loans.past_due, loans.instalments,
    ):  # fmt: skip
        column[row] = 0
    loans.next_due[row] = NEVER
    standing.outstanding[row] = 0
    standing.limit[row] = 0
    standing.overdue_since[row] = NEVER
    standing.open[row] = False
