"""Once a month, on the account's own day: stress, debt, score, limit review."""

import numpy as np

from relimit.data.simulator.block import Block
from relimit.data.simulator.recorder import DETAIL
from relimit.data.simulator.signals import report_scores
from relimit.data.simulator.state import NEVER
from relimit.data.simulator.streams import Ints, Purpose
from relimit.data.vocabulary import FEN_PER_YUAN, LIMIT

_HUNDRED_YUAN = 100 * FEN_PER_YUAN
_REVIEW_HOURS = (5.0, 7.0)


def open_accounts(block: Block, day: int) -> None:
    """Open today's new accounts with their first limit and score."""
    standing, people = block.standing, block.people
    row = np.flatnonzero(people.open_day == day)
    standing.open[row] = True
    standing.limit[row] = people.open_limit[row]
    standing.draw_heat[row] = block.settings.population.opening_draw
    ts = block.clock(row, day, Purpose.NIGHT_TIME, (0.5, 2.0))
    block.recorder.emit(LIMIT, row, ts, amount=people.open_limit[row], detail=DETAIL["opening"])
    report_scores(block, row, day)


def turn_month(block: Block, day: int) -> None:
    """Move the latent state of the accounts whose day it is."""
    standing = block.standing
    mine = block.people.bill_day == block.calendar.month_day[day]
    row = np.flatnonzero(mine & standing.open & (block.people.open_day < day))
    standing.last_stress[row] = standing.stress[row]
    standing.last_debt[row] = standing.debt[row]
    _move(block, row, day)
    report_scores(block, row, day)
    _plan_bust(block, row, day)
    _review_limits(block, row, day)


def _move(block: Block, row: Ints, day: int) -> None:
    standing, s = block.standing, block.settings.behaviour
    drift = block.settings.drift.stress * day / block.calendar.days
    home = block.settings.types.stress[block.people.kind[row]] + drift
    pull = s.stress_reversion * (home - standing.stress[row])
    shock = s.stress_shock * block.normal(row, day, Purpose.STRESS)
    standing.stress[row] += pull + shock
    base = block.settings.types.off_platform_debt[block.people.kind[row]]
    standing.debt[row] -= s.debt_decay * (standing.debt[row] - base)


def _plan_bust(block: Block, row: Ints, day: int) -> None:
    standing, s = block.standing, block.settings.behaviour
    bust_out = block.settings.types.name.index("bust_out")
    ready = (block.people.kind[row] == bust_out) & (standing.bust_day[row] == NEVER)
    ready &= day - block.people.open_day[row] >= s.bust_tenure_days
    row = row[ready]
    available = standing.limit[row] - standing.outstanding[row] - standing.held[row]
    share = np.clip(available / np.maximum(standing.limit[row], 1), 0.0, 1.0)
    row = row[block.uniform(row, day, Purpose.BUST) < s.bust_monthly * share]
    first, last = s.bust_lead_days
    lead = first + block.uniform(row, day, Purpose.BUST_LEAD) * (last + 1 - first)
    standing.bust_day[row] = day + lead.astype(np.int64)


def _review_limits(block: Block, row: Ints, day: int) -> None:
    standing, s, people = block.standing, block.settings.lender, block.people
    tenure = day - people.open_day[row]
    month = tenure // 30
    due = (month > 0) & (month % (s.limit_review_days // 30) == 0)
    clean = standing.last_overdue[row] < day - s.limit_review_days
    clean |= standing.last_overdue[row] == NEVER
    row = row[due & clean & (standing.score[row] >= s.limit_raise_score)]
    row = row[block.uniform(row, day, Purpose.LIMIT_REVIEW) < s.limit_raise_share]
    raised = np.rint(standing.limit[row] * s.limit_raise / _HUNDRED_YUAN).astype(np.int64)
    cap = block.settings.product.limit_maximum * FEN_PER_YUAN
    standing.limit[row] = np.minimum(raised * _HUNDRED_YUAN, cap)
    ts = block.clock(row, day, Purpose.LIMIT_REVIEW, _REVIEW_HOURS)
    block.recorder.emit(LIMIT, row, ts, amount=standing.limit[row], detail=DETAIL["review"])
