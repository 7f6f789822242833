"""Which observations a model may learn from, which calibrate it, and which test it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from relimit.data.errors import DataError
from relimit.data.vocabulary import MICROSECONDS_PER_DAY

OUT_OF_TIME = "out_of_time"
OUT_OF_ACCOUNT = "out_of_account"
HoldOut = Literal["time", "account"]
SLICES = ("fit", "calibrate", "test")

TEST_SHARE = 0.25
CALIBRATE_SHARE = 0.3
HOLD_OUT_ACCOUNTS = 0.2
CALIBRATE_ACCOUNTS = 0.4
"""Accounts whose hash lies in [0.2, 0.4) calibrate where time can't separate the slices."""
MINIMUM_PER_CLASS = 5
ENOUGH_PER_CLASS = 25
"""Bad and good rows that each slice needs before an out-of-time split is preferred."""
DEALS: Final = 20
"""Hashes of the account that are tried where the first leaves a slice with fewer."""


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers of three slices that share no outcome.

    Attributes
    ----------
    fit, calibrate, test
        int64 row numbers, ascending, disjoint; `calibrate` also stops the boosting early.
    kind
        `out_of_time` or `out_of_account`.
    test_from
        Start of the test slice, microseconds UTC; None if the split is by account.
    salt
        Of the hash that dealt the accounts.
    left_out
        Rows in no slice: their outcome windows reach into a later slice.
    description
        How the split was made and, if it isn't out of time, why.
    """

    fit: NDArray[np.int64]
    calibrate: NDArray[np.int64]
    test: NDArray[np.int64]
    kind: str
    test_from: int | None
    left_out: int
    description: str
    salt: int = 0

    def to_manifest(self) -> dict[str, object]:
        """Return what `unseen_rows` needs later, as JSON values."""
        return {
            "kind": self.kind,
            "test_from": self.test_from,
            "salt": self.salt,
            "left_out": self.left_out,
            "description": self.description,
        }


def account_hash(account_id: NDArray[Any], salt: int = 0) -> NDArray[np.float64]:
    """Return a number in [0, 1) for each account id, the same in every book and process.

    Parameters
    ----------
    account_id
        `[n]` int64 or object array of strings.
    salt
        Another one gives other numbers.
    """
    bits = pd.util.hash_array(np.asarray(account_id))
    if salt:
        bits = pd.util.hash_array(bits + np.uint64(salt))
    return (bits >> np.uint64(11)).astype(np.float64) / float(1 << 53)


def sample_rows(rows: int, most: int, seed: int = 0) -> NDArray[np.int64]:
    """Return at most so many row numbers, drawn without replacement, ascending."""
    if rows <= most:
        return np.arange(rows)
    return np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))


def split_observations(
    account_id: NDArray[Any],
    as_of: NDArray[np.int64],
    bad: NDArray[np.bool_],
    *,
    horizon_days: int,
    hold_out: HoldOut = "time",
) -> Split:
    """Split matured observations in time, or by account if asked or if time can't separate them.

    Out of time, the last quarter of the rows is the test, and what comes before learns only if its
    outcome window ends by the start of the test. Learning rows are cut in time again; there, a row
    whose window crosses the cut is kept only if its account is on the fitting side of a hash, so
    that no overdue event is the outcome of a row in two slices (the purge of López de Prado 2018,
    ch. 7).

    Parameters
    ----------
    account_id, as_of, bad
        `[n]`; `as_of` in microseconds UTC, `bad` without nulls.
    horizon_days
        Length of the outcome window.
    hold_out
        `time`: the latest rows, other accounts only where time can't; `account`: other accounts.

    Raises
    ------
    DataError
        If a slice has fewer than 5 bad or 5 good rows.
    """
    _require_both_classes(bad, "observations")
    if hold_out == "account":
        split = _split_by_account(account_id, bad, "as asked for")
    else:
        last = np.flatnonzero(as_of >= _cut(as_of, TEST_SHARE))
        split = split_before(account_id, as_of, horizon_days, last)
        why_not = _why_not(split, bad, as_of, horizon_days)
        split = _split_by_account(account_id, bad, why_not) if why_not else split
    for name in SLICES:
        _require_both_classes(bad[getattr(split, name)], f"the {name} slice of the observations")
    return split


def unseen_rows(
    manifest: Mapping[str, Any], account_id: NDArray[Any], as_of: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Return which rows a model with this `split` entry in its manifest has not learnt from.

    Rows at or after the start of its test slice if it was split in time, else those of the
    held-out accounts.
    """
    if manifest["kind"] == OUT_OF_TIME:
        return np.asarray(as_of >= int(manifest["test_from"]), dtype=np.bool_)
    place = account_hash(account_id, int(manifest.get("salt", 0)))
    return np.asarray(place < HOLD_OUT_ACCOUNTS, dtype=np.bool_)


def split_before(
    account_id: NDArray[Any], as_of: NDArray[np.int64], horizon_days: int, test: NDArray[np.int64]
) -> Split:
    """Return the out-of-time split that tests some rows on what had matured before the first.

    Parameters
    ----------
    account_id, as_of
        `[n]`; `as_of` in microseconds UTC.
    horizon_days
        Length of the outcome window.
    test
        Row numbers, ascending, not none. Rows after the first of them are in no other slice.

    Notes
    -----
    Two kinds of rows are left out on purpose. Rows whose outcome was not known when the test
    starts: whoever had trained then could not have had them, and a shock that falls into their
    windows falls into the test's too, whichever account it is; so account-disjoint slices would not
    do here. And, between fit and calibration, rows of calibrating accounts whose windows cross the
    cut, and later rows of the other accounts: learning from these would make the calibration slice
    no later than the fit. Purging all accounts at the cut in place of that would cost another
    horizon of rows of every account.
    """
    horizon = horizon_days * MICROSECONDS_PER_DAY
    test_from = int(as_of[test].min())
    learn = as_of + horizon <= test_from
    reaching = int((~learn & (as_of < test_from)).sum())
    calibrate_from = _cut(as_of[learn], CALIBRATE_SHARE) if learn.any() else test_from
    calibrates = account_hash(account_id) < CALIBRATE_ACCOUNTS
    calibrate = learn & (as_of >= calibrate_from) & calibrates
    before = learn & (as_of < calibrate_from)
    fit = before & ((as_of + horizon <= calibrate_from) | ~calibrates)
    return Split(
        fit=np.flatnonzero(fit),
        calibrate=np.flatnonzero(calibrate),
        test=test,
        kind=OUT_OF_TIME,
        test_from=test_from,
        left_out=len(as_of) - int(fit.sum()) - int(calibrate.sum()) - len(test),
        description=(
            f"out of time: tested from {_day(test_from)}, calibrated from {_day(calibrate_from)}; "
            f"outcome windows end before the test starts, of {reaching:,} rows they don't"
        ),
    )


def _why_not(split: Split, bad: NDArray[np.bool_], as_of: NDArray[np.int64], days: int) -> str:
    first, last = int(as_of.min()), int(as_of.max())
    if first == last:
        return f"all rows have one as_of, {_day(first)}"
    for name in SLICES:
        bads, goods = _classes(bad[getattr(split, name)])
        if min(bads, goods) < ENOUGH_PER_CLASS:
            return (
                f"from {_day(first)} to {_day(last)}, with outcome windows of {days} days, the "
                f"{name} slice of a split in time would have {bads} bad and {goods} good rows, "
                f"fewer than {ENOUGH_PER_CLASS} of one"
            )
    return ""


def _split_by_account(account_id: NDArray[Any], bad: NDArray[np.bool_], reason: str) -> Split:
    """Deal the accounts; where some slice gets few bads, by the hash that deals them most evenly.

    Chance would else leave a slice with a third of its bads, or none. It is chosen by outcomes
    alone, so the test stays fair, as in a stratified draw.
    """
    split = _dealt(account_id, reason, 0)
    slices = [bad[getattr(split, name)] for name in SLICES]
    if min(min(_classes(outcomes)) for outcomes in slices) >= ENOUGH_PER_CLASS:
        return split
    deals = (_dealt(account_id, reason, salt) for salt in range(DEALS))
    return min(deals, key=lambda split: _unevenness(split, bad))


def _unevenness(split: Split, bad: NDArray[np.bool_]) -> float:
    """Return Pearson's chi-squared of the slices' bads, but for a factor that all splits share."""
    slices = [bad[getattr(split, name)] for name in SLICES]
    return float(
        sum((part.sum() - part.size * bad.mean()) ** 2 / max(part.size, 1) for part in slices)
    )


def _dealt(account_id: NDArray[Any], reason: str, salt: int) -> Split:
    place = account_hash(account_id, salt)
    return Split(
        fit=np.flatnonzero(place >= CALIBRATE_ACCOUNTS),
        calibrate=np.flatnonzero((place >= HOLD_OUT_ACCOUNTS) & (place < CALIBRATE_ACCOUNTS)),
        test=np.flatnonzero(place < HOLD_OUT_ACCOUNTS),
        kind=OUT_OF_ACCOUNT,
        test_from=None,
        left_out=0,
        description=f"out of account by a hash of account_id: {reason}",
        salt=salt,
    )


def _cut(as_of: NDArray[np.int64], later_share: float) -> int:
    return int(np.quantile(as_of, 1.0 - later_share, method="higher"))


def _classes(bad: NDArray[np.bool_]) -> tuple[int, int]:
    bads = int(bad.sum())
    return bads, int(bad.size) - bads


def _require_both_classes(bad: NDArray[np.bool_], where: str) -> None:
    bads, goods = _classes(bad)
    if min(bads, goods) < MINIMUM_PER_CLASS:
        raise DataError(
            f"{bads} bad and {goods} good matured rows; at least {MINIMUM_PER_CLASS} of each "
            "are needed",
            where=where,
            mend="Bring more accounts, a longer history, or a label that is not so rare",
        )


def _day(microseconds: int) -> str:
    return str(np.datetime64(microseconds, "us").astype("datetime64[D]"))
