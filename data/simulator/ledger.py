"""The ledger: draws, instalments, daily simple interest, payments, in fen and exact.

Interest accrues in fen x ppm on the day's principal and is charged in whole fen, the rest carried
on. Every payment goes through one waterfall: penalty, then interest, then principal. Principal owed
is always what was drawn less what was repaid, prepaid and written off.
"""

import numpy as np

from relimit.data.simulator.block import Block
from relimit.data.simulator.recorder import DETAIL, NO_DETAIL
from relimit.data.simulator.state import NEVER
from relimit.data.simulator.streams import Bools, Ints, Purpose
from relimit.data.vocabulary import DUE, INTEREST, INTEREST_PAYMENT, PREPAYMENT, REPAYMENT

PPM = 1_000_000
NIGHT = (2.0, 3.0)
OFFICE = (10.0, 13.0)


def accrue(block: Block, row: Ints, slot: Ints, day: int) -> None:
    """Bring the interest of some loans up to a day."""
    loans, rate = block.loans, block.people.rate_ppm[row]
    days = day - loans.accrued_to[row, slot]
    percent = block.settings.product.penalty_percent
    loans.accrued[row, slot] += loans.principal[row, slot] * rate * days
    loans.penalty[row, slot] += loans.past_due[row, slot] * rate * days * percent // 100
    loans.accrued_to[row, slot] = day


def waterfall(money: Ints, penalty: Ints, interest: Ints, principal: Ints) -> tuple[Ints, ...]:
    """Return what a payment settles of penalty, interest and principal, in this order.

    All in fen, element by element; money beyond what is owed settles nothing.

    Examples
    --------
    >>> [part.tolist() for part in waterfall(np.array([5, 20, 99]), 10, 15, 40)]
    [[5, 10, 10], [0, 10, 15], [0, 0, 40]]
    """
    parts = []
    for owed in (penalty, interest, principal):
        parts.append(np.minimum(money, owed))
        money = money - parts[-1]
    return tuple(parts)


def charge(block: Block, row: Ints, slot: Ints, ts: Ints) -> Ints:
    """Charge the accrued interest and penalty of some loans; return their sum in whole fen."""
    loans = block.loans
    total = np.zeros(len(row), dtype=np.int64)
    for numerator, charged, detail in (
        (loans.accrued, loans.charged, NO_DETAIL),
        (loans.penalty, loans.charged_penalty, DETAIL["penalty"]),
    ):
        whole = numerator[row, slot] // PPM
        numerator[row, slot] -= whole * PPM
        charged[row, slot] += whole
        total += whole
        _emit_interest(block, INTEREST, row, slot, whole, detail=detail, ts=ts, known=ts)
    return total


def _emit_interest(
    block: Block, kind: str, row: Ints, slot: Ints, amount: Ints, *,
    detail: int, ts: Ints, known: Ints,
) -> None:  # fmt: skip
    some = np.flatnonzero(amount)
    block.recorder.emit(
        kind, row[some], ts[some], known_at=known[some], amount=amount[some], detail=detail,
        loan=block.loans.number[row[some], slot[some]],
    )  # fmt: skip


def open_loan(
    block: Block, row: Ints, amount: Ints, months: Ints, bullet: Bools, *, day: int
) -> Ints:
    """Book draws into each account's first free slot; return the loans' numbers."""
    loans, standing = block.loans, block.standing
    slot = np.argmax(loans.principal[row] == 0, axis=1)
    standing.loans[row] += 1
    standing.outstanding[row] += amount
    loans.principal[row, slot] = amount
    loans.instalments[row, slot] = months
    loans.bullet[row, slot] = bullet
    loans.next_due[row, slot] = block.calendar.next_month[day]
    loans.accrued_to[row, slot] = day
    loans.number[row, slot] = standing.loans[row]
    return standing.loans[row]


def bill(block: Block, day: int) -> tuple[Ints, Ints, Ints]:
    """Charge today's instalments; return their rows, slots and principal parts (fen).

    What falls due today is the principal part and what is charged today: what was billed before
    and is unpaid has fallen due already.
    """
    loans = block.loans
    row, slot = np.nonzero(loans.next_due == day)
    if len(row) == 0:
        return row, slot, row
    ts = block.clock(row, day, Purpose.NIGHT_TIME, NIGHT, slot)
    accrue(block, row, slot, day)
    charged = charge(block, row, slot, ts)
    left = loans.instalments[row, slot]
    unbilled = loans.principal[row, slot] - loans.past_due[row, slot]
    part = np.where(loans.bullet[row, slot] & (left > 1), 0, -(-unbilled // left))
    loans.instalments[row, slot] = left - 1
    loans.next_due[row, slot] = np.where(left > 1, block.calendar.next_month[day], NEVER)
    number = loans.number[row, slot]
    block.recorder.emit(DUE, row, ts, amount=part + charged, loan=number)
    return row, slot, part


def owed_now(block: Block, row: Ints, slot: Ints, part: Ints) -> Ints:
    """Return what settles the charged penalty and interest and `part` of the principal."""
    loans = block.loans
    owed: Ints = loans.charged_penalty[row, slot] + loans.charged[row, slot] + part
    return owed


def settle(
    block: Block, row: Ints, slot: Ints, money: Ints, part: Ints, *, ts: Ints, day: int
) -> Ints:
    """Receive scheduled payments of `money`; return what they paid of `part`, the principal due."""
    loans, people = block.loans, block.people
    late = block.days_late(row, ts, day)
    known = block.booked(row, ts, late, day)
    channel = np.where(people.bank[row], DETAIL["bank"], DETAIL["app"])
    number = loans.number[row, slot]
    part = pay(block, row, slot, money, part, ts=ts, known=known)
    some = np.flatnonzero(part)
    block.recorder.emit(
        REPAYMENT, row[some], ts[some], known_at=known[some], amount=part[some],
        loan=number[some], detail=channel[some],
    )  # fmt: skip
    hold_until_booked(block, row, part, late, day)
    return part


def pay(
    block: Block, row: Ints, slot: Ints, money: Ints, principal: Ints, *, ts: Ints, known: Ints
) -> Ints:
    """Let money run down the waterfall of some loans, at most `principal` of them; return its part.

    Penalty and interest are logged here, the principal is for the caller to name.
    """
    loans = block.loans
    charged = loans.charged_penalty[row, slot], loans.charged[row, slot]
    penalty, interest, repaid = waterfall(money, *charged, principal)
    loans.charged_penalty[row, slot] -= penalty
    loans.charged[row, slot] -= interest
    np.add.at(block.tally.interest_paid, row, penalty + interest)
    for amount, detail in ((penalty, DETAIL["penalty"]), (interest, NO_DETAIL)):
        _emit_interest(
            block, INTEREST_PAYMENT, row, slot, amount, detail=detail, ts=ts, known=known
        )
    reduce_principal(block, row, slot, repaid)
    return repaid


def prepay(
    block: Block, row: Ints, slot: Ints, amount: Ints, *, ts: Ints, known: Ints, unsettled: Bools
) -> None:
    """Receive early repayments of principal; the freed limit stays away until the lender decides.

    Interest to date is charged and settled first, but where `unsettled` it is left as a residual.
    """
    loans, standing = block.loans, block.standing
    full = amount == loans.principal[row, slot]
    number = loans.number[row, slot]
    charge(block, row, slot, ts)
    owed = np.flatnonzero(unsettled)
    for charged in (loans.charged_penalty, loans.charged):
        np.add.at(standing.residual, row[owed], charged[row[owed], slot[owed]])
        charged[row[owed], slot[owed]] = 0
    pay(block, row, slot, owed_now(block, row, slot, amount), amount, ts=ts, known=known)
    standing.held[row] += amount
    detail = np.where(full, DETAIL["full"], DETAIL["partial"])
    block.recorder.emit(
        PREPAYMENT, row, ts, known_at=known, amount=amount, loan=number, detail=detail
    )


def reduce_principal(block: Block, row: Ints, slot: Ints, amount: Ints) -> None:
    """Take principal off some loans; a loan repaid in full frees its slot."""
    loans = block.loans
    np.subtract.at(block.standing.outstanding, row, amount)
    loans.principal[row, slot] -= amount
    done = np.flatnonzero((loans.principal[row, slot] == 0) & (amount > 0))
    gone = row[done], slot[done]
    for column in (loans.accrued, loans.penalty, loans.instalments):
        column[gone] = 0
    loans.next_due[gone] = NEVER


def hold_until_booked(block: Block, row: Ints, amount: Ints, late: Ints, day: int) -> None:
    """Keep the limit of payments that are not booked yet."""
    some = np.flatnonzero((late > 0) & (amount > 0))
    np.add.at(block.standing.held, row[some], amount[some])
    back = day + late[some]
    nothing = np.full(len(some), NEVER)
    block.pending.add(row[some], back, nothing, amount[some], nothing)
