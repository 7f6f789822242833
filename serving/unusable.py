"""What events without an account, a time or a kind mean for a run: quarantine, never a guess."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from relimit.data import Prepayments
from relimit.data.accounts import Ids
from relimit.data.events import EventBlock, blocks_from_table
from relimit.data.files import validate_schema
from relimit.data.prepayments import decision_id
from relimit.data.schema import events_schema
from relimit.data.unusable import nameless_events, split_unusable
from relimit.data.vocabulary import PREPAYMENT
from relimit.data.wanted import Wanted
from relimit.serving.quarantine import known_by_then, quarantine_schema

NO_ACCOUNT: Final = "an event has no account"
NO_TIME: Final = "an event of the account has no time"
NO_KIND: Final = "an event of the account has no kind"

EVER: Final = np.iinfo(np.int64).min
"""Since when an event that nobody can date may have been known."""


@dataclass(frozen=True, slots=True)
class Unusable:
    """The events of some accounts that lack their time or kind, `conform_events` leniently."""

    events: pa.Table

    @classmethod
    def part(cls, events: pa.Table) -> tuple[EventBlock, Self]:
        """Return the events that can be used as a block, and the others."""
        usable, rest = split_unusable(events)
        return blocks_from_table(usable), cls(rest)

    def spoil(
        self, reasons: NDArray[np.object_], accounts: Ids, prepayments: Prepayments
    ) -> NDArray[np.object_]:
        """Return reasons with one for each prepayment whose account lacks something known by then.

        Parameters
        ----------
        reasons
            `[n]` why a prepayment can't be decided, None where it can.
        accounts
            Of the block that the prepayments are of.
        """
        if not (self.events.num_rows and len(accounts)):
            return reasons
        ids = self.events["account_id"].to_numpy()
        place = np.minimum(np.searchsorted(accounts, ids), len(accounts) - 1)
        mine = accounts[place] == ids
        known_at = pc.fill_null(_known_at(self.events), EVER).to_numpy()
        spoilt, told = reasons.copy(), _reasons(self.events)
        for reason in (NO_KIND, NO_TIME):
            rows = mine & (told == reason)
            spoilt[known_by_then(place[rows], known_at[rows], prepayments)] = reason
        return spoilt

    def accounts_beside(self, accounts: Ids) -> Ids:
        """Return the accounts of these events that are none of some, ascending."""
        return np.setdiff1d(self.events["account_id"].to_numpy(), accounts)

    def asking(self, wanted: Wanted) -> pa.Table:
        """Return those that ask for a decision, or may, as the quarantine has them.

        What isn't known of them is null, their id if their time or amount is.
        """
        rows = self.events.take(pa.array(wanted.rows(self.events)))
        none = pc.equal(rows["amount"], 0)
        rows = rows.filter(pc.invert(pc.fill_null(none, False)))
        return _quarantined(rows, _reasons(rows))


def nameless(events: Path, wanted: Wanted) -> pa.Table:
    """Return the events of nobody as the quarantine has them: each may be of anybody's decision.

    They are those known in the night, or at a time that isn't told; all, where no night is asked
    about.

    Raises
    ------
    DataError
        There are too many to keep, or they can't be read.
    """
    found = validate_schema(events, events_schema(), "events")
    schema = quarantine_schema(found.schema.field("account_id").type)
    return pa.concat_tables([schema.empty_table(), *_nameless(nameless_events(found), wanted)])


def _nameless(tables: Iterator[pa.Table], wanted: Wanted) -> Iterator[pa.Table]:
    for table in tables:
        known_at = _known_at(table)
        late = pc.and_(pc.greater(known_at, wanted.since), pc.less_equal(known_at, wanted.as_of))
        mine = table if wanted.kind is None else table.filter(pc.fill_null(late, True))
        yield _quarantined(mine, np.full(mine.num_rows, NO_ACCOUNT, object))


def _reasons(events: pa.Table) -> NDArray[np.object_]:
    return np.where(events["ts"].is_null().to_numpy(), NO_TIME, NO_KIND).astype(object)


def _known_at(events: pa.Table) -> Any:
    """Return when events became known, microseconds UTC; null where nothing tells."""
    return pc.coalesce(events["known_at"], events["ts"]).cast(pa.int64())


def _quarantined(events: pa.Table, reasons: NDArray[np.object_]) -> pa.Table:
    schema = quarantine_schema(events.schema.field("account_id").type)
    known_at = _known_at(events)
    prepays = pc.equal(events["kind"].cast(pa.string()), PREPAYMENT)
    prepaid = pc.if_else(prepays, events["amount"], pa.scalar(None, pa.int64()))
    told = (events["account_id"].to_pylist(), known_at.to_pylist(), prepaid.to_pylist())
    named = [None if None in of else decision_id(*of) for of in zip(*told, strict=True)]
    columns = {
        "decision_id": pa.array(named, pa.string()),
        "account_id": events["account_id"],
        "as_of": known_at.cast(schema.field("as_of").type),
        "prepaid": prepaid,
        "reason": pa.array(reasons, pa.string()),
    }
    return pa.table(columns).cast(schema)
