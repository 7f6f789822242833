"""From a prepayment to its freed limit: the decision, the timetable, what got stuck."""

from dataclasses import replace
from functools import partial

import numpy as np

from relimit.data.prepayments import decision_ids
from relimit.data.simulator.block import Block
from relimit.data.simulator.calendar import HOUR
from relimit.data.simulator.faults import MINUTE
from relimit.data.simulator.history import known_history
from relimit.data.simulator.lender import PrepaymentCases
from relimit.data.simulator.recorder import DETAILS
from relimit.data.simulator.state import NEVER
from relimit.data.simulator.streams import Bools, Ints, Purpose
from relimit.data.vocabulary import ARMS, MICROSECONDS_PER_DAY, RESTORED

_QUARTERS = np.array([round(share * 4) for share, _ in ARMS])
_DELAYS = np.array([delay for _, delay in ARMS])
_RELEASE_HOURS = (7.0, 8.0)


def release(block: Block, day: int) -> None:
    """Give back what is due back today."""
    back = block.pending.pop(day)
    np.subtract.at(block.standing.held, back.row, back.amount)
    told = back.select(np.flatnonzero((back.decision != NEVER) & block.standing.open[back.row]))
    block.recorder.emit(
        RESTORED, told.row, told.ts, amount=told.amount, detail=told.decision + len(DETAILS)
    )


def decide(block: Block, day: int) -> None:
    """Decide about the prepayments that became known today."""
    standing = block.standing
    row = np.flatnonzero(standing.decide_day == day)
    if len(row) == 0:
        return
    prepaid = standing.decide_prepaid[row]
    room = np.maximum(standing.limit[row] - standing.outstanding[row], 0)
    freed = np.minimum(prepaid, room)
    standing.held[row] -= prepaid - freed
    cases = _cases(block, row, freed, day, now=standing.decide_time[row], prepaid=prepaid)
    arm, propensity = block.lender.choose(cases)
    arm = np.where(standing.forced_day[row] == day, standing.forced_arm[row], arm)
    decision = block.decisions.append(
        account_id=cases.account_id, decision_id=np.array(cases.decision_id, dtype=object),
        decided_at=cases.decided_at, prepaid=prepaid, freed=freed,
        arm=arm, propensity=propensity, row=row, day=np.full(len(row), day),
    )  # fmt: skip
    _schedule(block, row, freed, arm, decision, day=day)


def decide_again(block: Block, day: int) -> None:
    """Decide again, on the lender's later nights, about what was withheld until the review.

    Where the new arm gives more of what was freed than is back or promised, the rest comes too, as
    where decisions are taken nightly: a cure in the meantime opens the gate. A promise stands, and
    so does the log, which keeps the first arm. The wait of the new arm began with the decision.
    """
    if not block.lender.nights:
        return
    elapsed = day - block.pending.day + block.settings.lender.review_days
    waits = np.isin(elapsed, block.lender.nights) & (block.pending.decision != NEVER)
    kept = np.flatnonzero(waits)
    kept = kept[np.argsort(block.pending.row[kept], kind="stable")]
    if len(kept):
        _decide_kept(block, kept, elapsed[kept], day=day)


def _decide_kept(block: Block, kept: Ints, elapsed: Ints, *, day: int) -> None:
    log, waiting = block.decisions.columns(), block.pending.select(kept)
    freed, prepaid, first = (
        log[name][waiting.decision].astype(np.int64) for name in ("freed", "prepaid", "decided_at")
    )
    now = np.full(len(kept), block.calendar.instant(day) + int(_RELEASE_HOURS[1] * HOUR))
    cases = _cases(block, waiting.row, freed, day, now=now, prepaid=prepaid)
    arm, _ = block.lender.choose(replace(cases, first_decided_at=first, withheld=waiting.amount))
    amount = np.maximum(freed * _QUARTERS[arm] // 4 - (freed - waiting.amount), 0)
    block.pending.amount[kept] -= amount
    block.pending = block.pending.select(np.flatnonzero(block.pending.amount > 0))
    back = np.flatnonzero(amount > 0)
    wait = np.maximum(_DELAYS[arm[back]] - elapsed[back], 1)
    _queue(block, waiting.row[back], amount[back], wait, waiting.decision[back], day=day)


def _cases(
    block: Block, row: Ints, freed: Ints, day: int, *, now: Ints, prepaid: Ints
) -> PrepaymentCases:
    standing, people = block.standing, block.people
    last = standing.last_overdue[row]
    account_id, decided_at = people.account_id[row], now
    ids = [] if block.decisions.muted else decision_ids(account_id, decided_at, prepaid)
    return PrepaymentCases(
        account_id=account_id,
        decision_id=ids,
        decided_at=decided_at,
        first_decided_at=decided_at,
        prepaid=prepaid,
        freed=freed,
        withheld=freed,
        limit=standing.limit[row],
        outstanding=standing.outstanding[row],
        score=standing.score[row],
        cycles=standing.cycle_heat[row],
        days_since_overdue=np.where(last == NEVER, np.inf, day - last),
        unlogged=standing.stress[row] + block.settings.lender.unlogged_noise * people.hidden[row],
        explore=block.uniform(row, day, Purpose.EXPLORE),
        explore_arm=block.uniform(row, day, Purpose.EXPLORE_ARM),
        history=partial(known_history, block, row, decided_at),
    )


def _schedule(block: Block, row: Ints, freed: Ints, arm: Ints, decision: Ints, *, day: int) -> None:
    amount = freed * _QUARTERS[arm] // 4
    delay = _DELAYS[arm]
    stuck, extra = _stuck(block, row, day)
    at_once = (delay == 0) & ~stuck & (amount > 0)
    now = np.flatnonzero(at_once)
    soon = (1 + 9 * block.uniform(row[now], day, Purpose.RESTORE_TIME)) * MINUTE
    block.standing.held[row[now]] -= amount[now]
    block.recorder.emit(
        RESTORED, row[now], block.standing.decide_time[row[now]] + soon.astype(np.int64),
        amount=amount[now], detail=decision[now] + len(DETAILS),
    )  # fmt: skip
    later = np.flatnonzero(~at_once & (amount > 0) & (extra >= 0))
    wait = delay[later] + extra[later]
    _queue(block, row[later], amount[later], wait, decision[later], day=day)
    kept = np.flatnonzero(amount < freed)
    review = np.full(len(kept), block.settings.lender.review_days)
    _queue(block, row[kept], (freed - amount)[kept], review, decision[kept], day=day)


def _queue(block: Block, row: Ints, amount: Ints, wait: Ints, decision: Ints, *, day: int) -> None:
    first, last = _RELEASE_HOURS
    within = first + (last - first) * block.uniform(row, day, Purpose.RESTORE_TIME, wait)
    ts = (
        block.calendar.instant(day) + wait * MICROSECONDS_PER_DAY + (within * HOUR).astype(np.int64)
    )
    block.pending.add(row, day + wait, ts, amount, decision)


def _stuck(block: Block, row: Ints, day: int) -> tuple[Bools, Ints]:
    faults = block.settings.faults
    u = block.uniform(row, day, Purpose.STUCK)
    first, last = faults.stuck_days
    days = first + (block.uniform(row, day, Purpose.STUCK_DAYS) * (last - first)).astype(np.int64)
    stuck = u < faults.stuck_share
    forever = u < faults.stuck_share * faults.stuck_forever
    return stuck, np.where(forever, NEVER, np.where(stuck, days, 0))
