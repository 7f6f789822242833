"""Which prepayments a run is asked to decide: a night's, or those that a user names."""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from relimit.data import DataError, Prepayments, find_prepayments, prepayments_from_table
from relimit.data.events import EventBlock, Ids
from relimit.data.ledger import freed_limit
from relimit.data.schema import prepayments_schema
from relimit.data.tables import read_parquet
from relimit.data.times import microseconds
from relimit.serving.manifest import fingerprint
from relimit.serving.quarantine import NO_EVENTS, quarantine_schema


class Request(Protocol):
    """Which prepayments a run decides."""

    @property
    def accounts(self) -> Ids | None:
        """The accounts to look at, ascending; None for all."""

    def prepayments(self, block: EventBlock) -> Prepayments:
        """Return the decisions that the block's accounts call for."""

    def without_events(self, seen: Ids) -> pa.Table:
        """Return the quarantine of those whose account is not among the `seen` ones."""

    def inputs(self) -> dict[str, Any]:
        """Return what the request adds to the inputs of a run."""


@dataclass(frozen=True, slots=True)
class Night:
    """The prepayments that the lender learned of in `(since, as_of]`.

    Raises
    ------
    DataError
        If `since` isn't before `as_of`.
    """

    since: datetime
    as_of: datetime

    def __post_init__(self) -> None:
        if self.since >= self.as_of:
            raise DataError(
                f"--since {self.since.isoformat()} is not before --as-of {self.as_of.isoformat()}",
                mend="Give a window that ends after it begins",
            )

    @property
    def accounts(self) -> None:
        """Every account is looked at."""

    def prepayments(self, block: EventBlock) -> Prepayments:
        """Return the decisions that the block's accounts call for."""
        return find_prepayments(block, microseconds(self.since), microseconds(self.as_of))

    def without_events(self, seen: Ids) -> pa.Table:  # noqa: ARG002
        """Return the quarantine of prepayments without an account: a night has none."""
        return quarantine_schema().empty_table()

    def inputs(self) -> dict[str, Any]:
        """Return what the request adds to the inputs of a run."""
        return {"since": self.since.isoformat(), "as_of": self.as_of.isoformat()}


@dataclass(frozen=True, slots=True)
class NamedPrepayments:
    """A user's own list of prepayments, each row one decision, sorted by account and time.

    Attributes
    ----------
    path
        The file it came from.
    table
        The columns of `prepayments_schema`; a null `freed` is worked out from the events.
    ids
        `[n]` the account of each row, ascending.
    """

    path: Path
    table: pa.Table
    ids: Ids

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read and check a list of prepayments.

        Raises
        ------
        DataError
            If the file can't be read or breaks the contract.
        """
        given = read_parquet(path, prepayments_schema().remove(4), table="prepayments")
        table = prepayments_from_table(given, where=str(path))
        table = table.sort_by([("account_id", "ascending"), ("as_of", "ascending")])
        return cls(path, table, table["account_id"].to_numpy())

    @property
    def accounts(self) -> Ids:
        """The distinct accounts, ascending."""
        return np.unique(self.ids)

    def prepayments(self, block: EventBlock) -> Prepayments:
        """Return the decisions about the block's accounts."""
        account = np.minimum(
            np.searchsorted(block.account_ids, self.ids), len(block.account_ids) - 1
        )
        rows = np.flatnonzero(block.account_ids[account] == self.ids)
        chosen, account = self.table.take(pa.array(rows)), account[rows]
        as_of = chosen["as_of"].cast(pa.int64()).to_numpy()
        prepaid = chosen["prepaid"].to_numpy()
        by_ledger = freed_limit(block, account, as_of, prepaid)
        return Prepayments(
            account=account,
            as_of=as_of,
            prepaid=prepaid,
            freed=pc.coalesce(chosen["freed"], pa.array(by_ledger)).to_numpy(),
            closed=np.ones(len(rows), bool),
            decision_id=np.array(chosen["decision_id"].to_pylist(), dtype=object),
        )

    def without_events(self, seen: Ids) -> pa.Table:
        """Return the quarantine of the rows whose account is not among the `seen` ones."""
        rest = self.table.filter(pa.array(~np.isin(self.ids, seen)))
        schema = quarantine_schema(self.table.schema.field("account_id").type)
        reason = pa.repeat(pa.scalar(NO_EVENTS), rest.num_rows)
        return rest.append_column("reason", reason).select(schema.names).cast(schema)

    def inputs(self) -> dict[str, Any]:
        """Return what the request adds to the inputs of a run."""
        return {"prepayments": fingerprint(self.path)}
