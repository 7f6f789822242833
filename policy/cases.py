"""What a decision is made from: the prepayment, the scores and the account's facts."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from relimit.data.accounts import Ids
from relimit.data.errors import DataError

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Dates = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Standing:
    """What the gates and the timetable read of each account, as visible at the decision.

    Every attribute is an array `[n]`. Money is int64 fen, windows are those of the policy.

    Attributes
    ----------
    overdue
        Arrears now: the last `overdue` amount since the last `cured`, floored at 0.
    days_past_due
        Days past due of the same event; 0 if there is none.
    unsettled_interest
        Interest charged and still unpaid, less what instalments billed in the days of grace.
    identity_changes, login_failures
        Device, phone and card changes, and failed log-ins, in the identity window and since the
        borrower's identity was last confirmed.
    limit, has_limit
        The approved limit; 0 where `has_limit` is false.
    outstanding
        Principal owed after the prepayment.
    returned_payments
        Payments that bounced in the finality window.
    days_since_returned
        Days since the lender learned of the last payment that bounced; NaN if none did.
    prepayment_age_days
        Days since the last prepayment; NaN if none is visible.
    outage_minutes
        Minutes of outages in the fault window.
    last_due, next_due
        datetime64[D], the last due date up to today and the next instalment, both by the calendar;
        NaT if nothing fell or falls due.
    """

    overdue: Ints
    days_past_due: Ints
    unsettled_interest: Ints
    identity_changes: Ints
    login_failures: Ints
    limit: Ints
    has_limit: Bools
    outstanding: Ints
    returned_payments: Ints
    days_since_returned: Floats
    prepayment_age_days: Floats
    outage_minutes: Ints
    last_due: Dates
    next_due: Dates

    def __len__(self) -> int:
        return len(self.overdue)

    def take(self, rows: NDArray[Any] | slice) -> Self:
        """Return some rows, by index or by mask."""
        return type(self)(*(getattr(self, name)[rows] for name in self.__match_args__))


@dataclass(frozen=True, slots=True)
class Facts(Standing):
    """That, and what only the reasons read: the evidence of their causes, an array `[n]` each.

    Of cases that `bound_by_risk` does not name nobody reads it, and it may be that of no cause.

    Attributes
    ----------
    cycles
        Borrow-prepay-borrow within 14 days, in the evidence window.
    cycles_until
        datetime64[D], the last day on which they are still as many as `evidence.cycles` if none is
        added; NaT if they are fewer.
    days_since_draw
        NaN if nothing was ever drawn.
    lender_inflow
        Inflow from other lenders in the evidence window.
    score_drop
        Points by which the external score fell in the evidence window; NaN if unknown.
    overdues
        `overdue` events in the evidence window.
    """

    cycles: Ints
    cycles_until: Dates
    days_since_draw: Floats
    lender_inflow: Ints
    score_drop: Floats
    overdues: Ints


FACTS = tuple(f.name for f in fields(Facts))
_facts_of: Final = attrgetter(*FACTS)


@dataclass(frozen=True, slots=True)
class Cases:
    """The prepayments to decide, a row each.

    Attributes
    ----------
    decision_id
        `[n]` strings.
    account_id
        `[n]` ids, int64 or strings.
    as_of
        `[n]` int64 microseconds since 1970 in UTC.
    prepaid, freed
        `[n]` int64 fen, 0 <= freed <= prepaid.
    risk
        `[n]` probability of bad if all is restored at once.
    expected_loss
        `[n]` fen, at the same arm.
    facts
        `[n]` facts of the accounts.
    contributions
        `[n, F]` additive contributions to the log-odds of the risk; null for reasons without them.
        Rows that `reads_contributions` does not name may be 0.
    feature_names
        The F features' names.
    model_version
        The version of the model that scored them.
    """

    decision_id: Ids | Sequence[str]
    account_id: Ids
    as_of: Ints
    prepaid: Ints
    freed: Ints
    risk: Floats
    expected_loss: Floats
    facts: Facts
    contributions: Floats | None = None
    feature_names: tuple[str, ...] = ()
    model_version: str = ""

    def __len__(self) -> int:
        return len(self.freed)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask."""
        ids = np.asarray(self.decision_id, dtype=object)[rows]
        return type(self)(
            decision_id=ids,
            **{name: getattr(self, name)[rows] for name in COLUMNS[1:]},
            facts=self.facts.take(rows),
            contributions=None if self.contributions is None else self.contributions[rows],
            feature_names=self.feature_names,
            model_version=self.model_version,
        )


COLUMNS = ("decision_id", "account_id", "as_of", "prepaid", "freed", "risk", "expected_loss")
_columns_of: Final = attrgetter(*COLUMNS)


def check_cases(cases: Cases) -> None:
    """Raise DataError if a case can't be decided; a decision is never a silent guess."""
    n = len(cases)
    parts = (*_columns_of(cases), *_facts_of(cases.facts))
    if set(map(len, parts)) != {n}:
        named = zip((*COLUMNS, *FACTS), parts, strict=True)
        wrong = {name: len(part) for name, part in named if len(part) != n}
        raise DataError(
            f"{n} cases, but {wrong}",
            where="cases",
            mend="Give a row of each for each case",
        )
    if not _as_they_must_be(cases):
        _reject_wrong(cases)
    if cases.contributions is not None:
        _check_contributions(cases, cases.contributions)


def _as_they_must_be(cases: Cases) -> bool:
    """Return whether every number is in its range: one look where `_reject_wrong` takes six."""
    risk, loss, freed = cases.risk, cases.expected_loss, cases.freed
    fine = (risk >= 0) & (risk <= 1) & (loss >= 0) & (loss < np.inf)
    fine &= (freed >= 0) & (freed <= cases.prepaid)
    return bool(np.count_nonzero(fine) == len(cases))


def _reject_wrong(cases: Cases) -> None:
    risk, loss, freed = cases.risk, cases.expected_loss, cases.freed
    _reject(cases, ~np.isfinite(risk), "risk is not a number", "Score these accounts first")
    _reject(cases, (risk < 0) | (risk > 1), "risk is outside 0 to 1", "Give a probability")
    _reject(
        cases, ~np.isfinite(loss), "expected_loss is not a number", "Score these accounts first"
    )
    _reject(cases, loss < 0, "expected_loss is negative", "Give fen, at least 0")
    _reject(cases, freed < 0, "freed is negative", "Give fen, at least 0")
    _reject(cases, freed > cases.prepaid, "freed is more than prepaid", "Cap it at prepaid")


def _check_contributions(cases: Cases, contributions: Floats) -> None:
    expected = (len(cases), len(cases.feature_names))
    if contributions.shape != expected:
        raise DataError(
            f"contributions are {contributions.shape}, expected {expected}",
            where="cases",
            mend="Give a row for each case and a column for each feature name",
        )
    bad = np.asarray(~np.isfinite(contributions).all(axis=1))
    _reject(cases, bad, "contributions are not numbers", "Give 0 where there is none")


def _reject(cases: Cases, bad: Bools, what: str, mend: str) -> None:
    if bad.any():
        first = cases.decision_id[int(np.argmax(bad))]
        count = f"in {bad.sum():,} of {len(bad):,} cases, first in decision {first}"
        raise DataError(f"{what} {count}", where="cases", mend=mend)
