"""The decisions of a log that can be learnt from: they freed something, and it is known what came.

`realised` tells what came of every decision; these are the rows of it that policies are valued and
optimised on.
"""

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data.errors import DataError
from relimit.data.schema import TIME

Floats = NDArray[np.float64]


def decided_at(log: pa.Table) -> NDArray[np.int64]:
    """Return when each decision of a log was taken, microseconds UTC."""
    when: NDArray[np.int64] = log["decided_at"].cast(TIME).cast(pa.int64()).to_numpy()
    return when


def matured_decisions(came: pa.Table, horizon_days: int) -> tuple[pa.Table, dict[str, int]]:
    """Return the decisions that have matured, freed something and had a known limit.

    Beside them stands how many decisions there were, and how many were left out for what.

    Parameters
    ----------
    came
        What `realised` returns; where no limit is known its loss is null.
    horizon_days
        Over how many days it was told.

    Raises
    ------
    DataError
        No decision is left.
    """
    matured = came.filter(came["bad"].is_valid())
    freed = matured.filter(pc.greater(matured["freed"], 0))
    kept = freed.filter(pc.and_(freed["loss"].is_valid(), freed["limit"].is_valid()))
    counts = {
        "logged": came.num_rows,
        "not_matured": came.num_rows - matured.num_rows,
        "freed_nothing": matured.num_rows - freed.num_rows,
        "limit_unknown": freed.num_rows - kept.num_rows,
    }
    if not kept.num_rows:
        raise DataError(
            f"none of {came.num_rows} decisions is left: {counts['not_matured']} have not matured, "
            f"{counts['freed_nothing']} freed nothing, {counts['limit_unknown']} have no limit",
            where="decisions",
            mend=_mend(counts, horizon_days),
        )
    return kept, counts


def _mend(counts: Mapping[str, int], horizon_days: int) -> str:
    """Return what to do about the cause that leaves out most decisions of a log."""
    mends = {
        "not_matured": f"Bring a history that goes on for {horizon_days} days after the decisions",
        "freed_nothing": "Write into `freed` how much limit each prepayment freed",
        "limit_unknown": "Add each account's `limit` events to the history",
    }
    return mends[max(mends, key=counts.__getitem__)]


def margin_caution(margin: Floats) -> str | None:
    """Return what to say where `[n]` margins are the cost of funds alone, else None.

    A book whose events have no interest that was paid knows only what lending costs. Its net value
    then speaks against lending to anybody.
    """
    if not len(margin) or (margin > 0.0).any():
        return None
    return (
        "No decision was followed by a margin above 0: the events seem to lack interest_payment, "
        "so that margin and net value count the cost of funds alone and speak against every "
        "restoration. Add what borrowers paid in interest, or go by loss and share restored"
    )


def numbers(table: pa.Table, name: str) -> Floats:
    """Return a column as float64, NaN where it is null."""
    return np.asarray(table[name].cast(pa.float64()).to_numpy(zero_copy_only=False))
