"""The observations that a model can learn from, as arrays."""

import hashlib
from dataclasses import dataclass, fields
from typing import Any, Self

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from relimit.data.errors import DataError
from relimit.data.schema import TIME

REQUIRED = ("account_id", "as_of", "bad")
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Labelled:
    """Matured observations, `[n]` each; a number that is unknown is NaN.

    Attributes
    ----------
    account_id
        int64, or object array of strings.
    as_of
        int64, microseconds UTC.
    bad
        The outcome.
    share, delay_days
        The arm that was taken.
    propensity
        The probability with which the older policy took it.
    freed, loss
        Fen.
    """

    account_id: NDArray[Any]
    as_of: NDArray[np.int64]
    bad: NDArray[np.bool_]
    share: Floats
    delay_days: Floats
    propensity: Floats
    freed: Floats
    loss: Floats

    def __len__(self) -> int:
        return len(self.bad)

    def take(self, rows: NDArray[Any]) -> Self:
        """Return some rows, by index or by mask."""
        return type(self)(**{f.name: getattr(self, f.name)[rows] for f in fields(self)})

    @property
    def arms(self) -> Floats:
        """The arms taken, `[n, 2]`: share and delay in days."""
        return np.column_stack([self.share, self.delay_days])

    @property
    def names_arms(self) -> bool:
        """Whether every row has an arm."""
        return bool(len(self) and np.isfinite(self.arms).all())

    @property
    def varies_in_arm(self) -> bool:
        """Whether every row has an arm, and there are at least two different ones."""
        return self.names_arms and bool((self.arms != self.arms[0]).any())

    def fingerprint(self) -> str:
        """Return a SHA-256 over every value, in the order of the rows."""
        digest = hashlib.sha256()
        for item in fields(self):
            values = getattr(self, item.name)
            if values.dtype == object:
                values = pd.util.hash_array(values, categorize=True)
            digest.update(item.name.encode())
            digest.update(np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()


def read_labelled(observations: pa.Table) -> tuple[Labelled, pa.Table]:
    """Return the matured observations as arrays, and their table in the same order.

    Where some rows have an arm, share and delay both, those without are left out: an outcome whose
    arm is unknown can't be told from another's, and one such row would else cost all their arms.

    Raises
    ------
    DataError
        If `account_id`, `as_of` or `bad` is absent, a row lacks an account or a time, no row has
        matured, or arms are told by half.
    """
    _require_columns(observations)
    matured = observations.filter(observations["bad"].is_valid())
    if not matured.num_rows:
        raise DataError(
            f"none of {observations.num_rows} rows has matured: bad is null in all of them",
            where="observations",
            mend="Bring a history that goes on for the whole outcome horizon after as_of",
        )
    rows = matured.num_rows
    labelled = Labelled(
        account_id=matured["account_id"].to_numpy(),
        as_of=matured["as_of"].cast(TIME).cast(pa.int64()).to_numpy(),
        bad=matured["bad"].cast(pa.bool_()).to_numpy(),
        **{name: _numbers(matured, name, rows) for name in _NUMBERS},
    )
    _check_ranges(labelled)
    named = np.isfinite(labelled.share) & np.isfinite(labelled.delay_days)
    if not named.any():
        _require_full_arms(labelled)
    if named.all() or not named.any():
        return labelled, matured
    return labelled.take(named), matured.filter(pa.array(named))


def _require_full_arms(labelled: Labelled) -> None:
    """Raise a `DataError` if half-told arms say that not all was restored at once.

    Rows without arms are taken as restored in full at once, which these were not.
    """
    for name, other, full in (("share", "delay_days", 1.0), ("delay_days", "share", 0.0)):
        values = getattr(labelled, name)
        others = int((np.isfinite(values) & (values != full)).sum())
        if others:
            raise DataError(
                f"column {name} is not {full:g} in {others} of {len(labelled)} rows, but {other} "
                "is known in none of these, so that no row has an arm",
                where="observations",
                mend=f"Add {other}; or drop {name} to take all rows as restored in full at once",
            )


def _check_ranges(labelled: Labelled) -> None:
    """Raise a `DataError` if a number is outside what its column means; unknown ones pass."""
    ranges = {
        "share": (0.0, 1.0, "Give the share of the freed limit, from 0 to 1"),
        "delay_days": (0.0, np.inf, "Give days, at least 0"),
        "freed": (0.0, np.inf, "Give fen, at least 0"),
        "loss": (0.0, np.inf, "Give fen, at least 0"),
    }
    for name, (low, high, mend) in ranges.items():
        values = getattr(labelled, name)
        wrong = int(((values < low) | (values > high)).sum())
        if wrong:
            what = f"column {name} is out of range in {wrong} of {len(labelled)} rows"
            raise DataError(what, where="observations", mend=mend)


_NUMBERS = ("share", "delay_days", "propensity", "freed", "loss")


def _require_columns(observations: pa.Table) -> None:
    absent = [name for name in REQUIRED if name not in observations.column_names]
    if absent:
        raise DataError(
            f"{len(absent)} columns are absent: {', '.join(absent)}; "
            f"there are {', '.join(observations.column_names)}",
            where="observations",
            mend="Bring account_id, as_of and bad",
        )
    for name in ("account_id", "as_of"):
        if observations[name].null_count:
            raise DataError(
                f"{observations[name].null_count} of {observations.num_rows} values are null",
                where=f"observations, column {name}",
                mend="Leave these rows out or complete them",
            )


def _numbers(table: pa.Table, name: str, rows: int) -> Floats:
    if name not in table.column_names:
        return np.full(rows, np.nan)
    return np.asarray(table[name].to_pandas().to_numpy(dtype=np.float64, na_value=np.nan))
