"""Which prepayments a run is asked to decide: a night's, or those that a user names."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relimit.data import DataError, Prepayments, find_prepayments
from relimit.data.accounts import Ids
from relimit.data.by_account import RowsByAccount
from relimit.data.events import EventBlock
from relimit.data.ledger import freed_limit
from relimit.data.prepayments import check_prepayments, decision_ids_of
from relimit.data.schema import prepayments_schema
from relimit.data.times import microseconds
from relimit.data.vocabulary import PREPAYMENT
from relimit.data.wanted import Wanted
from relimit.serving.account_rows import (
    quarantined_without_events,
    read_told,
    require_type,
)
from relimit.serving.earlier import Again, OpenDecisions
from relimit.serving.quarantine import quarantine_schema


class Request(Protocol):
    """Which prepayments a run decides."""

    @property
    def accounts(self) -> Ids | None:
        """The accounts to look at, ascending; None for all."""

    @property
    def total(self) -> int | None:
        """How many prepayments are asked about; None if only the events tell."""

    @property
    def wanted(self) -> Wanted:
        """Whose events may call for a decision; those that are named are answered in any case."""

    def require_type(self, account_id: pa.DataType) -> None:
        """Raise DataError if what is asked has ids of another type than the events."""

    def prepayments(self, block: EventBlock) -> Prepayments:
        """Return the decisions that the block's accounts call for."""

    @property
    def earlier(self) -> OpenDecisions | None:
        """What earlier nights left open and this one takes up, if any did."""

    def again(self, block: EventBlock) -> Again | None:
        """Return the earlier decisions about the block's accounts; None without earlier nights."""

    def without_usable_events(self, accounts: Ids) -> pa.Table:
        """Return the quarantine of what is asked about accounts that have no event to be used.

        They ascend. What their events themselves ask for is not in it.
        """

    def without_events(self, seen: Ids, after: Any, through: Any) -> pa.Table:
        """Return the quarantine of those without events, of the accounts in `(after, through]`.

        `seen` are the accounts of that range that have events; None is an open end.
        """

    def inputs(self) -> dict[str, Any]:
        """Return what the request adds to the inputs of a run."""


@dataclass(frozen=True, slots=True)
class Night:
    """The prepayments that the lender learned of in `(since, as_of]`, and what is still open.

    Raises
    ------
    DataError
        If `since` isn't before `as_of`, or isn't when the earlier night ended.
    """

    since: datetime
    as_of: datetime
    earlier: OpenDecisions | None = None

    def __post_init__(self) -> None:
        if self.since >= self.as_of:
            raise DataError(
                f"--since {self.since.isoformat()} is not before --as-of {self.as_of.isoformat()}",
                mend="Give a window that ends after it begins",
            )
        if self.earlier is not None and self.earlier.as_of != self.since:
            raise DataError(
                f"the night begins at {self.since.isoformat()}, and the earlier one ended at "
                f"{self.earlier.as_of.isoformat()}",
                where=str(self.earlier.run),
                mend="Let one begin where the other ends, so that each prepayment is decided once",
            )

    @property
    def accounts(self) -> None:
        """Every account is looked at."""

    @property
    def total(self) -> None:
        """Only the events tell."""

    @property
    def wanted(self) -> Wanted:
        """The accounts with a prepayment in the window or still open."""
        still_open = None if self.earlier is None else self.earlier.accounts
        return Wanted(still_open, PREPAYMENT, microseconds(self.since), microseconds(self.as_of))

    def require_type(self, account_id: pa.DataType) -> None:
        """Raise DataError if an earlier night has ids of another type than the events."""
        if self.earlier is not None:
            self.earlier.require_type(account_id)

    def prepayments(self, block: EventBlock) -> Prepayments:
        """Return the decisions that the block's accounts call for."""
        return find_prepayments(block, microseconds(self.since), microseconds(self.as_of))

    def again(self, block: EventBlock) -> Again | None:
        """Return the earlier decisions about the block's accounts."""
        return None if self.earlier is None else Again.of(self.earlier, block, self.as_of)

    def without_usable_events(self, accounts: Ids) -> pa.Table:
        """Return the quarantine of the earlier decisions about some ascending accounts."""
        if self.earlier is None:
            return quarantine_schema().empty_table()
        return self.earlier.without_usable_events(accounts, self.as_of)

    def without_events(self, seen: Ids, after: Any, through: Any) -> pa.Table:
        """Return the quarantine of prepayments without events: only an earlier night knows them."""
        if self.earlier is None:
            return quarantine_schema().empty_table()
        return self.earlier.without_events(seen, after, through, self.as_of)

    def inputs(self) -> dict[str, Any]:
        """Return what the request adds to the inputs of a run."""
        earlier = {} if self.earlier is None else self.earlier.inputs()
        return {"since": self.since.isoformat(), "as_of": self.as_of.isoformat(), **earlier}


@dataclass(frozen=True, slots=True)
class NamedPrepayments:
    """A user's own list of prepayments, each row one decision.

    Attributes
    ----------
    path
        The file it came from.
    rows
        The columns of `prepayments_schema`, by account and time; a null `freed` is worked out from
        the events.
    told
        The file's fingerprint.
    """

    path: Path
    rows: RowsByAccount
    told: dict[str, str]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a list of prepayments.

        Raises
        ------
        DataError
            If the file can't be read, breaks the contract, or changes meanwhile.
        """
        check, schema = partial(check_prepayments, where=str(path)), prepayments_schema()
        return cls(path, *read_told(path, schema, "prepayments", order=("as_of",), check=check))

    @property
    def accounts(self) -> Ids:
        """The distinct ones of the list."""
        return self.rows.accounts

    @property
    def total(self) -> int:
        """Every row is one decision."""
        return len(self.rows)

    @property
    def earlier(self) -> None:
        """What is named is decided for the first time."""

    def again(self, block: EventBlock) -> None:
        """Return no earlier decisions."""

    @property
    def wanted(self) -> Wanted:
        """The accounts that are named."""
        return Wanted(self.accounts)

    def require_type(self, account_id: pa.DataType) -> None:
        """Raise DataError if the names are of another type than the events' ids."""
        require_type(self.rows, account_id, self.path)

    def prepayments(self, block: EventBlock) -> Prepayments:
        """Return the decisions about the block's accounts."""
        chosen, account = self.rows.about(block.account_ids)
        as_of = chosen["as_of"].cast(pa.int64()).to_numpy()
        prepaid = chosen["prepaid"].to_numpy()
        by_ledger = freed_limit(block, account, as_of, prepaid)
        return Prepayments(
            account=account,
            as_of=as_of,
            prepaid=prepaid,
            freed=pc.coalesce(chosen["freed"], pa.array(by_ledger)).to_numpy(),
            closed=np.ones(len(account), bool),
            decision_id=decision_ids_of(chosen).to_numpy(zero_copy_only=False),
        )

    def without_usable_events(self, accounts: Ids) -> pa.Table:
        """Return the quarantine of the rows about some ascending accounts."""
        return _without_events(self.rows.about(accounts)[0])

    def without_events(self, seen: Ids, after: Any, through: Any) -> pa.Table:
        """Return the quarantine of the rows about other accounts of `(after, through]` than seen.

        None is an open end.
        """
        return _without_events(self.rows.about_others(seen, after, through))

    def inputs(self) -> dict[str, Any]:
        """Return what the request adds to the inputs of a run."""
        return {"prepayments": self.told}


def _without_events(rows: pa.Table) -> pa.Table:
    return quarantined_without_events(rows.append_column("decision_id", decision_ids_of(rows)))
