"""What a night leaves open: written beside its decisions, and taken up by the next night."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data import DataError, Prepayments
from relimit.data.accounts import Ids
from relimit.data.by_account import RowsByAccount
from relimit.data.events import EventBlock
from relimit.data.schema import TIME
from relimit.data.times import microseconds
from relimit.policy import Earlier
from relimit.serving.account_rows import (
    quarantined_without_events,
    read_told,
    require_type,
)
from relimit.serving.manifest import MANIFEST, OPEN, read_run

_LATEST_FIRST: Final = "Give --earlier the run of the night before"


def open_schema(account_id: pa.DataType | None = None) -> pa.Schema:
    """Return the schema of what is open, money in fen; `account_id` is int64 unless said otherwise.

    `freed` is what the prepayment freed at first and `restored` what of it has come back since;
    `promised` comes on `promised_on`, which is null where nothing is promised. `gate_closed` says
    whether a gate was closed on that night; null in what was written before it was kept.
    """
    return pa.schema(
        [
            pa.field("decision_id", pa.string(), nullable=False),
            pa.field("account_id", account_id or pa.int64(), nullable=False),
            pa.field("decided_at", TIME, nullable=False),
            pa.field("prepaid", pa.int64(), nullable=False),
            pa.field("freed", pa.int64(), nullable=False),
            pa.field("restored", pa.int64(), nullable=False),
            pa.field("promised", pa.int64(), nullable=False),
            pa.field("promised_on", pa.date32()),
            pa.field("not_later_than", pa.date32(), nullable=False),
            pa.field("gate_closed", pa.bool_()),
        ]
    )


@dataclass(frozen=True, slots=True)
class OpenDecisions:
    """The decisions that earlier nights left open, by account.

    Attributes
    ----------
    run
        The folder of the run that left them.
    as_of
        When that night ended.
    rows
        The columns of `open_schema`.
    told
        The fingerprint of its files.
    """

    run: Path
    as_of: datetime
    rows: RowsByAccount
    told: dict[str, str]

    @classmethod
    def read(cls, run: Path) -> Self:
        """Read what a finished night left open.

        Raises
        ------
        DataError
            If no night finished in the folder, or its files are no longer what it wrote.
        """
        manifest = read_run(run)
        if "as_of" not in manifest["inputs"]:
            what = "decided prepayments that were named, and no night follows on those"
            raise DataError(what, where=str(run / MANIFEST), mend=_LATEST_FIRST)
        folder = run / OPEN
        as_of = datetime.fromisoformat(manifest["inputs"]["as_of"])
        return cls(run, as_of, *read_told(folder, open_schema(), OPEN))

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def accounts(self) -> Ids:
        """The distinct ones, ascending."""
        return self.rows.accounts

    def require_type(self, account_id: pa.DataType) -> None:
        """Raise DataError if tonight's events have ids of another type."""
        require_type(self.rows, account_id, self.run)

    def without_usable_events(self, accounts: Ids, as_of: datetime) -> pa.Table:
        """Return the quarantine of the rows about some ascending accounts."""
        return _without_events(self.rows.about(accounts)[0], as_of)

    def without_events(self, seen: Ids, after: Any, through: Any, as_of: datetime) -> pa.Table:
        """Return the quarantine of the rows about other accounts of `(after, through]` than seen.

        None is an open end.
        """
        return _without_events(self.rows.about_others(seen, after, through), as_of)

    def inputs(self) -> dict[str, Any]:
        """Return what they add to the inputs of a run."""
        return {"earlier": self.told}


def _without_events(rows: pa.Table, as_of: datetime) -> pa.Table:
    times = pa.repeat(pa.scalar(microseconds(as_of)), rows.num_rows).cast(TIME)
    return quarantined_without_events(rows.append_column("as_of", times))


@dataclass(frozen=True, slots=True)
class Again:
    """Earlier decisions to be taken again, at a later `as_of`.

    Attributes
    ----------
    prepayments
        What they are about, `freed` as it was at first.
    rows
        `[n]` of `open_schema`, in the same order.
    """

    prepayments: Prepayments
    rows: pa.Table

    @classmethod
    def of(cls, earlier: OpenDecisions, block: EventBlock, as_of: datetime) -> Self:
        """Return those about the block's accounts."""
        rows, account = earlier.rows.about(block.account_ids)
        prepayments = Prepayments(
            account=account,
            as_of=np.full(rows.num_rows, microseconds(as_of)),
            prepaid=rows["prepaid"].to_numpy(),
            freed=rows["freed"].to_numpy(),
            closed=np.ones(rows.num_rows, bool),
            decision_id=np.array(rows["decision_id"].to_pylist(), dtype=object),
        )
        return cls(prepayments, rows)

    def earlier(self, chosen: NDArray[np.bool_]) -> Earlier:
        """Return some of them as the policy reads them."""
        return earlier_of(self.rows.filter(pa.array(chosen)))


def earlier_of(rows: pa.Table) -> Earlier:
    """Return rows of `open_schema` as the policy reads them.

    Where it is not known whether a gate was closed, one is taken to have been if nothing was
    promised: the borrower may have been told what opening it would bring.
    """
    nothing = pc.equal(rows["promised"], 0)
    return Earlier(
        decision_id=rows["decision_id"].to_pylist(),
        decided_at=rows["decided_at"].cast(pa.int64()).to_numpy(),
        freed=rows["freed"].to_numpy(),
        restored=rows["restored"].to_numpy(),
        promised=rows["promised"].to_numpy(),
        promised_on=rows["promised_on"].to_numpy(),
        not_later_than=rows["not_later_than"].to_numpy(),
        gate_closed=pc.coalesce(rows["gate_closed"], nothing).to_numpy(),
    )
