"""Facts about several events: loans with their prepayments, borrowing again, outages between.

Each is booked at the row of its closing event: no snapshot sees it before it was known.
"""

import numpy as np

from relimit.data.vocabulary import DRAW, MICROSECONDS_PER_DAY, OUTAGE, PREPAYMENT
from relimit.features.history import Bools, Events, History, Ints, pick
from relimit.features.loans import draws_of_loans
from relimit.features.series import Series

MINUTE = 60_000_000
HOUR = 60 * MINUTE
CYCLE = 14 * MICROSECONDS_PER_DAY
"""A draw, its prepayment and the next draw within this time are a cycle."""


def preceding(h: History, rows: Ints, events: Events) -> tuple[Ints, Bools]:
    """Return each row's last earlier event of the same account: its row, and if there is one."""
    series = h.series(events)
    place = series.before(rows) - 1
    alone = len(h.block.account_ids) == 1
    there = place >= (0 if alone else series.before(h.row_start[rows]))
    return pick(series.rows, place, there, 0), there


def matched_draws(h: History) -> tuple[Ints, Bools]:
    """Return, for each prepayment of the block, the row of the draw it repays, and if there is one.

    That is the last earlier draw of its loan, or of the account if it has no loan id.
    """
    return h.cached("matched draws", lambda: _matched_draws(h))  # type: ignore[no-any-return]


def _matched_draws(h: History) -> tuple[Ints, Bools]:
    block, prepayments = h.block, h.series(PREPAYMENT).rows
    rows, there = preceding(h, prepayments, DRAW)
    with_loan = block.has_loan_id[prepayments]
    if np.count_nonzero(with_loan):
        rows[with_loan], there[with_loan] = draws_of_loans(h, prepayments[with_loan])
    return rows, there


def holds(h: History) -> Series:
    """Return prepayments with the time that the loan was held before, in µs; never below 0."""
    return h.found(_holds)


def _holds(h: History) -> Series:
    def held(prepayments: Series) -> tuple[Bools, Ints]:
        draws, there = matched_draws(h)
        ts = h.block.ts
        return there, np.maximum(ts[prepayments.rows] - pick(ts, draws, there, 0), 0)

    return h.part("holds", PREPAYMENT, held)


def redraws(h: History) -> Series:
    """Return draws that follow a prepayment with no other draw between; value: the gap in µs.

    The gap is measured on `ts`, less the minutes of outages learned of between; never below 0.
    """
    return h.found(_redraws)


def _redraws(h: History) -> Series:
    def gaps(draws: Series) -> tuple[Bools, Ints]:
        prepayments, first = _closing_draws(h)
        outage = h.values(OUTAGE)
        minutes = outage.total[outage.before(draws.rows)] - outage.total[outage.before(prepayments)]
        gap = h.block.ts[draws.rows] - pick(h.block.ts, prepayments, first, 0) - minutes * MINUTE
        return first, np.maximum(gap, 0)

    return h.part("redraws", DRAW, gaps)


def _closing_draws(h: History) -> tuple[Ints, Bools]:
    """Return each draw's last earlier prepayment, and whether it is the first draw since."""
    return h.cached("closing draws", lambda: _find_closing_draws(h))  # type: ignore[no-any-return]


def _find_closing_draws(h: History) -> tuple[Ints, Bools]:
    draws = h.series(DRAW).rows
    earlier, has_draw = preceding(h, draws, DRAW)
    prepayment, there = preceding(h, draws, PREPAYMENT)
    return prepayment, there & (~has_draw | (earlier < prepayment))


def gaps_between(h: History, events: Events) -> Series:
    """Return the events that follow another of the series; value: the time between in µs."""

    def gaps(series: Series) -> tuple[Bools, Ints]:
        earlier, there = preceding(h, series.rows, series)
        return there, h.block.ts[series.rows] - pick(h.block.ts, earlier, there, 0)

    return h.part(("gaps between", events), events, gaps)


def cycles(h: History) -> Series:
    """Return draws that close a borrow, prepay, borrow cycle; value: its length in µs."""
    return h.found(_cycles)


def _cycles(h: History) -> Series:
    def lengths(draws: Series) -> tuple[Bools, Ints]:
        prepayments, first = _closing_draws(h)
        place = h.series(PREPAYMENT).before(prepayments)
        opening, matched = matched_draws(h)
        there = first & pick(matched, np.where(first, place, 0), first, False)
        opened = pick(opening, np.where(there, place, 0), there, 0)
        length = h.block.ts[draws.rows] - pick(h.block.ts, opened, there, 0)
        return there & (length <= CYCLE), length

    return h.part("cycles", DRAW, lengths)


def soon_after(h: History, events: Events, before: Events, hours: int) -> Series:
    """Return events whose last earlier event of another kind was at most some hours before."""
    return h.found(_soon_after, events, before, hours)


def _soon_after(h: History, events: Events, before: Events, hours: int) -> Series:
    def soon(series: Series) -> tuple[Bools, Ints]:
        earlier, there = preceding(h, series.rows, before)
        since = h.block.ts[series.rows] - pick(h.block.ts, earlier, there, 0)
        return there & (since <= hours * HOUR), series.value

    return h.part(("soon after", events, before, hours), events, soon)
