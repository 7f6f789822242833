"""What the lender sees besides the ledger: scores, inflows, inquiries, operations, outages."""

import numpy as np

from relimit.data.simulator.block import Block
from relimit.data.simulator.recorder import DETAIL, NO_DETAIL
from relimit.data.simulator.streams import Bools, Floats, Ints, Purpose
from relimit.data.vocabulary import (
    EXTERNAL_SCORE,
    FEN_PER_YUAN,
    INCOME,
    INFLOW,
    INQUIRY,
    OPERATION,
    OUTAGE,
)

_NIGHT = (5.0, 7.0)
_WAKING = (8.0, 23.9)


def report(block: Block, day: int) -> None:
    """Tell of what leaves the accounts as they are: outages, salaries, small happenings."""
    report_outages(block, day)
    pay_salaries(block, day)
    happen(block, day)


def report_scores(block: Block, row: Ints, day: int) -> None:
    """Refresh the external score of some accounts: noisy, and a month behind the stress."""
    s, standing, p = block.settings, block.standing, block.settings.population
    drift = s.drift.score_shift * day / block.calendar.days
    thick = block.people.income_visible[row]
    spread = np.where(thick, s.signals.score_noise, s.signals.score_noise_thin)
    raw = (
        p.score_mean
        + p.quality_points * block.people.quality[row]
        - s.signals.score_by_stress * standing.last_stress[row]
        - s.signals.score_by_debt * standing.last_debt[row]
        + spread * block.normal(row, day, Purpose.SCORE)
        + drift
    )
    low, high = s.signals.score_range
    score = np.clip(np.rint(raw), low, high).astype(np.int64)
    standing.score[row] = score
    ts = block.clock(row, day, Purpose.SIGNAL_TIME, _NIGHT)
    block.recorder.emit(EXTERNAL_SCORE, row, ts, value=score)


def pay_salaries(block: Block, day: int) -> None:
    """Show the salaries of those whose payday is today and whose account the lender sees."""
    paid = block.calendar.payday[day][block.people.payday]
    row = np.flatnonzero(paid & block.standing.open & block.people.income_visible)
    if len(row) == 0:
        return
    s = block.settings.signals
    stress = np.minimum(block.standing.stress[row], s.stress_most)
    missed = s.income_missed * np.exp(s.income_missed_by_stress * stress)
    row = row[block.uniform(row, day, Purpose.SALARY) > missed]
    noise = np.exp(s.income_noise * block.normal(row, day, Purpose.SIGNAL_AMOUNT))
    amount = (block.people.income[row] * noise).astype(np.int64)
    block.recorder.emit(INCOME, row, block.clock(row, day, Purpose.PAY_TIME, _NIGHT), amount=amount)


def happen(block: Block, day: int) -> None:
    """Let at most one small thing happen to each account: an inquiry, an inflow, an operation."""
    rates = _rates(block, day)
    total = np.sum(rates, axis=0)
    everyone = np.arange(len(total))
    u = block.uniform(everyone, day, Purpose.SIGNAL)
    row = np.flatnonzero((u < total) & block.standing.open)
    which = (np.cumsum([rate[row] for rate in rates], axis=0) <= u[row]).sum(axis=0)
    ts = block.clock(row, day, Purpose.SIGNAL_TIME, _WAKING)
    block.recorder.emit(INQUIRY, row[which == 0], ts[which == 0])
    inflow = (which == 1) | (which == 2)
    _inflow(block, row[inflow], ts[inflow], which[inflow] == 2, day)
    operation = which > 2
    code = DETAIL["login_failed"] + which[operation] - 3
    block.recorder.emit(OPERATION, row[operation], ts[operation], detail=code)


def _rates(block: Block, day: int) -> list[Floats]:
    s, standing, kind = block.settings.signals, block.standing, block.people.kind
    stress = np.clip(standing.stress, -s.stress_most, s.stress_most)
    flat = np.ones(len(kind))
    planned: Floats = np.where(standing.bust_day > day, 1.0, 0.0)
    device, phone, card = s.bust_operations
    held = standing.held > 0
    return [
        block.settings.types.inquiry[kind] * (1.0 + s.inquiry_by_stress * stress),
        s.inflow * flat,
        s.lender_inflow_noise * flat,
        s.login_failed * (1.0 + s.login_failed_by_stress * stress),
        s.device_change + device * planned,
        s.phone_change + phone * planned,
        s.card_change + card * planned,
        s.limit_check * np.where(held, s.limit_check_held, 1.0),
    ]


def _inflow(block: Block, row: Ints, ts: Ints, lender: Bools, day: int) -> None:
    s = block.settings.signals
    size = s.inflow_size * np.exp(s.inflow_spread * block.normal(row, day, Purpose.SIGNAL_AMOUNT))
    amount = np.maximum(block.people.income[row] * size, FEN_PER_YUAN).astype(np.int64)
    detail = np.where(lender, DETAIL["lender"], NO_DETAIL)
    block.recorder.emit(INFLOW, row, ts, amount=amount, detail=detail)


def report_outages(block: Block, day: int) -> None:
    """Tell the accounts that today's outages touched; known when the outage is over."""
    outages = block.outages
    for place in np.flatnonzero(outages.day == day):
        row = np.flatnonzero(block.standing.open)
        u = block.uniform(row, day, Purpose.OUTAGE_TOUCHED)
        row = row[u < block.settings.faults.outage_touched]
        ts = np.full(len(row), outages.start[place])
        known = np.full(len(row), outages.end[place])
        block.recorder.emit(
            OUTAGE,
            row,
            ts,
            known_at=known,
            value=int(outages.minutes[place]),
            detail=DETAIL["system"],
        )
