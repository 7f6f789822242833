"""What is wrong with one event, as rules over a batch of rows."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.findings import ERROR, NOTE, WARNING
from relimit.data.vocabulary import (
    CHARGE_OFF,
    DRAW,
    DUE,
    EXTERNAL_SCORE,
    INCOME,
    INFLOW,
    INTEREST,
    INTEREST_PAYMENT,
    KINDS,
    LIMIT,
    MICROSECONDS_PER_DAY,
    OUTAGE,
    OVERDUE,
    PAYMENT_RETURNED,
    PREPAYMENT,
    REPAYMENT,
    RESTORED,
)

Mask = NDArray[np.bool_]

LEDGER: Final = (LIMIT, DRAW, REPAYMENT, PREPAYMENT, INTEREST, INTEREST_PAYMENT, CHARGE_OFF)
"""Kinds that mean nothing without an amount."""

MONEY_MOVED: Final = (*LEDGER, RESTORED, PAYMENT_RETURNED, INCOME, INFLOW)
"""Kinds whose amount can't be negative; what falls due can be, on an account in credit."""

SCORES: Final = (350, 950)


@dataclass(frozen=True, slots=True)
class Rows:
    """A batch of events as numpy arrays; a null reads as 0 and is marked in the mask beside it.

    `kind` is the place in `KINDS`, −1 where it is unknown or null. `known_at` is `ts` where it is
    null. `has_known_at` tells whether the file has the column.
    """

    account_null: Mask
    ts: NDArray[np.int64]
    ts_null: Mask
    known_at: NDArray[np.int64]
    known_at_null: Mask
    has_known_at: bool
    kind: NDArray[np.int8]
    kind_null: Mask
    amount: NDArray[np.int64]
    amount_null: Mask
    value: NDArray[np.int64]
    value_null: Mask

    def of_kind(self, *kinds: str) -> Mask:
        """Return which rows are of one of the kinds."""
        return np.isin(self.kind, [KINDS.index(kind) for kind in kinds])


def rows_of(events: pa.Table, *, has_known_at: bool) -> Rows:
    """Return a batch, cast to the schema of events but with its nulls, as arrays."""
    ts, ts_null = _numbers(events["ts"])
    known_at, known_at_null = _numbers(events["known_at"])
    amount, amount_null = _numbers(events["amount"])
    value, value_null = _numbers(events["value"])
    return Rows(
        account_null=_nulls(events["account_id"]),
        ts=ts,
        ts_null=ts_null,
        known_at=np.where(known_at_null, ts, known_at),
        known_at_null=known_at_null,
        has_known_at=has_known_at,
        kind=_kind_places(events["kind"]),
        kind_null=_nulls(events["kind"]),
        amount=amount,
        amount_null=amount_null,
        value=value,
        value_null=value_null,
    )


def _nulls(column: Any) -> Mask:
    mask: Mask = pc.is_null(column).to_numpy()
    return mask


def _numbers(column: Any) -> tuple[NDArray[np.int64], Mask]:
    """Return a column's integers, 0 where null, and the mask of nulls."""
    numbers: NDArray[np.int64] = pc.fill_null(column.cast(pa.int64()), 0).to_numpy()
    return numbers, _nulls(column)


def _kind_places(column: Any) -> NDArray[np.int8]:
    """Return each row's place in `KINDS`; −1 for an unknown kind or none."""
    places = pc.index_in(column.cast(pa.string()), pa.array(KINDS))
    found: NDArray[np.int8] = pc.fill_null(places, -1).to_numpy().astype(np.int8)
    return found


@dataclass(frozen=True, slots=True)
class Clock:
    """The latest time at which a row can be known, and when the book ends; microseconds.

    `ends` equals `latest` where nothing says when the book ends.
    """

    latest: int
    ends: int


@dataclass(frozen=True, slots=True)
class RowRule:
    """A fault that a row can have: its name, how grave it is, and in which rows it is."""

    code: str
    level: str
    column: str
    fault: str
    mend: str
    broken: Callable[[Rows, Clock], Mask]


def _null(name: str, broken: Callable[[Rows, Clock], Mask]) -> RowRule:
    mend = f"Fill {name} or leave these rows out"
    return RowRule(f"null_{name}", ERROR, name, "is null", mend, broken)


def _score_strange(rows: Rows, _: Clock) -> Mask:
    low, high = SCORES
    strange = (rows.value < low) | (rows.value > high)
    return rows.of_kind(EXTERNAL_SCORE) & strange & ~rows.value_null


RULES: Final = (
    _null("account_id", lambda rows, _: rows.account_null),
    _null("ts", lambda rows, _: rows.ts_null),
    _null("kind", lambda rows, _: rows.kind_null),
    RowRule(
        "before_1970", ERROR, "ts", "or known_at is before 1970",
        "Check the unit and the zone of the times",
        lambda rows, _: (rows.ts < 0) | (rows.known_at < 0),
    ),
    RowRule(
        "in_the_future", ERROR, "known_at", "(ts where it is absent) is more than a day from now",
        "Check the unit and the zone of the times",
        lambda rows, clock: rows.known_at > clock.latest,
    ),
    RowRule(
        "negative_amount", ERROR, "amount", f"is negative for {', '.join(MONEY_MOVED)}",
        "Say by the kind which way money went, and write the amount without a sign",
        lambda rows, _: (rows.amount < 0) & rows.of_kind(*MONEY_MOVED),
    ),
    RowRule(
        "missing_amount", ERROR, "amount", f"is null for {', '.join(LEDGER)}",
        "Fill the amount, in fen",
        lambda rows, _: rows.amount_null & rows.of_kind(*LEDGER),
    ),
    RowRule(
        "missing_days_past_due", ERROR, "value", "is null for overdue",
        "Fill the days past due that were reached",
        lambda rows, _: rows.value_null & rows.of_kind(OVERDUE),
    ),
    RowRule(
        "negative_days_past_due", ERROR, "value", "is negative for overdue",
        "Fill the days past due that were reached",
        lambda rows, _: (rows.value < 0) & rows.of_kind(OVERDUE),
    ),
    RowRule(
        "negative_minutes", ERROR, "value", "is negative for outage",
        "Fill the minutes that the outage lasted",
        lambda rows, _: (rows.value < 0) & rows.of_kind(OUTAGE),
    ),
    RowRule(
        "negative_due", WARNING, "amount", "is negative for due, overdue",
        "Nothing, if the account was in credit",
        lambda rows, _: (rows.amount < 0) & rows.of_kind(DUE, OVERDUE),
    ),
    RowRule(
        "no_amount", WARNING, "amount", "is null for due, restored, income, inflow",
        "Fill the amount, in fen; it is taken for none",
        lambda rows, _: rows.amount_null & rows.of_kind(DUE, RESTORED, INCOME, INFLOW),
    ),
    RowRule(
        "after_the_book", WARNING, "known_at", "(ts where it is absent) is after the book's as_of",
        "Correct as_of in book.json, or leave these rows out",
        lambda rows, clock: (rows.known_at > clock.ends) & (rows.known_at <= clock.latest),
    ),
    RowRule(
        "known_before_it_happened", WARNING, "known_at", "is more than a day before ts",
        "Check which of the two is right: known_at decides what a model may see",
        lambda rows, _: rows.known_at < rows.ts - MICROSECONDS_PER_DAY,
    ),
    RowRule(
        "score_out_of_range", WARNING, "value",
        f"is outside {SCORES[0]} to {SCORES[1]} for external_score",
        "Bring the scores to one scale before training",
        _score_strange,
    ),
    RowRule(
        "no_score", NOTE, "value", "is null for external_score; the last one known stands",
        "Nothing, if the bureau had none to give",
        lambda rows, _: rows.of_kind(EXTERNAL_SCORE) & rows.value_null,
    ),
    RowRule(
        "no_known_at", NOTE, "known_at", "is null; ts is taken",
        "Nothing, if these events were known at once",
        lambda rows, _: rows.known_at_null & rows.has_known_at,
    ),
)  # fmt: skip
